// The shape of requests that one replica passes to another, and of their replies, for each kind of
// replica.

import { CLIENT_ID_LENGTH_MAX, HISTORY_MAX, KEY_BYTES_MAX, SHARDS_MAX } from '../limits.ts'
import type { RequestId } from '../session.ts'
import type { Condition, ShardkvRequest, Write } from '../shardkv/operation.ts'
import type { ShardkvReply } from '../shardkv/reply.ts'
import type {
  Change,
  Plan,
  PlannedMove,
  ShardmasterReply,
  ShardmasterRequest,
} from '../shardmaster/operation.ts'
import { config, gid, servers, words } from './message-schema.ts'
import {
  byteString,
  bytes,
  flag,
  integer,
  list,
  nullable,
  object,
  oneOf,
  optional,
  type Schema,
  text,
  uint,
  union,
  variant,
} from './schema.ts'

export type CallSchema<Request, Reply> = {
  readonly request: Schema<Request>
  readonly reply: Schema<Reply>
}

const session = object<RequestId>({
  client: text(CLIENT_ID_LENGTH_MAX, /^[A-Za-z0-9._-]+$/),
  number: integer(1, Number.MAX_SAFE_INTEGER),
  acked: uint,
})
const key = byteString(KEY_BYTES_MAX)
const leader = nullable(uint)

const write = union<Write, 'op'>('op', {
  put: variant({ value: bytes }),
  delete: variant({}),
  puthash: variant({ value: bytes }),
})

const condition = union<Condition, 'type'>('type', {
  none: variant({}),
  ifVersion: variant({ version: uint }),
  ifAbsent: variant({}),
  ifPresent: variant({}),
})

const staleMicros = optional(uint)

export const shardkvCalls: CallSchema<ShardkvRequest, ShardkvReply> = {
  request: union<ShardkvRequest, 'type'>('type', {
    get: variant({ key, consistency: oneOf('linearizable', 'stale') }),
    write: variant({ key, write, condition, session }),
  }),
  reply: union<ShardkvReply, 'type'>('type', {
    ok: variant({ version: uint, value: bytes, slot: uint, staleMicros }),
    noSuchKey: variant({ slot: uint, staleMicros }),
    conditionFailed: variant({ version: uint, slot: uint, staleMicros }),
    requestMismatch: variant({ staleMicros }),
    sessionExpired: variant({ staleMicros }),
    wrongGroup: variant({ config: uint, gid, servers, staleMicros }),
    shardMoving: variant({ config: uint, staleMicros }),
    noGroup: variant({ config: uint, staleMicros }),
    notLeader: variant({ leader, staleMicros }),
    overloaded: variant({ staleMicros }),
    unknown: variant({ staleMicros }),
  }),
}

const change = union<Change, 'op'>('op', {
  join: variant({ gid, servers }),
  leave: variant({ gid }),
  move: variant({ shard: uint, gid }),
})

const plannedMove = object<PlannedMove>({
  shard: uint,
  from: gid,
  to: gid,
  keys: nullable(uint),
  bytes: nullable(uint),
})

const plan = object<Plan>({
  base: uint,
  change,
  shards: list(gid, SHARDS_MAX),
  moves: list(plannedMove, SHARDS_MAX),
  groups: list(object<Plan['groups'][number]>({ gid, before: uint, after: uint }), SHARDS_MAX),
  movesMin: uint,
  warnings: list(words, HISTORY_MAX),
})

export const shardmasterCalls: CallSchema<ShardmasterRequest, ShardmasterReply> = {
  request: union<ShardmasterRequest, 'type'>('type', {
    change: variant({ change, actor: words, reason: words, ifConfig: nullable(uint), session }),
    plan: variant({ change }),
    query: variant({ num: integer(-1, Number.MAX_SAFE_INTEGER) }),
    history: variant({ limit: uint }),
    watch: variant({ after: uint }),
  }),
  reply: union<ShardmasterReply, 'type'>('type', {
    config: variant({ config, isNew: flag }),
    history: variant({ configs: list(config, HISTORY_MAX) }),
    plan: variant({ plan }),
    refused: variant({
      kind: oneOf('unknown-group', 'conflict', 'bad-request'),
      detail: words,
      latest: uint,
    }),
    conditionFailed: variant({ latest: uint }),
    requestMismatch: variant({}),
    sessionExpired: variant({}),
    notLeader: variant({ leader }),
    overloaded: variant({}),
    unknown: variant({}),
  }),
}
