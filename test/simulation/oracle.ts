// Sees all replicas at once, and knows what must hold of them together: one value per slot, nothing
// said before it is durable, promises never fall, equal logs give equal states. Every check costs the
// same however long the run is. Numbers I1 … are those of the list of invariants that this keeps.

import { fnv1aBytes } from '../../server/bytes.ts'
import type { Event, Message } from '../../server/contract.ts'
import {
  type Ballot,
  compareBallots,
  formatBallot,
  ZERO_BALLOT,
} from '../../server/paxos/ballot.ts'
import type { LogRecord } from '../../server/paxos/record.ts'
import type { Settings } from '../../server/paxos/settings.ts'
import type { AnyNode, Watcher } from './node.ts'
import { Violation, type World } from './world.ts'

type Votes = { readonly ballot: Ballot; readonly hash: number; readonly voters: Set<number> }

type SlotHistory = {
  readonly votes: Map<string, Votes>
  chosen: Votes | null
}

type GroupHistory = {
  readonly size: number
  /** Who votes: the same for all replicas, for ever (I2). */
  formation: string | null
  readonly slots: Map<number, SlotHistory>
  /** slot → hash of the whole state after it. */
  readonly states: Map<number, number>
  /** slot and ballot → hash of what the ballot's leader proposed. */
  readonly proposals: Map<string, number>
  /** The most open slots that a replica ever had from an earlier life or an earlier leader. */
  takenOver: number
}

/** What one replica has on its disk, and what it has told others that it has. */
type Acceptor = {
  promised: Ballot
  readonly accepted: Map<number, Ballot>
  toldPromise: Ballot
  /** slot → ballot, for those told that it accepted. */
  readonly toldAccepted: Map<number, Ballot>
  hasApplied: boolean
}

export class Oracle implements Watcher {
  private readonly world: World
  private readonly groups = new Map<number, GroupHistory>()
  private readonly acceptors = new Map<number, Acceptor>()

  /** `sizes`: gid → number of replicas. */
  constructor(world: World, sizes: ReadonlyMap<number, number>) {
    this.world = world
    for (const [gid, size] of sizes) {
      this.groups.set(gid, { ...noHistory(), size })
    }
  }

  /** The highest slot in which a value is chosen. */
  highestChosen(gid: number): number {
    let highest = 0
    for (const [slot, { chosen }] of this.group(gid).slots) {
      if (chosen !== null && slot > highest) highest = slot
    }
    return highest
  }

  onStart(node: AnyNode): void {
    this.noteTakenOver(node, node.status()?.log.entries ?? 0)
    this.checkDisk(node)
  }

  /** I13: what is on disk must account for everything that this replica ever told others. */
  private checkDisk(node: AnyNode): void {
    const acceptor = this.acceptor(node)
    const onDisk = new Map<number, Ballot>()
    let promised = ZERO_BALLOT
    for (const record of node.disk.durable()) {
      if (record.type === 'promise' || record.type === 'accept') {
        promised = maxBallot(promised, record.ballot)
      }
      if (record.type === 'accept') onDisk.set(record.slot, record.ballot)
      if (record.type === 'learn') onDisk.set(record.slot, acceptor.promised)
    }
    this.check(node, compareBallots(promised, acceptor.toldPromise) >= 0, 'a told promise is kept')
    const applied = node.store.applied()
    for (const [slot, ballot] of acceptor.toldAccepted) {
      if (slot <= applied) continue
      const held = onDisk.get(slot)
      const isKept = held !== undefined && compareBallots(held, ballot) >= 0
      this.check(node, isKept, `a told accept of slot ${slot} is kept`)
    }
  }

  /**
   * I13: what a crash now would surely leave is enough to come to the state that the group had
   * there. Costs as much as a start: to be asked now and then.
   */
  checkRebuilt(node: AnyNode): void {
    this.checkDisk(node)
    const store = node.rebuild()
    const slot = store.applied()
    const known = this.group(node.address.gid).states.get(slot)
    if (known === undefined) return
    this.world.count('rebuilt from disk')
    this.check(node, known === store.hash, `I13: the disk gives the state of slot ${slot}`)
  }

  /** I11. */
  checkBounds(node: AnyNode, settings: Settings): void {
    const status = node.status()
    // Whoever started just now holds all that its store was not durable for, until it knows more.
    if (status === null || !status.isReady) return
    const { log, slots } = status
    const { retainedSlots, pipelineSlots, candidateLag } = settings
    const bound = 2 * retainedSlots + pipelineSlots + candidateLag + 1
    const decided = slots.decided - slots.first + 1
    const open = Math.max(log.entries - decided, log.inFlight)
    const openMax = bound + this.group(node.address.gid).takenOver
    this.check(node, decided <= bound, `I11: the log has ${decided} decided entries`)
    this.check(node, open <= openMax, `I11: ${open} slots are open`)
  }

  /** S5: what was durable before the last write is not given up in silence. */
  checkDamaged(node: AnyNode): void {
    this.check(node, node.isBroken, 'S5: a damaged log is refused')
  }

  /** It may have held back what it found: a first part of a write that nobody was told of. */
  onRecovered(node: AnyNode, records: readonly LogRecord[]): void {
    const acceptor = this.acceptor(node)
    for (const record of records) {
      if (record.type === 'promise' || record.type === 'accept') {
        acceptor.promised = maxBallot(acceptor.promised, record.ballot)
      }
      if (record.type !== 'accept') continue
      acceptor.accepted.set(record.slot, record.ballot)
      this.vote(node, record)
    }
    if (records.length > 0) this.world.count('disk: untold records found')
  }

  onWiped(node: AnyNode): void {
    this.acceptors.delete(node.place)
  }

  onCrash(node: AnyNode): void {
    this.world.count(node.status()?.role === 'leader' ? 'crash: leader' : 'crash: follower')
  }

  onDurable(node: AnyNode, records: readonly LogRecord[]): void {
    const acceptor = this.acceptor(node)
    for (const record of records) {
      switch (record.type) {
        case 'promise':
          this.check(node, isAtLeast(record.ballot, acceptor.promised), 'I3: a promise never falls')
          acceptor.promised = record.ballot
          break
        case 'accept':
          this.check(node, isAtLeast(record.ballot, acceptor.promised), 'I3: accepted ≥ promised')
          acceptor.promised = record.ballot
          acceptor.accepted.set(record.slot, record.ballot)
          this.vote(node, record)
          break
        case 'learn':
          this.checkLearned(node, record.slot, fnv1aBytes(record.value))
          break
        case 'formed':
          this.checkFormation(node, record.formation.id)
          break
        case 'installed':
          break
      }
    }
  }

  /** I14: what is said rests on what is durable. */
  onSend(node: AnyNode, message: Message): void {
    const acceptor = this.acceptor(node)
    this.world.note(message.type.length)
    if (message.type === 'promise' || message.type === 'accepted') {
      this.check(node, !node.isStranger, 'C1: an emptied disk has no vote')
    }
    switch (message.type) {
      case 'promise':
        this.check(node, isAtLeast(acceptor.promised, message.ballot), 'I14: promise is durable')
        acceptor.toldPromise = maxBallot(acceptor.toldPromise, message.ballot)
        return
      case 'prepare':
        this.check(node, isAtLeast(acceptor.promised, message.ballot), 'P4: ballot is durable')
        acceptor.toldPromise = maxBallot(acceptor.toldPromise, message.ballot)
        return
      case 'accepted':
        return this.checkAccepted(node, acceptor, message.slot, message.ballot)
      case 'accept':
        return this.checkProposed(node, acceptor, message)
      default:
        return
    }
  }

  onEvent(node: AnyNode, event: Event): void {
    this.world.count(nameOf(event))
    if (event.type === 'applied') {
      this.acceptor(node).hasApplied = true
      for (let slot = event.from; slot <= event.to; slot++) {
        this.check(node, this.isChosen(node, slot), `P7: applied slot ${slot} is chosen`)
      }
    }
    if (event.type === 'electionWon') this.noteTakenOver(node, event.inherited + event.noops + 1)
    if (event.type === 'slotDecided') {
      this.check(node, this.isChosen(node, event.slot), `decided slot ${event.slot} is chosen`)
    }
    if (event.type === 'caughtUp' && event.source === 'snapshot') {
      this.acceptor(node).hasApplied = true
    }
  }

  /** I4: replicas that applied the same slots have the same state. */
  onStep(node: AnyNode): void {
    const acceptor = this.acceptor(node)
    if (!acceptor.hasApplied) return
    acceptor.hasApplied = false
    const { states } = this.group(node.address.gid)
    const slot = node.store.applied()
    const known = states.get(slot)
    if (known === undefined) states.set(slot, node.store.hash)
    else this.check(node, known === node.store.hash, `I4: one state after slot ${slot}`)
  }

  private noteTakenOver(node: AnyNode, slots: number): void {
    const group = this.group(node.address.gid)
    group.takenOver = Math.max(group.takenOver, slots)
  }

  private checkFormation(node: AnyNode, formation: string): void {
    const group = this.group(node.address.gid)
    group.formation ??= formation
    this.check(node, group.formation === formation, 'I2: a group has the same voters for ever')
  }

  private vote(node: AnyNode, record: Extract<LogRecord, { type: 'accept' }>): void {
    const group = this.group(node.address.gid)
    const slot = record.slot
    const history = group.slots.get(slot) ?? { votes: new Map<string, Votes>(), chosen: null }
    group.slots.set(slot, history)
    const { ballot } = record
    const hash = fnv1aBytes(record.value)
    const key = keyOf(ballot)
    const votes = history.votes.get(key) ?? { ballot, hash, voters: new Set<number>() }
    history.votes.set(key, votes)
    this.check(node, votes.hash === hash, `one value per ballot in slot ${slot}`)
    // What somebody without a vote accepts decides nothing.
    if (!node.isStranger) votes.voters.add(node.address.replica)
    if (history.chosen !== null) {
      const isSafe = votes.hash === history.chosen.hash || isAtLeast(history.chosen.ballot, ballot)
      this.check(node, isSafe, `I1: slot ${slot} holds what was chosen, under later ballots too`)
    } else if (votes.voters.size * 2 > group.size) {
      history.chosen = votes
      for (const other of history.votes.values()) {
        const isSafe = other.hash === hash || isAtLeast(ballot, other.ballot)
        this.check(node, isSafe, `I1: no later ballot has another value in slot ${slot}`)
      }
    }
  }

  private checkAccepted(node: AnyNode, acceptor: Acceptor, slot: number, ballot: Ballot): void {
    const held = acceptor.accepted.get(slot)
    if (held !== undefined && isAtLeast(held, ballot)) {
      acceptor.toldAccepted.set(slot, ballot)
      return
    }
    const isHarmless = this.isChosen(node, slot) && isAtLeast(acceptor.promised, ballot)
    this.check(node, isHarmless, `I14: accepted ${formatBallot(ballot)} in ${slot} is durable`)
  }

  private checkProposed(
    node: AnyNode,
    acceptor: Acceptor,
    message: Extract<Message, { type: 'accept' }>,
  ): void {
    const { ballot, slot, value } = message
    this.check(node, isAtLeast(acceptor.promised, ballot), 'P4: a leader proposes what it promised')
    const group = this.group(node.address.gid)
    const key = `${slot} ${keyOf(ballot)}`
    const hash = fnv1aBytes(value)
    const known = group.proposals.get(key)
    if (known === undefined) {
      group.proposals.set(key, hash)
      this.countInherited(group.slots.get(slot), ballot, hash)
    } else this.check(node, known === hash, `P4: a ballot proposes one value in slot ${slot}`)
  }

  /** What a leader proposes where an earlier one did: the turns on which Paxos stands. */
  private countInherited(history: SlotHistory | undefined, ballot: Ballot, hash: number): void {
    if (history === undefined) return
    const { world } = this
    const values = new Set<number>()
    for (const votes of history.votes.values()) {
      if (compareBallots(votes.ballot, ballot) < 0) values.add(votes.hash)
    }
    if (values.size === 0) return
    if (values.size > 1) world.count('inherited: one of several open values')
    if (history.chosen !== null) world.count('inherited: a chosen value, proposed again')
    else if (values.has(hash)) world.count('inherited: a value not yet chosen')
    else world.count('inherited: an open value that the quorum did not see')
  }

  private checkLearned(node: AnyNode, slot: number, hash: number): void {
    const chosen = this.group(node.address.gid).slots.get(slot)?.chosen ?? null
    this.check(node, chosen?.hash === hash, `I1: learned slot ${slot} is what was chosen`)
  }

  private isChosen(node: AnyNode, slot: number): boolean {
    return (this.group(node.address.gid).slots.get(slot)?.chosen ?? null) !== null
  }

  private check(node: AnyNode, condition: boolean, claim: string): void {
    if (!condition) throw new Violation(`${claim} (replica ${node.name}, ${this.world.now} µs)`)
  }

  private group(gid: number): GroupHistory {
    const group = this.groups.get(gid)
    if (group === undefined) throw new Error(`no group ${gid}`)
    return group
  }

  private acceptor(node: AnyNode): Acceptor {
    const known = this.acceptors.get(node.place)
    if (known !== undefined) return known
    const fresh: Acceptor = {
      promised: ZERO_BALLOT,
      accepted: new Map(),
      toldPromise: ZERO_BALLOT,
      toldAccepted: new Map(),
      hasApplied: false,
    }
    this.acceptors.set(node.place, fresh)
    return fresh
  }
}

function noHistory(): Omit<GroupHistory, 'size'> {
  return {
    formation: null,
    slots: new Map(),
    states: new Map(),
    proposals: new Map(),
    takenOver: 0,
  }
}

function isAtLeast(a: Ballot, b: Ballot): boolean {
  return compareBallots(a, b) >= 0
}

function maxBallot(a: Ballot, b: Ballot): Ballot {
  return compareBallots(a, b) >= 0 ? a : b
}

function keyOf(ballot: Ballot): string {
  return `${ballot.round}.${ballot.replica}.${ballot.incarnation}`
}

/** Event types, told apart where a "sometimes" depends on more than the type. */
function nameOf(event: Event): string {
  switch (event.type) {
    case 'electionWon':
      return event.inherited > 0 ? 'electionWon: inherited values' : 'electionWon'
    case 'electionLost':
    case 'steppedDown':
    case 'refused':
      return `${event.type}: ${event.reason}`
    case 'caughtUp':
      return `caughtUp: ${event.source}`
    default:
      return event.type
  }
}
