// Requests that leave a trace: one in so many, by draw; those that were slow or failed; and those whose
// caller keeps its own part. All others cost one look at the clock and one draw.

import { createHmac } from 'node:crypto'
import {
  type AnsweredRequest,
  type Attempt,
  isSampledByCaller,
  type RequestTrace,
} from '../../server/http/request-trace.ts'
import { formatBallot } from '../../server/paxos/ballot.ts'
import { ATTR, EVENT, instanceIds, SPAN } from '../trace/span-model.ts'
import type { Instances } from './instances.ts'
import {
  type AttributeValue,
  randomSpanId,
  randomTraceId,
  type Span,
  type SpanEvent,
  type SpanSource,
} from './span.ts'
import type { SpanContext } from './span-context.ts'

export type RequestSpanOptions = {
  readonly context: SpanContext
  readonly instances: Instances
  /** 0 … 1 of all requests. */
  readonly ratio: number
  /** Requests that took longer are always kept. */
  readonly slowMs: number
  /** How linearizable reads are confirmed. */
  readonly reads: 'quorum' | 'lease'
  /** Of the cluster alone: without it nobody can try keys against their hashes. */
  readonly keySecret: string
  readonly random?: () => number
}

/** Slow and failed requests that are kept; the first of a second, and the draw, stand for the rest. */
const TROUBLED_PER_SECOND = 100

/** `00-<trace>-<span>-<flags>`. */
const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-/

export class RequestSpans implements RequestTrace {
  private readonly options: RequestSpanOptions
  private readonly random: () => number
  /** Of slow and failed ones, how many more may be kept in this second. */
  private left = 0
  private secondEnd = Number.NEGATIVE_INFINITY

  constructor(options: RequestSpanOptions) {
    this.options = options
    this.random = options.random ?? Math.random
  }

  now(): number {
    return performance.now()
  }

  isKept(startedAt: number, isFailed: boolean, traceParent: string | null): boolean {
    if (this.random() < this.options.ratio) return true
    if (traceParent !== null && isSampledByCaller(traceParent)) return true
    const now = this.now()
    return (isFailed || now - startedAt > this.options.slowMs) && this.hasRoom(now)
  }

  /** Where all requests are slow, telling of each would make them slower. */
  private hasRoom(now: number): boolean {
    if (now >= this.secondEnd) {
      this.secondEnd = now + 1_000
      this.left = TROUBLED_PER_SECOND
    }
    this.left -= 1
    return this.left >= 0
  }

  keep(request: AnsweredRequest): string {
    const [, traceId = randomTraceId(), parentSpanId = null] =
      TRACE_PARENT.exec(request.traceParent ?? '') ?? []
    const spanId = randomSpanId()
    const { context } = this.options
    const endedAt = context.clock()
    const startedAt = endedAt - (this.now() - request.startedAt) * 1000
    // The instance that it is linked to is told at the end of this turn at the latest.
    const span = (): Span =>
      this.span(request, { traceId, spanId, parentSpanId, startedAt, endedAt })
    const source: SpanSource = { name: SPAN.request, isOrdinary: false, span }
    context.spans(source)
    return `00-${traceId}-${spanId}-01`
  }

  private span(
    request: AnsweredRequest,
    ids: {
      readonly traceId: string
      readonly spanId: string
      readonly parentSpanId: string | null
      readonly startedAt: number
      readonly endedAt: number
    },
  ): Span {
    const { time } = this.options.context
    const { traceId, spanId, parentSpanId, startedAt, endedAt } = ids
    const start = time.of(startedAt)
    return {
      name: SPAN.request,
      kind: 'server',
      traceId,
      spanId,
      parentSpanId,
      start,
      end: time.of(endedAt),
      status: request.isFailed ? 'error' : 'ok',
      attributes: this.attributes(request),
      events: request.attempts.map(attempt => eventOf(start, attempt)),
      links: this.links(request),
    }
  }

  /** To the instance that decided a write, where this group did. */
  private links({ gid, slot, read }: AnsweredRequest): Span['links'] {
    const { context, instances } = this.options
    if (read !== null || slot === null || gid !== context.gid) return []
    const record = instances.of(slot)
    if (record !== null) return [record.ids]
    // Passed on to the leader of this group: its span has its ballot.
    const { leader, log } = context
    return leader === null ? [] : [instanceIds(log, slot, formatBallot(leader))]
  }

  private attributes(request: AnsweredRequest): Record<string, AttributeValue> {
    const { op, outcome, key, shard, config, gid, slot, read, tries } = request
    const attributes: Record<string, AttributeValue> = {
      [ATTR.op]: op,
      [ATTR.outcome]: outcome,
      [ATTR.attempts]: tries,
    }
    if (key !== null) attributes[ATTR.keyHash] = this.hash(key)
    if (shard !== null) attributes[ATTR.shard] = shard
    if (config !== null) attributes[ATTR.config] = config
    if (slot !== null && gid !== null) {
      attributes[ATTR.decidedGroup] = gid
      attributes[ATTR.decidedSlot] = slot
    }
    if (read !== null) attributes[ATTR.readPath] = read === 'stale' ? read : this.options.reads
    return attributes
  }

  private hash(key: string): string {
    const { keySecret } = this.options
    return createHmac('sha256', keySecret).update(key, 'latin1').digest('hex').slice(0, 16)
  }
}

function eventOf(start: number, { afterMs, tookMs, gid, replica, outcome }: Attempt): SpanEvent {
  return {
    name: EVENT.attempt,
    at: start + Math.round(afterMs * 1000),
    attributes: {
      [ATTR.peerGroup]: gid,
      [ATTR.peer]: replica,
      [ATTR.outcome]: outcome,
      [ATTR.took]: Math.round(tookMs * 1000),
    },
  }
}

/** A key of the cluster's own, which nobody gets by knowing what it is for. */
export function keySecretOf(peerToken: string): string {
  return createHmac('sha256', peerToken)
    .update('shardglass: hashes of keys in traces')
    .digest('hex')
}
