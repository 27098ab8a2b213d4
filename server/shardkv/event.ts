// What a shardkv group's state machine tells about itself.

export type ShardkvEvent =
  | {
      readonly type: 'configAdopted'
      readonly config: number
      readonly slot: number
      readonly gained: number
      readonly lost: number
    }
  /** All shards of the configuration are where they belong, as far as this group is concerned. */
  | { readonly type: 'configSettled'; readonly config: number }
  | {
      readonly type: 'handoffFrozen'
      readonly config: number
      readonly shard: number
      readonly to: number
      readonly slot: number
    }
  | {
      readonly type: 'handoffChunk'
      readonly config: number
      readonly shard: number
      readonly direction: 'in' | 'out'
      readonly keys: number
      readonly bytes: number
    }
  | {
      readonly type: 'handoffInstalled'
      readonly config: number
      readonly shard: number
      readonly keys: number
      readonly bytes: number
      readonly slot: number
      readonly isFirst: boolean
    }
  | {
      readonly type: 'handoffReleased'
      readonly config: number
      readonly shard: number
      readonly slot: number
    }
  | { readonly type: 'shardSwept'; readonly shard: number; readonly slot: number }
  | { readonly type: 'requestRepeated'; readonly shard: number }
  | { readonly type: 'sessionsRetired'; readonly shard: number; readonly count: number }
