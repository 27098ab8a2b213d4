// One proposed slot, from the leader's point of view: kept as the core told it, and made a span of only
// when it is exported or asked for. Times are µs of the core's clock until then.

import { formatBallot } from '../../server/paxos/ballot.ts'
import type { AcceptorTiming, PromiseTiming, ProposalFacts } from '../../server/paxos/event.ts'
import { ATTR, EVENT, instanceIds, type LogName, SPAN, type TraceIds } from '../trace/span-model.ts'
import type { AttributeValue, Span, SpanEvent, SpanSource } from './span.ts'

/** Phase 1, for what a new leader inherited. */
export type Phase1 = {
  readonly preparedAt: number
  readonly promises: readonly PromiseTiming[]
}

/** Why a proposal's outcome was not seen here. */
export type Abandoned = { readonly reason: string; readonly refusedBy: number | null }

export type GroupFacts = {
  readonly log: LogName
  readonly quorum: number
  readonly members: number
  /** From the core's µs to µs since 1970. */
  readonly offset: number
}

/** What is slower than this is not ordinary, µs. */
const SLOW_MICROS = 50_000

export class InstanceRecord implements SpanSource {
  readonly name = SPAN.instance
  readonly facts: ProposalFacts
  readonly group: GroupFacts
  readonly phase1: Phase1 | null
  readonly abandoned: Abandoned | null
  /** 0: not decided as far as this replica saw. */
  readonly decidedAt: number
  readonly isLearned: boolean
  /** When this record was made. */
  readonly toldAt: number
  appliedAt = 0
  /** It was handed on: what comes later is not in the span. */
  isClosed = false
  private late: AcceptorTiming[] | null = null

  constructor(options: {
    readonly facts: ProposalFacts
    readonly group: GroupFacts
    readonly phase1: Phase1 | null
    readonly abandoned: Abandoned | null
    readonly decidedAt: number
    readonly isLearned: boolean
    readonly toldAt: number
  }) {
    this.facts = options.facts
    this.group = options.group
    this.phase1 = options.phase1
    this.abandoned = options.abandoned
    this.decidedAt = options.decidedAt
    this.isLearned = options.isLearned
    this.toldAt = options.toldAt
  }

  get slot(): number {
    return this.facts.slot
  }

  /** False: a repeated answer, which changes nothing. */
  addLate(timing: AcceptorTiming): boolean {
    if (this.facts.acceptors.some(({ replica }) => replica === timing.replica)) return false
    if (this.late?.some(({ replica }) => replica === timing.replica)) return false
    this.late ??= []
    this.late.push(timing)
    return true
  }

  /** Nothing more can come: every member answered, and it was applied. */
  get isComplete(): boolean {
    const answers = this.facts.acceptors.length + (this.late?.length ?? 0)
    return this.appliedAt !== 0 && answers >= this.group.members
  }

  get isOrdinary(): boolean {
    const { origin, resends, proposedAt } = this.facts
    if (this.abandoned !== null || this.isLearned) return false
    if (origin === 'inherited' || resends.length > 0) return false
    return this.decidedAt - proposedAt < SLOW_MICROS
  }

  get ids(): TraceIds {
    return instanceIds(this.group.log, this.facts.slot, formatBallot(this.facts.ballot))
  }

  span(isThin: boolean): Span {
    const { facts, abandoned } = this
    const ballot = formatBallot(facts.ballot)
    const events = this.events()
    const attributes = this.attributes(ballot)
    if (isThin) this.addGist(attributes)
    return {
      ...this.ids,
      name: this.name,
      kind: 'internal',
      parentSpanId: null,
      start: this.start,
      end: Math.max(this.start, events.at(-1)?.at ?? this.start),
      status: abandoned === null ? 'ok' : 'unset',
      attributes,
      events: isThin ? [] : events,
      links: [],
    }
  }

  /** µs since 1970. */
  get start(): number {
    const { queuedAt, proposedAt } = this.facts
    const phase1At = this.phase1?.preparedAt ?? proposedAt
    const first = Math.min(proposedAt, phase1At, queuedAt === 0 ? proposedAt : queuedAt)
    return this.wall(first)
  }

  private attributes(ballot: string): Record<string, AttributeValue> {
    const { facts, group, abandoned } = this
    const attributes: Record<string, AttributeValue> = {
      [ATTR.slot]: facts.slot,
      [ATTR.ballot]: ballot,
      [ATTR.origin]: facts.origin,
      [ATTR.path]: this.phase1 === null ? 'accept_only' : 'full',
      [ATTR.commands]: facts.commands,
      [ATTR.bytes]: facts.bytes,
      [ATTR.quorum]: group.quorum,
      [ATTR.members]: group.members,
      [ATTR.outcome]: abandoned === null ? 'ok' : abandoned.reason,
    }
    if (this.isLearned) attributes[ATTR.reason] = 'learned'
    return attributes
  }

  private answers(): readonly AcceptorTiming[] {
    const { acceptors } = this.facts
    return this.late === null ? acceptors : [...acceptors, ...this.late]
  }

  private events(): SpanEvent[] {
    const { facts, phase1, group } = this
    const events: SpanEvent[] = []
    const add = (name: string, at: number, attributes: SpanEvent['attributes'] = NONE): void => {
      events.push({ name, at: this.wall(at), attributes })
    }
    if (facts.queuedAt !== 0) add(EVENT.queued, facts.queuedAt)
    if (phase1 !== null) {
      add(EVENT.prepare, phase1.preparedAt)
      for (const { replica, at, accepted } of phase1.promises) {
        add(EVENT.promise, at, { [ATTR.acceptor]: replica, [ATTR.entries]: accepted })
      }
    }
    add(EVENT.proposed, facts.proposedAt)
    for (const { to, at } of facts.resends) add(EVENT.resent, at, { [ATTR.acceptor]: to })
    for (const [place, answer] of this.answers().entries()) {
      add(EVENT.accepted, answer.at, {
        [ATTR.acceptor]: answer.replica,
        [ATTR.durable]: answer.durableMicros,
        [ATTR.answered]: answer.answeredMicros,
        [ATTR.isQuorum]: place + 1 === group.quorum,
      })
    }
    if (this.decidedAt !== 0) add(EVENT.decided, this.decidedAt)
    if (this.appliedAt !== 0) add(EVENT.applied, this.appliedAt)
    this.addEnd(add)
    return events.sort(byTime)
  }

  private addEnd(
    add: (name: string, at: number, attributes?: SpanEvent['attributes']) => void,
  ): void {
    const { abandoned } = this
    if (abandoned === null) return
    const { reason, refusedBy } = abandoned
    const attributes = { [ATTR.reason]: reason }
    if (refusedBy === null) add(EVENT.abandoned, this.toldAt, attributes)
    else add(EVENT.refused, this.toldAt, { ...attributes, [ATTR.acceptor]: refusedBy })
  }

  /** What the events would have said, in as little as can be. */
  private addGist(attributes: Record<string, AttributeValue>): void {
    const { facts, decidedAt, appliedAt, start } = this
    const after = (at: number): number => this.wall(at) - start
    attributes[ATTR.acceptors] = this.answers()
      .map(({ replica, at, durableMicros, answeredMicros }) => {
        return `${replica}:${after(at)}/${durableMicros}/${answeredMicros}`
      })
      .join(',')
    attributes[ATTR.proposedAfter] = after(facts.proposedAt)
    if (decidedAt !== 0) attributes[ATTR.decidedAfter] = after(decidedAt)
    if (appliedAt !== 0) attributes[ATTR.appliedAfter] = after(appliedAt)
  }

  private wall(micros: number): number {
    return Math.round(micros + this.group.offset)
  }
}

const NONE = {}

function byTime(a: SpanEvent, b: SpanEvent): number {
  return a.at - b.at
}
