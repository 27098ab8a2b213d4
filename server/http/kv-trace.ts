// What a key request, and a batch of them, says of itself when its trace is kept.

import type { ShardkvRequest } from '../shardkv/operation.ts'
import type { ShardkvReply } from '../shardkv/reply.ts'
import type { KeyPlace } from './kv-answer.ts'
import type { Attempt, RequestTrace } from './request-trace.ts'

/** On the path of every request: two comparisons and a draw. */
export function isKept(
  trace: RequestTrace,
  startedAt: number,
  reply: ShardkvReply | null,
  terms: { readonly traceParent: string | null; readonly isDirect: boolean },
): boolean {
  return trace.isKept(startedAt, isFailed(reply, terms.isDirect), terms.traceParent)
}

/** What the system owed and did not do; what a client did wrong, and absent keys, are not failures. */
export function isFailed(reply: ShardkvReply | null, isDirect: boolean): boolean {
  switch (reply?.type) {
    case undefined:
    case 'shardMoving':
    case 'noGroup':
    case 'overloaded':
    case 'unknown':
      return true
    case 'wrongGroup':
    case 'notLeader':
      // A client that routes by itself asks the next one.
      return !isDirect
    default:
      return false
  }
}

/** Returns the traceparent of the span. */
export function keepRequest(
  trace: RequestTrace,
  answered: {
    readonly request: ShardkvRequest
    readonly reply: ShardkvReply | null
    readonly startedAt: number
    readonly attempts: readonly Attempt[]
    readonly tries: number
    readonly traceParent: string | null
    readonly place: KeyPlace
    readonly isDirect: boolean
  },
): string {
  const { request, reply, startedAt, attempts, tries, traceParent, place, isDirect } = answered
  const isRead = request.type === 'get'
  return trace.keep({
    op: isRead ? 'get' : request.write.op,
    startedAt,
    traceParent,
    outcome: reply?.type ?? 'timeout',
    isFailed: isFailed(reply, isDirect),
    key: request.key,
    shard: place.shard,
    config: place.config,
    gid: place.group,
    slot: reply !== null && 'slot' in reply ? reply.slot : null,
    read: isRead ? request.consistency : null,
    attempts,
    tries,
  })
}

/** A batch of operations is one request. `isFailed`: one of them at least. */
export function traceBatch(
  trace: RequestTrace | undefined,
  startedAt: number,
  traceParent: string | null,
  isFailed: boolean,
): string | null {
  if (trace === undefined) return traceParent
  if (!trace.isKept(startedAt, isFailed, traceParent)) return traceParent
  const nowhere = { key: null, shard: null, config: null, gid: null, slot: null, read: null }
  const outcome = isFailed ? 'partial' : 'ok'
  return trace.keep({
    op: 'batch',
    startedAt,
    traceParent,
    outcome,
    isFailed,
    ...nowhere,
    attempts: [],
    tries: 1,
  })
}
