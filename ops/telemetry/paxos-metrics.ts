// What a replica's Paxos events come to. On the path of every instance: arrays, and no object.

import { unreachable } from '../../server/assert.ts'
import type { PaxosEvent } from '../../server/paxos/event.ts'
import { LATENCY_SECONDS, MarkedTally, ROUND_TRIP_SECONDS, Tally } from '../../server/tally.ts'
import { COUNT, LONG, SIZE } from './metric-family.ts'
import { NamedCounts } from './named-counts.ts'

type Of<Type extends PaxosEvent['type']> = Extract<PaxosEvent, { type: Type }>

const FREQUENT = [
  'applied',
  'acceptAnswered',
  'slotDecided',
  'acceptedLate',
  'readsConfirmed',
] as const

const SECOND = 1e6
/** Slots for which late answers are still placed: more than are ever open at once. */
const RECENT_SLOTS = 64

/** One tally per replica of the group, made when it first answers. */
export class PeerTallies {
  private readonly tallies: Tally[] = []

  add(replica: number, seconds: number): void {
    let tally = this.tallies[replica]
    if (tally === undefined) {
      tally = new Tally(ROUND_TRIP_SECONDS)
      this.tallies[replica] = tally
    }
    tally.add(seconds)
  }

  *entries(): Iterable<readonly [number, Tally]> {
    for (const [replica, tally] of this.tallies.entries()) {
      if (tally !== undefined) yield [replica, tally]
    }
  }
}

export class PaxosMetrics {
  /** `origin outcome` */
  readonly instances = new NamedCounts()
  /** Marked with the slot. */
  readonly ownInstances = new MarkedTally(LATENCY_SECONDS)
  readonly settledInstances = new MarkedTally(LATENCY_SECONDS)
  readonly queuePhase = new Tally(LATENCY_SECONDS)
  readonly applyPhase = new Tally(LATENCY_SECONDS)
  readonly batchCommands = new Tally(COUNT)
  readonly batchBytes = new Tally(SIZE)
  readonly peerAnswers = new PeerTallies()
  readonly peerDurable = new PeerTallies()
  readonly acceptorAnswers = new Tally(ROUND_TRIP_SECONDS)
  readonly rejections = new NamedCounts()
  /** `phase reason` */
  readonly refusals = new NamedCounts()
  readonly stepDowns = new NamedCounts()
  readonly elections = new NamedCounts()
  readonly electionDurations = new Tally(LONG)
  readonly catchUps = new NamedCounts()
  readonly catchUpSlots = new NamedCounts()
  readonly catchUpDurations = new Tally(LONG)
  readonly snapshots = new NamedCounts()
  readonly snapshotBytes = new NamedCounts()
  readonly snapshotDurations = { sent: new Tally(LONG), installed: new Tally(LONG) } as const
  readonly reads = { quorum: 0, lease: 0 }
  readonly readWaits = { quorum: new Tally(LATENCY_SECONDS), lease: new Tally(LATENCY_SECONDS) }
  resends = 0
  suspicions = 0
  leaderChanges = 0
  trimmedBelow = 0
  /** µs from its making, which is that of the process; 0 before it was ready. */
  readyAfter = 0
  private readonly startedAt: number
  private readonly nowMicros: () => number
  /** Proposed here lately, by slot modulo their number. */
  private readonly recentSlots = new Float64Array(RECENT_SLOTS)
  private readonly recentProposedAt = new Float64Array(RECENT_SLOTS)
  /** Decided here and not applied yet, in order. */
  private unapplied: { readonly slot: number; readonly decidedAt: number }[] = []

  constructor(nowMicros: () => number) {
    this.nowMicros = nowMicros
    this.startedAt = nowMicros()
  }

  /** The most frequent first. */
  on(event: PaxosEvent, micros: number): void {
    switch (event.type) {
      case 'applied':
        return this.onApplied(event)
      case 'acceptAnswered':
        return this.onAcceptAnswered(event)
      case 'slotDecided':
        return this.onDecided(event)
      case 'acceptedLate':
        return this.onAcceptedLate(event)
      case 'readsConfirmed':
        return this.onReadsConfirmed(event)
      default:
        return this.onRare(event, micros)
    }
  }

  private onRare(
    event: Exclude<PaxosEvent, { type: (typeof FREQUENT)[number] }>,
    micros: number,
  ): void {
    switch (event.type) {
      case 'slotAbandoned':
        return this.instances.add(`${event.origin} abandoned`)
      case 'resent':
        this.resends += 1
        return
      case 'rejected':
        return this.rejections.add(event.phase)
      case 'refused':
        return this.refusals.add(`${event.phase} ${event.reason}`)
      case 'suspected':
        this.suspicions += 1
        return
      case 'electionWon':
        return this.onElectionWon(event, micros)
      case 'electionLost':
        return this.elections.add(event.reason === 'timeout' ? 'timeout' : 'lost')
      case 'leaderChanged':
        if (event.leader !== null) this.leaderChanges += 1
        return
      case 'steppedDown':
        return this.stepDowns.add(event.reason)
      case 'ready':
        this.readyAfter = this.nowMicros() - this.startedAt
        return
      case 'caughtUp':
        return this.onCaughtUp(event, micros)
      case 'snapshotSent':
        return this.onSnapshot('sent', event, micros)
      case 'snapshotInstalled':
        return this.onSnapshot('installed', event, micros)
      case 'trimmed':
        this.trimmedBelow = event.below
        return
      case 'recovered': // only spans tell it; the replica's status has the formation, …
      case 'formed':
      case 'electionStarted': // … and `elections` how each one ended
        return
      default:
        return unreachable(event)
    }
  }

  private onDecided(event: Of<'slotDecided'>): void {
    const { slot, origin, commands, bytes, queuedAt, proposedAt, decidedAt, acceptors } = event
    this.instances.add(`${origin} ${event.isLearned ? 'learned' : 'decided'}`)
    const seconds = (decidedAt - proposedAt) / SECOND
    const tally = origin === 'own' ? this.ownInstances : this.settledInstances
    tally.addMarked(seconds, slot, Date.now())
    if (queuedAt > 0) this.queuePhase.add((proposedAt - queuedAt) / SECOND)
    if (origin !== 'noop') {
      this.batchCommands.add(commands)
      this.batchBytes.add(bytes)
    }
    for (const { replica, at, durableMicros } of acceptors) {
      this.peerAnswers.add(replica, (at - proposedAt) / SECOND)
      this.peerDurable.add(replica, durableMicros / SECOND)
    }
    const place = slot % RECENT_SLOTS
    this.recentSlots[place] = slot
    this.recentProposedAt[place] = proposedAt
    this.unapplied.push({ slot, decidedAt })
  }

  private onAcceptedLate({ slot, timing }: Of<'acceptedLate'>): void {
    const place = slot % RECENT_SLOTS
    if (this.recentSlots[place] !== slot) return
    const seconds = (timing.at - (this.recentProposedAt[place] ?? timing.at)) / SECOND
    this.peerAnswers.add(timing.replica, seconds)
    this.peerDurable.add(timing.replica, timing.durableMicros / SECOND)
  }

  private onAcceptAnswered({ answeredMicros }: Of<'acceptAnswered'>): void {
    this.acceptorAnswers.add(answeredMicros / SECOND)
  }

  /** The step is over: its answers to clients have left, too. */
  private onApplied({ to }: Of<'applied'>): void {
    const { unapplied } = this
    const count = unapplied.findIndex(({ slot }) => slot > to)
    const applied = count < 0 ? unapplied.length : count
    if (applied === 0) return
    const now = this.nowMicros()
    for (const { decidedAt } of unapplied.splice(0, applied)) {
      this.applyPhase.add((now - decidedAt) / SECOND)
    }
  }

  private onReadsConfirmed({ count, waitMicros, path }: Of<'readsConfirmed'>): void {
    this.reads[path] += count
    this.readWaits[path].add(waitMicros / SECOND)
  }

  private onElectionWon({ startedAt }: Of<'electionWon'>, micros: number): void {
    this.elections.add('won')
    this.electionDurations.add((micros - startedAt) / SECOND)
  }

  private onCaughtUp(
    { from, to, source, behindSince, isLevel }: Of<'caughtUp'>,
    micros: number,
  ): void {
    this.catchUps.add(source)
    this.catchUpSlots.add(source, to - from + 1)
    if (isLevel) this.catchUpDurations.add((micros - behindSince) / SECOND)
  }

  private onSnapshot(
    op: 'sent' | 'installed',
    { bytes, startedAt }: Of<'snapshotSent' | 'snapshotInstalled'>,
    micros: number,
  ): void {
    this.snapshots.add(op)
    this.snapshotBytes.add(op, bytes)
    this.snapshotDurations[op].add((micros - startedAt) / SECOND)
  }
}
