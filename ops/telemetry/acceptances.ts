// An acceptor's own spans: of instances that it refused or was slow in, and of all while somebody wants
// to look deeper. Otherwise its timings ride in its answers, and the leader's span has them.

import { type Ballot, formatBallot } from '../../server/paxos/ballot.ts'
import type { PaxosEvent } from '../../server/paxos/event.ts'
import { ATTR, EVENT, instanceIds, SPAN, spanIdOf } from '../trace/span-model.ts'
import { type Attributes, made, type SpanEvent } from './span.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends PaxosEvent['type']> = Extract<PaxosEvent, { type: T }>

/** From receipt to answer; a disk that works takes a few ms. */
const SLOW_MICROS = 50_000

export class Acceptances {
  /** Until then, monotonic µs, every answer is a span. */
  deepUntil = Number.NEGATIVE_INFINITY
  private readonly context: SpanContext

  constructor(context: SpanContext) {
    this.context = context
  }

  onAnswered(event: Of<'acceptAnswered'>): void {
    const { slot, ballot, receivedAt, durableMicros, answeredMicros } = event
    if (answeredMicros < SLOW_MICROS && this.context.now >= this.deepUntil) return
    const { time } = this.context
    const attributes = { [ATTR.durable]: durableMicros, [ATTR.answered]: answeredMicros }
    const events = [{ name: EVENT.accepted, at: time.of(receivedAt + answeredMicros), attributes }]
    const outcome = { [ATTR.outcome]: 'ok', ...attributes }
    this.tell({ slot, ballot, start: time.of(receivedAt), events, outcome })
  }

  onRefused({ phase, slot, ballot, promised, reason }: Of<'refused'>): void {
    if (phase !== 'accept') return
    const at = this.context.time.of(this.context.now)
    const outcome = { [ATTR.outcome]: reason, [ATTR.promised]: formatBallot(promised) }
    this.tell({
      slot,
      ballot,
      start: at,
      events: [{ name: EVENT.refused, at, attributes: {} }],
      outcome,
    })
  }

  /** `acceptor`: not this replica, but one of whose answer this leader tells. */
  tell(told: {
    readonly slot: number
    readonly acceptor?: number
    readonly ballot: Ballot
    readonly start: number
    readonly events: readonly SpanEvent[]
    readonly outcome: Attributes
  }): void {
    const { context } = this
    const { slot, start, events, acceptor = context.replica } = told
    const ballot = formatBallot(told.ballot)
    const { traceId, spanId: parentSpanId } = instanceIds(context.log, slot, ballot)
    const own = { [ATTR.slot]: slot, [ATTR.ballot]: ballot, [ATTR.acceptor]: acceptor }
    context.spans(
      made({
        name: SPAN.accept,
        kind: 'server',
        traceId,
        spanId: spanIdOf(`accept/${traceId}/${ballot}/${context.author}/${acceptor}/${start}`),
        parentSpanId,
        start,
        end: events.at(-1)?.at ?? start,
        status: told.outcome[ATTR.outcome] === 'ok' ? 'ok' : 'unset',
        attributes: { ...own, ...told.outcome },
        events,
        links: [],
      }),
    )
  }
}
