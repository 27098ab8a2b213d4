// The metrics that shardkv nodes alone have: shards, configurations, handoffs.

import type { Traffic } from '../../server/http/traffic.ts'
import type { ShardkvStatus } from '../../server/shardkv/status.ts'
import { SHARD_SERIES_MAX } from './metric-family.ts'
import { by, type Sample, type SourcesOf, spreadBy } from './metric-sources.ts'
import type { OwnSources, ShardkvSources } from './node-metrics.ts'
import { outcomes } from './node-sources.ts'
import { isMoving, type ShardMetrics } from './shard-metrics.ts'

export type ShardkvNumbers = {
  readonly status: () => ShardkvStatus
  /** Shards of the cluster; 0 before the first configuration. */
  readonly shardCount: () => number
  readonly shards: ShardMetrics
  readonly traffic: Traffic
  /** The clock of the events. */
  readonly nowMicros: () => number
}

export function shardkvSources(numbers: ShardkvNumbers): OwnSources {
  const { status, shards, traffic } = numbers
  const sources: ShardkvSources = {
    ...byShard(numbers),
    ...onTheMove(numbers),
    batch_operations_total: () => outcomes(traffic.batchOps()),
    operations_total: () =>
      by('kind', [
        ['read', traffic.reads],
        ['write', traffic.writes],
      ]),
    duplicate_requests_total: () => shards.repeated,
    client_sessions: () => status().sessions,
    sessions_retired_total: () => shards.retired,
    shards: () => {
      const { absent, ...held } = status().phases
      return by('phase', Object.entries(held))
    },
    config_number: () => status().config ?? -1,
    config_heard_number: () => Math.max(shards.heard, status().config ?? -1),
    config_settled_number: () => shards.settled,
    config_poll_age_seconds: () => status().shardmasterSilentMicros / 1e6,
    reconfiguration_duration_seconds: () => shards.reconfigurations,
  }
  return { kind: 'shardkv', sources }
}

type ByShard = 'shard_serving' | 'shard_keys' | 'shard_bytes' | 'shard_operations_total'

/** None at all where there are too many shards for a series each. */
function byShard({ status, shardCount, traffic }: ShardkvNumbers): SourcesOf<ByShard> {
  const isBounded = () => shardCount() <= SHARD_SERIES_MAX
  const held = (value: 'keys' | 'bytes') =>
    by('shard', isBounded() ? status().shards.map(one => [one.shard, one[value]]) : [])
  return {
    shard_serving: () => (isBounded() ? servingShards(status(), shardCount()) : []),
    shard_keys: () => held('keys'),
    shard_bytes: () => held('bytes'),
    shard_operations_total: () => (isBounded() ? operations(traffic) : []),
  }
}

/** All shards of the cluster, so that one which nobody serves is seen. */
function servingShards({ shards }: ShardkvStatus, count: number): Iterable<Sample> {
  const serving = new Set(shards.filter(({ phase }) => phase === 'serving').map(one => one.shard))
  return by(
    'shard',
    Array.from({ length: count }, (_, shard) => [shard, Number(serving.has(shard))]),
  )
}

function operations({ shardOps }: Traffic): Iterable<Sample> {
  return by('shard', shardOps.entries())
}

type OnTheMove = Extract<keyof ShardkvSources, `handoff${string}`>

function onTheMove({ status, shards, nowMicros }: ShardkvNumbers): SourcesOf<OnTheMove> {
  return {
    handoffs_total: () => by('direction', Object.entries(shards.handoffs)),
    handoffs_in_progress: () => {
      const moving = status().shards.filter(isMoving)
      const incoming = moving.filter(({ phase }) => phase === 'awaited').length
      return by('direction', [
        ['in', incoming],
        ['out', moving.length - incoming],
      ])
    },
    handoff_oldest_age_seconds: () => shards.oldestAge(status().shards, nowMicros()),
    handoff_phase_duration_seconds: () => spreadBy('phase', Object.entries(shards.phases)),
    handoff_bytes_total: () => by('direction', Object.entries(shards.bytes)),
    handoff_keys_total: () => by('direction', Object.entries(shards.keys)),
  }
}
