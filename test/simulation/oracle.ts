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
import type { AnyNode, Watcher } from './node.ts'
import { Violation, type World } from './world.ts'

type Votes = { readonly ballot: Ballot; readonly hash: number; readonly voters: Set<number> }

type SlotHistory = {
  readonly votes: Map<string, Votes>
  chosen: Votes | null
}

type GroupHistory = {
  readonly size: number
  readonly slots: Map<number, SlotHistory>
  /** slot → hash of the whole state after it. */
  readonly states: Map<number, number>
  /** slot and ballot → hash of what the ballot's leader proposed. */
  readonly proposals: Map<string, number>
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
      this.groups.set(gid, { size, slots: new Map(), states: new Map(), proposals: new Map() })
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

  /** I13: what is on disk must account for everything that this replica ever told others. */
  onStart(node: AnyNode): void {
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
          break
      }
    }
  }

  /** I14: what is said rests on what is durable. */
  onSend(node: AnyNode, message: Message): void {
    const acceptor = this.acceptor(node)
    this.world.note(message.type.length)
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
    votes.voters.add(node.address.replica)
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
    const { proposals } = this.group(node.address.gid)
    const key = `${slot} ${keyOf(ballot)}`
    const hash = fnv1aBytes(value)
    const known = proposals.get(key)
    if (known === undefined) proposals.set(key, hash)
    else this.check(node, known === hash, `P4: a ballot proposes one value in slot ${slot}`)
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
      if (event.inherited > 0) return 'electionWon: inherited values'
      return event.noops > 0 ? 'electionWon: filled gaps' : 'electionWon'
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
