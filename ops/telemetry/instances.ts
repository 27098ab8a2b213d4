// The leader's instances. Each stays open after its decision until every member answered and it was
// applied, or for a bound: then it goes to the exporters. The last ones are kept besides, for a look at
// a node whose archive is away. Slots come in order, so a ring finds them without a map.

import { compareBallots } from '../../server/paxos/ballot.ts'
import type { AcceptorTiming, PaxosEvent, ProposalFacts } from '../../server/paxos/event.ts'
import { ATTR, EVENT } from '../trace/span-model.ts'
import type { Acceptances } from './acceptances.ts'
import { type Abandoned, type GroupFacts, InstanceRecord, type Phase1 } from './instance-record.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends PaxosEvent['type']> = Extract<PaxosEvent, { type: T }>

/** A follower that has not answered by then is down, or as good as. */
const OPEN_MICROS_MAX = 500_000
/** A power of two. */
const RING_SLOTS = 1024
/** So many closed ones are forgotten at once. */
const PLACES_LEFT = 256

export class Instances {
  private readonly context: SpanContext
  private readonly acceptances: Acceptances
  /** Slot modulo its length → the newest record of a slot there. */
  private readonly ring: (InstanceRecord | null)[] = new Array(RING_SLOTS).fill(null)
  /** Not closed yet, oldest first, from `first` on. */
  private open: InstanceRecord[] = []
  private first = 0
  private newest = 0
  private group: GroupFacts | null = null
  private won: Of<'electionWon'> | null = null
  private rejected: Of<'rejected'> | null = null
  private timer: NodeJS.Timeout | null = null

  constructor(context: SpanContext, acceptances: Acceptances) {
    this.context = context
    this.acceptances = acceptances
  }

  onWon(event: Of<'electionWon'>): void {
    this.won = event
  }

  onRejected(event: Of<'rejected'>): void {
    if (event.phase === 'accept') this.rejected = event
  }

  onDecided(event: Of<'slotDecided'>): void {
    const { decidedAt, isLearned } = event
    this.add(event, { decidedAt, isLearned, abandoned: null })
  }

  onAbandoned(event: Of<'slotAbandoned'>): void {
    const { rejected } = this
    const isRefused = rejected !== null && rejected.slot === event.slot
    const refusedBy = isRefused ? rejected.by : null
    const abandoned = { reason: event.reason, refusedBy }
    this.close(this.add(event, { decidedAt: 0, isLearned: false, abandoned }))
  }

  onLate({ slot, ballot, timing }: Of<'acceptedLate'>): void {
    const record = this.ring[slot & (RING_SLOTS - 1)]
    if (record === null || record === undefined || record.slot !== slot) return
    if (compareBallots(record.facts.ballot, ballot) !== 0 || !record.addLate(timing)) return
    if (record.isClosed) this.onAnswerTo(record, timing)
    else if (record.isComplete) this.close(record)
  }

  /** Most replicas follow, and have nothing open. */
  onApplied({ from, to }: Of<'applied'>): void {
    if (this.first === this.open.length) return
    for (let slot = Math.max(from, to - RING_SLOTS + 1); slot <= to; slot++) {
      const record = this.of(slot)
      if (record === null || record.isClosed || record.appliedAt !== 0) continue
      record.appliedAt = this.context.now
      if (record.isComplete) this.close(record)
    }
  }

  /** Closes what was told before this time, in µs; forgets what is closed. */
  sweep(before: number): void {
    for (; this.first < this.open.length; this.first++) {
      const record = this.open[this.first]
      if (record === undefined || record.isClosed) continue
      if (record.toldAt >= before) break
      this.close(record)
    }
    if (this.first < PLACES_LEFT && this.first < this.open.length) return
    this.open = this.open.slice(this.first)
    this.first = 0
  }

  /** After the events of a step. */
  settle(): void {
    if (this.first < this.open.length) this.sweep(this.context.now - OPEN_MICROS_MAX)
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.sweep(Number.POSITIVE_INFINITY)
  }

  /** The newest `limit` that are kept, newest slot first. */
  newestFirst(limit: number): readonly InstanceRecord[] {
    const found: InstanceRecord[] = []
    for (let slot = this.newest; slot > 0 && slot > this.newest - RING_SLOTS; slot--) {
      if (found.length >= limit) break
      const record = this.of(slot)
      if (record !== null) found.push(record)
    }
    return found
  }

  of(slot: number): InstanceRecord | null {
    const record = this.ring[slot & (RING_SLOTS - 1)] ?? null
    return record?.slot === slot ? record : null
  }

  private add(
    facts: ProposalFacts,
    outcome: {
      readonly decidedAt: number
      readonly isLearned: boolean
      readonly abandoned: Abandoned | null
    },
  ): InstanceRecord {
    const { context } = this
    const toldAt = context.now
    const phase1 = this.phase1Of(facts)
    const record = new InstanceRecord({
      facts,
      group: this.groupFacts(),
      phase1,
      toldAt,
      ...outcome,
    })
    this.ring[facts.slot & (RING_SLOTS - 1)] = record
    this.newest = Math.max(this.newest, facts.slot)
    if (this.first === this.open.length) this.arm()
    this.open.push(record)
    return record
  }

  /** Shared by all instances for as long as nothing in it changes. */
  private groupFacts(): GroupFacts {
    const { log, quorum, members, time } = this.context
    const { group } = this
    if (group !== null && group.log === log && group.offset === time.offset) return group
    this.group = { log, quorum, members, offset: time.offset }
    return this.group
  }

  /** Only what was proposed in its election went through phase 1 for itself. */
  private phase1Of({ slot, ballot, origin }: ProposalFacts): Phase1 | null {
    const { won } = this
    if (origin === 'own' || won === null || slot >= won.barrier) return null
    return compareBallots(won.ballot, ballot) === 0 ? won : null
  }

  /** An acceptor that was away answers what was proposed meanwhile: the instance's span has left. */
  private onAnswerTo({ facts }: InstanceRecord, timing: AcceptorTiming): void {
    const { time } = this.context
    const { slot, ballot, proposedAt } = facts
    const { replica: acceptor, at, durableMicros, answeredMicros } = timing
    this.acceptances.tell({
      slot,
      ballot,
      acceptor,
      start: time.of(proposedAt),
      events: [{ name: EVENT.accepted, at: time.of(at), attributes: {} }],
      outcome: {
        [ATTR.outcome]: 'late',
        [ATTR.durable]: durableMicros,
        [ATTR.answered]: answeredMicros,
      },
    })
  }

  private close(record: InstanceRecord): void {
    if (record.isClosed) return
    record.isClosed = true
    this.context.spans(record)
  }

  /** One timer while something is open; an idle replica is not woken. */
  private arm(): void {
    if (this.timer !== null) return
    this.timer = setTimeout(() => {
      this.timer = null
      this.sweep(this.context.clock() - OPEN_MICROS_MAX)
      if (this.first < this.open.length) this.arm()
    }, OPEN_MICROS_MAX / 1000)
    this.timer.unref()
  }
}
