// One of every message, request and reply, with the corners of their fields.

import type { Message } from '../../server/contract.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../../server/shardmaster/operation.ts'

const BALLOT = { round: 12, replica: 2, incarnation: '0123456789abcdef' }
export const ZERO = { round: 0, replica: 0, incarnation: '' }
const MAX = Number.MAX_SAFE_INTEGER
export const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
const ALL_KEYS = ALL_BYTES.toString('latin1')
const FORMATION = { id: 'f', members: [{ replica: 0, incarnation: 'aa' }] }
export const CONFIG: Config = {
  ...initialConfig(4, 'hash'),
  num: 3,
  groups: { 1: ['http://a:1', 'http://a:2'], 20: [] },
  cause: { op: 'join', gid: 20, servers: [], actor: 'ann "x"', reason: 'größer\u0000 \u{1f600}' },
  at: 1_790_000_000_000,
}

/** At least one message of each type, with the corners of its fields. */
export const MESSAGES: readonly Message[] = [
  { type: 'hello', formation: null },
  { type: 'helloReply', formation: FORMATION },
  { type: 'preVote', ballot: BALLOT, decided: 0 },
  { type: 'preVoteReply', ballot: BALLOT, isGranted: true, promised: ZERO, decided: MAX },
  { type: 'prepare', ballot: BALLOT, from: 1 },
  { type: 'promise', ballot: BALLOT, from: 1, accepted: [], decided: 0 },
  {
    type: 'promise',
    ballot: BALLOT,
    from: 1,
    accepted: [
      { slot: 1, ballot: ZERO, value: ALL_BYTES },
      { slot: 2, ballot: BALLOT, value: Buffer.alloc(0) },
      { slot: 3, ballot: BALLOT, value: Buffer.from('x') },
    ],
    decided: 0,
  },
  {
    type: 'accept',
    ballot: BALLOT,
    slot: 5,
    value: ALL_BYTES,
    decided: 4,
    confirm: 0,
    sentAt: MAX,
  },
  {
    type: 'accepted',
    ballot: BALLOT,
    slot: 5,
    confirm: 1,
    sentAt: 2,
    applied: 3,
    durableMicros: 180,
    answeredMicros: 190,
  },
  { type: 'heartbeat', ballot: BALLOT, decided: 9, confirm: 1, sentAt: 1 },
  { type: 'heartbeatReply', ballot: BALLOT, confirm: 1, sentAt: 1, decided: 9, applied: 8 },
  {
    type: 'reject',
    phase: 'accept',
    slot: 5,
    ballot: BALLOT,
    promised: BALLOT,
    reason: 'behind',
    decided: 1,
  },
  { type: 'handOver', ballot: BALLOT },
  { type: 'fetch', from: 1 },
  {
    type: 'entries',
    from: 1,
    entries: [{ slot: 1, value: ALL_BYTES }],
    first: 1,
    decided: 1,
  },
  { type: 'snapshotFetch', slot: 0, cursor: ALL_KEYS },
  {
    type: 'snapshotChunk',
    slot: 3,
    after: '',
    entries: [
      [ALL_KEYS, ALL_BYTES],
      ['k', Buffer.alloc(0)],
    ],
    isLast: true,
    checksum: 2 ** 32 - 1,
  },
  { type: 'configPoll', after: 0, sizes: [{ shard: 0, keys: 1, bytes: 2 }] },
  { type: 'configs', after: 0, configs: [initialConfig(4, 'first-byte'), CONFIG], latest: 3 },
  {
    type: 'receiveShard',
    config: 1,
    shard: 2,
    after: ALL_KEYS,
    entries: [[ALL_KEYS, ALL_BYTES]],
    total: { keys: 1, bytes: 2, version: 3 },
  },
  { type: 'receiveShard', config: 1, shard: 2, after: '', entries: [], total: null },
  {
    type: 'receiveShardReply',
    config: 1,
    shard: 2,
    result: { type: 'progress', cursor: ALL_KEYS },
  },
  { type: 'receiveShardReply', config: 1, shard: 2, result: { type: 'installed' } },
  { type: 'receiveShardReply', config: 1, shard: 2, result: { type: 'notReady', config: 1 } },
  { type: 'receiveShardReply', config: 1, shard: 2, result: { type: 'notLeader', leader: null } },
]

const SESSION = { client: 'c.-_9', number: 1, acked: 0 }
export const KV_REQUESTS: readonly ShardkvRequest[] = [
  { type: 'get', key: ALL_KEYS, consistency: 'stale' },
  ...(['none', 'ifAbsent', 'ifPresent'] as const).map(type => ({
    type: 'write' as const,
    key: 'k',
    write: { op: 'put' as const, value: ALL_BYTES },
    condition: { type },
    session: SESSION,
  })),
  {
    type: 'write',
    key: 'k',
    write: { op: 'delete' },
    condition: { type: 'ifVersion', version: MAX },
    session: SESSION,
  },
]
export const KV_REPLIES: readonly ShardkvReply[] = [
  { type: 'ok', version: 1, value: ALL_BYTES, slot: 2 },
  { type: 'ok', version: 1, value: ALL_BYTES, slot: 2, staleMicros: 5 },
  { type: 'noSuchKey', slot: 1 },
  { type: 'conditionFailed', version: 0, slot: 1 },
  { type: 'requestMismatch' },
  { type: 'sessionExpired' },
  { type: 'wrongGroup', config: 1, gid: 2, servers: ['http://a'] },
  { type: 'shardMoving', config: 1 },
  { type: 'noGroup', config: 1 },
  { type: 'notLeader', leader: null },
  { type: 'overloaded' },
  { type: 'unknown' },
]
const JOIN = { op: 'join', gid: 1, servers: ['http://a'] } as const
export const MASTER_REQUESTS: readonly ShardmasterRequest[] = [
  { type: 'change', change: JOIN, actor: 'a', reason: '', ifConfig: null, session: SESSION },
  { type: 'plan', change: { op: 'move', shard: 1, gid: 2 } },
  { type: 'query', num: -1 },
  { type: 'history', limit: 5 },
  { type: 'watch', after: 0 },
]
export const MASTER_REPLIES: readonly ShardmasterReply[] = [
  { type: 'config', config: CONFIG, isNew: true },
  { type: 'history', configs: [CONFIG] },
  {
    type: 'plan',
    plan: {
      base: 1,
      change: JOIN,
      shards: [1, 1],
      moves: [{ shard: 0, from: 0, to: 1, keys: null, bytes: 4 }],
      groups: [{ gid: 1, before: 0, after: 2 }],
      movesMin: 2,
      warnings: ['w'],
    },
  },
  { type: 'refused', kind: 'conflict', detail: 'd', latest: 1 },
  { type: 'conditionFailed', latest: 1 },
  { type: 'requestMismatch' },
  { type: 'sessionExpired' },
  { type: 'notLeader', leader: 1 },
  { type: 'overloaded' },
  { type: 'unknown' },
]
