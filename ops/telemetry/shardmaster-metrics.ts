// The metrics that shardmasters alone have: the newest configuration, and the changes that made it.

import type { Config } from '../../server/shardmaster/config.ts'
import { countShards } from '../../server/shardmaster/rebalance.ts'
import { OWNER_SERIES_MAX } from './metric-family.ts'
import { by } from './metric-sources.ts'
import { named } from './named-counts.ts'
import type { OwnSources, ShardmasterSources } from './node-metrics.ts'
import type { ShardMetrics } from './shard-metrics.ts'

export type ShardmasterNumbers = {
  /** Null before the first. */
  readonly config: () => Config | null
  readonly sessions: () => number
  readonly events: ShardMetrics
}

export function shardmasterSources(numbers: ShardmasterNumbers): OwnSources {
  const { config, sessions, events } = numbers
  const sources: ShardmasterSources = {
    client_sessions: sessions,
    master_config_number: () => config()?.num ?? -1,
    master_config_timestamp_seconds: () => (config()?.at ?? 0) / 1000,
    master_groups: () => Object.keys(config()?.groups ?? {}).length,
    master_group_shards: () => {
      const owned = ownedShards(config())
      return owned.size <= OWNER_SERIES_MAX + 1 ? by('owner', owned) : []
    },
    master_shard_spread: () => spreadOf(config()),
    master_changes_total: () => named(events.changes, ['op', 'result']),
    master_shards_moved_total: () => events.movedShards,
  }
  return { kind: 'shardmaster', sources }
}

/** gid → shards, groups without any among them; 0 stands for no group. */
function ownedShards(config: Config | null): ReadonlyMap<number, number> {
  const owned = new Map<number, number>([[0, 0]])
  for (const gid of Object.keys(config?.groups ?? {})) owned.set(Number(gid), 0)
  for (const [gid, count] of countShards(config?.shards ?? [])) owned.set(gid, count)
  return owned
}

function spreadOf(config: Config | null): number {
  const counts = [...ownedShards(config)].filter(([gid]) => gid !== 0).map(([, count]) => count)
  return counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts)
}
