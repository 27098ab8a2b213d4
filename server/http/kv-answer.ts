// From a replica's reply to the answer of a key route, and to a result of a batch.

import { unreachable } from '../assert.ts'
import type { ByteString } from '../bytes.ts'
import type { ShardkvRequest } from '../shardkv/operation.ts'
import type { RefusedReply, ShardkvReply } from '../shardkv/reply.ts'
import type { Answer } from './exchange.ts'
import type { ShardkvGateway } from './gateways.ts'
import type { Lanes } from './lanes.ts'
import { type Outcome, type Problem, problem } from './problem.ts'
import type { RequestTrace } from './request-trace.ts'
import type { Traffic } from './traffic.ts'

/** Where a key lives, as far as this replica knows. */
export type KeyPlace = {
  readonly config: number
  readonly shard: number
  readonly group: number
  /** Base URLs of that group's replicas; the position is the replica id. */
  readonly servers: readonly string[]
}

export type KvRoutesOptions = {
  readonly gateway: ShardkvGateway
  readonly lanes: Lanes
  /** Where this replica believes a key to live. */
  readonly describe: (key: ByteString) => KeyPlace
  readonly traffic: Traffic
  /** Absent: no request leaves a trace. */
  readonly trace?: RequestTrace | undefined
}

/** What an answer is made of, beside the reply. */
export type ReplyContext = {
  readonly request: ShardkvRequest
  readonly place: KeyPlace
  readonly traceParent: string | null
  /** The client routes by itself: tell it where to go. */
  readonly isDirect: boolean
}

/** By shard, what was run for a client of this node. */
export function countRun(
  traffic: Traffic,
  request: ShardkvRequest,
  reply: ShardkvReply | null,
  shard: number,
): void {
  const type = reply?.type
  if (type !== 'ok' && type !== 'noSuchKey' && type !== 'conditionFailed') return
  traffic.ran(shard, request.type === 'get', reply?.staleMicros !== undefined)
}

const VALUE_HEADERS = [
  'Content-Type',
  'application/octet-stream',
  'X-Content-Type-Options',
  'nosniff',
  'Content-Disposition',
  'attachment',
] as const

/** A reply of a request that was run and did what was asked; a problem otherwise. */
export function kvAnswer(
  reply: ShardkvReply | null,
  isDefinite: boolean,
  context: ReplyContext,
): Answer | Problem {
  if (reply === null || reply.type !== 'ok') return replyProblem(reply, isDefinite, context)
  const { request, place } = context
  const { slot } = reply
  const { group } = place
  const headers = placeHeaders(context)
  headers.push('Shardglass-Slot', String(slot), 'Cache-Control', 'no-store')
  if (request.type === 'write' && request.write.op === 'delete') {
    return { status: 204, headers, body: null, slot, group }
  }
  headers.push('ETag', `"${reply.version}"`)
  if (reply.staleMicros !== undefined) {
    headers.push('Shardglass-Stale-Ms', String(Math.ceil(reply.staleMicros / 1000)))
  }
  if (request.type === 'write' && request.write.op === 'put') {
    return { status: 204, headers, body: null, slot, group }
  }
  headers.push(...VALUE_HEADERS)
  if (request.type === 'get') return { status: 200, headers, body: reply.value }
  return { status: 200, headers, body: reply.value, slot, group }
}

/** What all answers about a key carry, errors included. */
export function placeHeaders(context: ReplyContext): string[] {
  const { place, traceParent } = context
  const headers = [
    'Shardglass-Config',
    String(place.config),
    'Shardglass-Shard',
    String(place.shard),
    'Shardglass-Group',
    String(place.group),
  ]
  if (traceParent !== null) headers.push('traceparent', traceParent)
  return headers
}

/** Null stands for the deadline, without any reply. */
export function replyProblem(
  reply: Exclude<ShardkvReply, { type: 'ok' }> | null,
  isDefinite: boolean,
  context: ReplyContext,
): Problem {
  const outcome: Outcome = isDefinite ? 'not_applied' : 'unknown'
  if (reply === null) return silenceProblem(outcome, context.request)
  switch (reply.type) {
    case 'noSuchKey':
      return problem('no-such-key', 'the key is absent', { outcome: 'not_applied' })
    case 'conditionFailed': {
      const { version } = reply
      const headers = version === 0 ? [] : ['ETag', `"${version}"`]
      const detail = version === 0 ? 'the key is absent' : 'the key has another version'
      const members = { version }
      return problem('condition-failed', detail, { outcome: 'not_applied', members, headers })
    }
    default:
      return refusalProblem(reply, outcome, context)
  }
}

function refusalProblem(reply: RefusedReply, outcome: Outcome, context: ReplyContext): Problem {
  switch (reply.type) {
    case 'requestMismatch': {
      const detail = 'this request number was used before with other content'
      return problem('request-mismatch', detail, { outcome: 'not_applied' })
    }
    case 'sessionExpired': {
      const detail = 'it may have been applied before; repeating it will not tell: read the key'
      return problem('session-expired', detail, { outcome: 'unknown' })
    }
    case 'wrongGroup': {
      if (!context.isDirect) return problem('no-leader', UNREACHED, { outcome })
      const { config, gid, servers } = reply
      const members = { config, gid, servers, leader: null }
      return problem('wrong-group', `group ${gid} serves this key`, { outcome, members })
    }
    case 'notLeader': {
      const { leader } = reply
      if (leader === null || !context.isDirect) return problem('no-leader', UNREACHED, { outcome })
      const { config, group, servers } = context.place
      const members = { config, gid: group, servers, leader }
      return problem('wrong-group', `replica ${leader} leads this group`, { outcome, members })
    }
    case 'shardMoving':
      return problem('shard-moving', 'it is served again in a moment', { outcome })
    case 'noGroup':
      return problem('no-group', `no group has joined as of config ${reply.config}`, { outcome })
    case 'overloaded':
      return problem('overloaded', 'too many requests are waiting here', { outcome })
    case 'unknown': {
      const detail = 'the leadership was lost while the request was under way'
      return problem('timeout', detail, { outcome: 'unknown' })
    }
    default:
      return unreachable(reply)
  }
}

function silenceProblem(outcome: Outcome, request: ShardkvRequest): Problem {
  if (request.type === 'get') return problem('timeout', 'no replica answered in time')
  if (outcome === 'not_applied') return problem('no-leader', UNREACHED, { outcome })
  return problem('timeout', 'repeat it with the same request number', { outcome })
}

const UNREACHED = 'no leader of the group that serves this key could be reached'
