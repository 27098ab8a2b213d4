// What a shardkv group says to the shardmasters and to other groups, and what it is told.
// Groups answer to the address that a message came from.

import type { ByteString } from '../bytes.ts'
import type { Config } from '../shardmaster/config.ts'
import type { StoreEntry } from '../store.ts'

/** How much of a shard a group holds; `keys` and `bytes` (keys and values) count data alone. */
export type ShardSize = { readonly shard: number; readonly keys: number; readonly bytes: number }

export type ShardkvMessage =
  /**
   * To a shardmaster: the configurations after `after`. Kept open until there is one, answered
   * with none after CONFIG_POLL_MS. Carries the group's sizes for plans and for the last leave.
   */
  | { readonly type: 'configPoll'; readonly after: number; readonly sizes: readonly ShardSize[] }
  /** Without gaps from `after` + 1 on; `latest` is the newest that the answerer has applied. */
  | {
      readonly type: 'configs'
      readonly after: number
      readonly configs: readonly Config[]
      readonly latest: number
    }
  /**
   * From the group that gives shard `shard` away in config `config`: the part of its frozen data
   * that follows `after` ('' for the first). The receiver puts each part through its own log.
   */
  | {
      readonly type: 'receiveShard'
      readonly config: number
      readonly shard: number
      readonly after: ByteString
      readonly entries: readonly StoreEntry[]
      /** Set on the last part: what the whole came to, and the shard's write counter. */
      readonly total: ShardTotal | null
    }
  | {
      readonly type: 'receiveShardReply'
      readonly config: number
      readonly shard: number
      readonly result: ReceiveResult
    }

export type ShardTotal = {
  readonly keys: number
  readonly bytes: number
  /** The shard's write counter: versions go on from here. */
  readonly version: number
}

export type ReceiveResult =
  /** In the receiver's log up to `cursor`; go on from there. */
  | { readonly type: 'progress'; readonly cursor: ByteString }
  /** The receiver's log holds the whole shard: the sender may release it. */
  | { readonly type: 'installed' }
  /** Not there yet in its configurations; ask again soon. */
  | { readonly type: 'notReady'; readonly config: number }
  | { readonly type: 'notLeader'; readonly leader: number | null }
