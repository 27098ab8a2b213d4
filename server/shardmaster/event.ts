// What a shardmaster's state machine tells about itself.

import type { Cause } from './config.ts'

export type ShardmasterEvent =
  | {
      readonly type: 'configDecided'
      readonly num: number
      readonly slot: number
      readonly cause: Cause
      readonly movedShards: number
    }
  | { readonly type: 'changeRefused'; readonly op: string; readonly kind: string }
