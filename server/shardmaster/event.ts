// What a shardmaster's state machine tells about itself. Each replica applies the same log and tells
// the same; `isLeader` says whether it led then, `loggedMs` when its leader logged the command.

import type { Cause } from './config.ts'

export type ShardmasterEvent =
  | {
      readonly type: 'configDecided'
      readonly num: number
      readonly slot: number
      readonly loggedMs: number
      readonly cause: Cause
      readonly movedShards: number
      readonly groups: number
      readonly isLeader: boolean
    }
  | {
      readonly type: 'changeRefused'
      readonly op: string
      readonly kind: string
      readonly actor: string
      readonly reason: string
      /** The latest configuration, which stays. */
      readonly config: number
      readonly slot: number
      readonly loggedMs: number
      readonly isLeader: boolean
    }
