// What a shardkv group's state machine tells about itself. Each replica of the group applies the same
// log and tells the same: `isLeader` says whether it led then. After a restart, and when a replica
// catches up, old commands are told too: `loggedMs` is the wall time that the command's leader logged.

export type ShardkvEvent =
  /** On the leader: the configuration is known, and not in this group's log yet. */
  | { readonly type: 'configHeard'; readonly config: number }
  | {
      readonly type: 'configAdopted'
      readonly config: number
      readonly slot: number
      readonly loggedMs: number
      readonly gained: number
      readonly lost: number
      readonly isLeader: boolean
    }
  /** All shards of the configuration are where they belong, as far as this group is concerned. */
  | { readonly type: 'configSettled'; readonly config: number; readonly isLeader: boolean }
  /** The giver serves the shard no more. `to` is 0 when all groups left: the data stays here. */
  | {
      readonly type: 'handoffFrozen'
      readonly config: number
      readonly shard: number
      readonly to: number
      readonly slot: number
      readonly loggedMs: number
      readonly keys: number
      readonly bytes: number
      readonly isLeader: boolean
    }
  /** The taker is to get the shard, and waits for it. */
  | {
      readonly type: 'handoffAwaited'
      readonly config: number
      readonly shard: number
      readonly from: number
      readonly slot: number
      readonly loggedMs: number
      readonly isLeader: boolean
    }
  /** `out` on the giver's leader, at sending; `in` on the takers, applied. `peer`: the other group. */
  | {
      readonly type: 'handoffChunk'
      readonly config: number
      readonly shard: number
      readonly direction: 'in' | 'out'
      readonly peer: number
      readonly keys: number
      readonly bytes: number
      readonly isLeader: boolean
    }
  /** The taker serves it. `isFirst`: nobody ever had it; `from` is 0 then, and its own gid when the
   * data had stayed here. */
  | {
      readonly type: 'handoffInstalled'
      readonly config: number
      readonly shard: number
      readonly from: number
      readonly keys: number
      readonly bytes: number
      readonly slot: number
      readonly loggedMs: number
      readonly isFirst: boolean
      readonly isLeader: boolean
    }
  /** On the giver's leader: the taker said that it has all. */
  | { readonly type: 'handoffAcknowledged'; readonly config: number; readonly shard: number }
  | {
      readonly type: 'handoffReleased'
      readonly config: number
      readonly shard: number
      readonly to: number
      readonly slot: number
      readonly loggedMs: number
      readonly isLeader: boolean
    }
  | {
      readonly type: 'shardSwept'
      readonly config: number
      readonly shard: number
      readonly slot: number
      readonly loggedMs: number
      readonly isLeader: boolean
    }
  | { readonly type: 'requestRepeated'; readonly shard: number }
  | { readonly type: 'sessionsRetired'; readonly shard: number; readonly count: number }
