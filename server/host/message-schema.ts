// The shape of every message between replicas, as strictly as it can be said without the state that
// it will meet. A change of a message in contract.ts does not compile until it is made here too.

import type { Message } from '../contract.ts'
import {
  BATCH_OPS_MAX,
  CONFIGS_PER_POLL,
  LOG_RETAINED_SLOTS,
  MESSAGE_BYTES_MAX,
  MESSAGE_TEXT_MAX,
  SHARDS_MAX,
  STORE_KEY_BYTES_MAX,
} from '../limits.ts'
import type { Ballot } from '../paxos/ballot.ts'
import type { AcceptedEntry, DecidedEntry, Formation, Member } from '../paxos/message.ts'
import type { ReceiveResult, ShardSize, ShardTotal } from '../shardkv/message.ts'
import type { Cause, Config } from '../shardmaster/config.ts'
import type { StoreEntry } from '../store.ts'
import {
  byteString,
  bytes,
  flag,
  integer,
  list,
  mapping,
  nullable,
  object,
  oneOf,
  pair,
  text,
  uint,
  uint32,
  uintOrBefore,
  union,
  variant,
} from './schema.ts'

/** Entries without a value are a few dozen bytes: no list can be longer than this. */
const ENTRIES_MAX = MESSAGE_BYTES_MAX / 16
const SLOTS_MAX = LOG_RETAINED_SLOTS + BATCH_OPS_MAX
const MEMBERS_MAX = 100
const SERVERS_MAX = 100

/** A gid; 0 is the shardmaster group, or no group at all. */
export const gid = integer(0, 2 ** 31 - 1)
/** A gid as the key of an object. */
export const GID_KEY = /^[1-9][0-9]{0,9}$/
/** One life of a data directory. Empty in the ballot that is below all others. */
const incarnation = text(64, /^[0-9a-f]*$/)
const ballot = object<Ballot>({ round: uint, replica: uint, incarnation })
const member = object<Member>({ replica: uint, incarnation })
const formation = object<Formation>({ id: text(200), members: list(member, MEMBERS_MAX) })
const storeKey = byteString(STORE_KEY_BYTES_MAX)
const entries = list<StoreEntry>(pair(storeKey, bytes), ENTRIES_MAX)
const accepted = object<AcceptedEntry>({ slot: uint, ballot, value: bytes })
const decidedEntry = object<DecidedEntry>({ slot: uint, value: bytes })
const phase = oneOf('prepare', 'accept', 'heartbeat')

/** Any text of people. */
export const words = text(MESSAGE_TEXT_MAX)
export const servers = list(text(2048), SERVERS_MAX)

const cause = union<Cause, 'op'>('op', {
  init: variant({}),
  join: variant({ gid, servers, actor: words, reason: words }),
  leave: variant({ gid, actor: words, reason: words }),
  move: variant({ shard: uint, gid, actor: words, reason: words }),
})

export const config = object<Config>({
  num: uint,
  shards: list(gid, SHARDS_MAX),
  holders: list(gid, SHARDS_MAX),
  groups: mapping(GID_KEY, servers),
  partitioner: oneOf('hash', 'first-byte'),
  cause,
  at: uint,
})

const size = object<ShardSize>({ shard: uint, keys: uint, bytes: uint })
const total = object<ShardTotal>({ keys: uint, bytes: uint, version: uint })
const receiveResult = union<ReceiveResult, 'type'>('type', {
  progress: variant({ cursor: storeKey }),
  installed: variant({}),
  notReady: variant({ config: uint }),
  notLeader: variant({ leader: nullable(uint) }),
})

export const messageSchema = union<Message, 'type'>('type', {
  hello: variant({ formation: nullable(formation) }),
  helloReply: variant({ formation: nullable(formation) }),
  preVote: variant({ ballot, decided: uint }),
  preVoteReply: variant({ ballot, isGranted: flag, promised: ballot, decided: uint }),
  prepare: variant({ ballot, from: uint }),
  promise: variant({ ballot, from: uint, accepted: list(accepted, SLOTS_MAX), decided: uint }),
  accept: variant({
    ballot,
    slot: uint,
    value: bytes,
    decided: uint,
    confirm: uint,
    sentAt: uint,
  }),
  accepted: variant({
    ballot,
    slot: uint,
    confirm: uint,
    sentAt: uint,
    applied: uint,
    durableMicros: uint,
    answeredMicros: uint,
  }),
  heartbeat: variant({ ballot, decided: uint, confirm: uint, sentAt: uint }),
  heartbeatReply: variant({ ballot, confirm: uint, sentAt: uint, decided: uint, applied: uint }),
  reject: variant({
    phase,
    slot: uint,
    ballot,
    promised: ballot,
    reason: oneOf('ballot', 'lease', 'behind'),
    decided: uint,
  }),
  handOver: variant({ ballot }),
  fetch: variant({ from: uint }),
  entries: variant({
    from: uint,
    entries: list(decidedEntry, SLOTS_MAX),
    first: uint,
    decided: uint,
  }),
  snapshotFetch: variant({ slot: uint, cursor: storeKey }),
  snapshotChunk: variant({
    slot: uint,
    after: storeKey,
    entries,
    isLast: flag,
    checksum: uint32,
  }),
  configPoll: variant({ after: uintOrBefore, sizes: list(size, SHARDS_MAX) }),
  configs: variant({ after: uintOrBefore, configs: list(config, CONFIGS_PER_POLL), latest: uint }),
  receiveShard: variant({
    config: uint,
    shard: uint,
    after: storeKey,
    entries,
    total: nullable(total),
  }),
  receiveShardReply: variant({ config: uint, shard: uint, result: receiveResult }),
})

/** The types of messages, for counters and routes. */
export type MessageType = Message['type']

/** What may answer a message that came by POST. Messages not named here are not answered. */
export const REPLY_TYPES: { readonly [T in MessageType]?: readonly MessageType[] } = {
  hello: ['helloReply'],
  preVote: ['preVoteReply'],
  prepare: ['promise', 'reject'],
  accept: ['accepted', 'reject'],
  heartbeat: ['heartbeatReply', 'reject'],
  fetch: ['entries'],
  snapshotFetch: ['snapshotChunk'],
  configPoll: ['configs'],
  receiveShard: ['receiveShardReply'],
}
