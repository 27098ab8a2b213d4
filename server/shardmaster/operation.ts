// What clients ask a shardmaster, and what they are told. Changes go through the group's log; a
// query of the latest configuration is a linearizable read; an old configuration never changes.

import type { RequestId } from '../session.ts'
import type { Config } from './config.ts'

export type Change =
  | { readonly op: 'join'; readonly gid: number; readonly servers: readonly string[] }
  | { readonly op: 'leave'; readonly gid: number }
  | { readonly op: 'move'; readonly shard: number; readonly gid: number }

export type ShardmasterRequest =
  | {
      readonly type: 'change'
      readonly change: Change
      readonly actor: string
      readonly reason: string
      /** Refused with `conditionFailed` unless this is the latest configuration; null: any. */
      readonly ifConfig: number | null
      readonly session: RequestId
    }
  /** The plan of a change: decided nowhere, changes nothing. Linearizable. */
  | { readonly type: 'plan'; readonly change: Change }
  /** −1, or a number above the latest: the latest, linearizable. Otherwise that one. */
  | { readonly type: 'query'; readonly num: number }
  /** The newest `limit` configurations, newest first. Linearizable. */
  | { readonly type: 'history'; readonly limit: number }
  /** The next configuration after `after`, from this replica's own state, as soon as it has it. */
  | { readonly type: 'watch'; readonly after: number }

export type PlannedMove = {
  readonly shard: number
  readonly from: number
  readonly to: number
  /** As last reported by the owner; null when unknown. */
  readonly keys: number | null
  readonly bytes: number | null
}

export type Plan = {
  readonly base: number
  readonly change: Change
  readonly shards: readonly number[]
  readonly moves: readonly PlannedMove[]
  /** Shards per group before and after, by gid. */
  readonly groups: readonly {
    readonly gid: number
    readonly before: number
    readonly after: number
  }[]
  /** The fewest moves with which an even assignment can be reached from here (equal to moves.length
   * for join and leave). */
  readonly movesMin: number
  readonly warnings: readonly string[]
}

export type ShardmasterReply =
  | { readonly type: 'config'; readonly config: Config; readonly isNew: boolean }
  | { readonly type: 'history'; readonly configs: readonly Config[] }
  | { readonly type: 'plan'; readonly plan: Plan }
  /** Definite: the change cannot be made; `status` tells which kind of refusal. */
  | {
      readonly type: 'refused'
      readonly kind: 'unknown-group' | 'conflict' | 'bad-request'
      readonly detail: string
      readonly latest: number
    }
  | { readonly type: 'conditionFailed'; readonly latest: number }
  | { readonly type: 'requestMismatch' }
  | { readonly type: 'sessionExpired' }
  /** Definite: nothing was done here; `leader` is a replica id or null when unknown. */
  | { readonly type: 'notLeader'; readonly leader: number | null }
  | { readonly type: 'overloaded' }
  /** Indefinite: it may take effect yet; repeat with the same request number. */
  | { readonly type: 'unknown' }
