// Elections and leaders. The trace of an election is computed from its ballot, so the time of the leader
// that it made is in it too, and every candidate has one of its own.

import { type Ballot, formatBallot } from '../../server/paxos/ballot.ts'
import type { PaxosEvent, PromiseTiming } from '../../server/paxos/event.ts'
import { ATTR, EVENT, electionTraceId, SPAN, spanIdOf } from '../trace/span-model.ts'
import { type AttributeValue, made, type SpanEvent } from './span.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends PaxosEvent['type']> = Extract<PaxosEvent, { type: T }>
type Ended = Of<'electionWon'> | Of<'electionLost'>

/** A replica that is cut off tries for ever: of its vain attempts one is told in so long. */
const VAIN_MICROS = 10_000_000

export class Elections {
  private readonly context: SpanContext
  private suspected: { readonly at: number; readonly leader: Ballot } | null = null
  private vain = 0
  private vainToldAt = Number.NEGATIVE_INFINITY
  private leadingSince = 0

  constructor(context: SpanContext) {
    this.context = context
  }

  onSuspected({ leader }: Of<'suspected'>): void {
    this.suspected = { at: this.context.now, leader }
  }

  onLeaderChanged({ leader, ballot }: Of<'leaderChanged'>): void {
    const { context } = this
    context.leader = ballot
    if (leader !== context.replica) {
      this.suspected = null
      return
    }
    context.leading = ballot
    this.leadingSince = context.now
  }

  onWon(event: Of<'electionWon'>): void {
    const { inherited, noops } = event
    const counts = { [ATTR.inherited]: inherited, [ATTR.noops]: noops }
    this.tell(event, EVENT.won, { [ATTR.outcome]: 'won', ...counts })
    this.suspected = null
  }

  onLost(event: Of<'electionLost'>): void {
    const { context } = this
    const { reason, preparedAt } = event
    // Nobody promised anything: it only asked whether it might.
    const isVain = preparedAt === 0 && reason === 'timeout'
    if (isVain) {
      this.vain += 1
      if (context.now - this.vainToldAt < VAIN_MICROS) return
      this.vainToldAt = context.now
    }
    const attempts = isVain ? { [ATTR.attempts]: this.vain } : {}
    if (isVain) this.vain = 0
    this.tell(event, EVENT.lost, { [ATTR.outcome]: reason, ...attempts })
  }

  onSteppedDown({ ballot, reason }: Of<'steppedDown'>): void {
    const { context } = this
    context.leading = null
    const { time } = context
    const name = formatBallot(ballot)
    const traceId = electionTraceId(context.log, name)
    context.spans(
      made({
        name: SPAN.leadership,
        kind: 'internal',
        traceId,
        spanId: spanIdOf(`leadership/${traceId}/${context.author}`),
        parentSpanId: this.spanId(traceId),
        start: time.of(this.leadingSince),
        end: time.of(context.now),
        status: reason === 'ballot' || reason === 'handedOver' ? 'ok' : 'error',
        attributes: { [ATTR.ballot]: name, [ATTR.outcome]: reason },
        events: [],
        links: [],
      }),
    )
  }

  private spanId(traceId: string): string {
    return spanIdOf(`election/${traceId}/${this.context.author}`)
  }

  private tell(event: Ended, end: string, outcome: Record<string, AttributeValue>): void {
    const { context, suspected } = this
    const { time, now } = context
    const ballot = formatBallot(event.ballot)
    const traceId = electionTraceId(context.log, ballot)
    const attributes: Record<string, AttributeValue> = { [ATTR.ballot]: ballot, ...outcome }
    attributes[ATTR.promises] = event.promises.length
    if (suspected !== null) attributes[ATTR.leaderBefore] = formatBallot(suspected.leader)
    const begun = suspected?.at ?? event.startedAt
    context.spans(
      made({
        name: SPAN.election,
        kind: 'internal',
        traceId,
        spanId: this.spanId(traceId),
        parentSpanId: null,
        start: time.of(Math.min(begun, event.startedAt)),
        end: time.of(now),
        status: end === EVENT.won ? 'ok' : 'unset',
        attributes,
        events: [...this.steps(event), { name: end, at: time.of(now), attributes: {} }],
        links: [],
      }),
    )
  }

  private steps({ preparedAt, promises }: Ended): SpanEvent[] {
    const { time } = this.context
    const { suspected } = this
    const events: SpanEvent[] = []
    const add = (name: string, at: number, attributes = {}): void => {
      events.push({ name, at: time.of(at), attributes })
    }
    if (suspected !== null) add(EVENT.suspected, suspected.at)
    if (preparedAt !== 0) add(EVENT.prepare, preparedAt)
    for (const promise of promises) add(EVENT.promise, promise.at, ofPromise(promise))
    return events
  }
}

function ofPromise({ replica, accepted }: PromiseTiming): Record<string, AttributeValue> {
  return { [ATTR.acceptor]: replica, [ATTR.entries]: accepted }
}
