// Series stay few where shards and groups are many, and targets are named however their URLs look.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SHARD_SERIES_MAX } from '../../../ops/telemetry/metric-family.ts'
import type { AnySource, Sample } from '../../../ops/telemetry/metric-sources.ts'
import { ShardMetrics } from '../../../ops/telemetry/shard-metrics.ts'
import { shardkvSources } from '../../../ops/telemetry/shardkv-metrics.ts'
import { shardmasterSources } from '../../../ops/telemetry/shardmaster-metrics.ts'
import { targetsOf } from '../../../ops/telemetry/targets-route.ts'
import { Traffic } from '../../../server/http/traffic.ts'
import type { ShardkvStatus } from '../../../server/shardkv/status.ts'
import { type Config, initialConfig } from '../../../server/shardmaster/config.ts'

const test = suite('bounds of series')

function samples(source: AnySource): readonly Sample[] {
  const read = source()
  if (typeof read === 'number') return [{ labels: {}, value: read }]
  return Symbol.iterator in read ? ([...read] as Sample[]) : []
}

function shardkv(shardCount: number): ReadonlyMap<string, AnySource> {
  const traffic = new Traffic(1)
  const shards = Array.from({ length: shardCount }, (_, shard) => {
    traffic.ran(shard, true, false)
    return { shard, phase: 'serving', config: 1, peer: 0, keys: 1, bytes: 2 } as const
  })
  const status: ShardkvStatus = {
    config: 1,
    phases: { absent: 0, awaited: 0, serving: shardCount, leaving: 0, releasing: 0 },
    shards: shards.slice(1),
    handoffs: [],
    sessions: 0,
    shardmasterSilentMicros: 0,
    isSafeToStop: false,
  }
  const { sources } = shardkvSources({
    status: () => status,
    shardCount: () => shardCount,
    shards: new ShardMetrics(1),
    traffic,
    nowMicros: () => 0,
  })
  return new Map<string, AnySource>(Object.entries(sources))
}

const BY_SHARD = ['shard_serving', 'shard_keys', 'shard_bytes', 'shard_operations_total']

test('with many shards none has a series of its own, and their sums stay', () => {
  const few = shardkv(SHARD_SERIES_MAX)
  const counts = BY_SHARD.map(name => samples(few.get(name)!).length)
  assert.equal(counts, [256, 255, 255, 256])
  const served = samples(few.get('shard_serving')!)
  assert.is(served[0]?.value, 0, 'nobody here serves the first one, which is told, too')
  assert.is(served[1]?.value, 1)
  const many = shardkv(SHARD_SERIES_MAX + 1)
  for (const name of BY_SHARD) assert.equal(samples(many.get(name)!), [], name)
  const phases = samples(many.get('shards')!)
  assert.is(phases.find(({ labels }) => labels.phase === 'serving')?.value, 257)
})

function withGroups(count: number): Config {
  const gids = Array.from({ length: count }, (_, index) => index + 1)
  const groups = Object.fromEntries(gids.map(gid => [String(gid), [`http://g${gid}:1`]]))
  const shards = Array.from({ length: 128 }, (_, shard) => (shard % count) + 1)
  return { ...initialConfig(128, 'hash'), num: 7, at: 1_700_000_000_500, groups, shards }
}

function shardmaster(config: Config | null): ReadonlyMap<string, AnySource> {
  const events = new ShardMetrics(0)
  const { sources } = shardmasterSources({ config: () => config, sessions: () => 3, events })
  return new Map<string, AnySource>(Object.entries(sources))
}

test('with many groups none has a series of its own, and the spread stays', () => {
  const few = shardmaster(withGroups(64))
  assert.is(samples(few.get('master_group_shards')!).length, 65)
  const many = shardmaster(withGroups(65))
  assert.equal(samples(many.get('master_group_shards')!), [])
  assert.is(samples(many.get('master_shard_spread')!)[0]?.value, 1)
  assert.is(samples(many.get('master_groups')!)[0]?.value, 65)
  assert.is(samples(many.get('master_config_timestamp_seconds')!)[0]?.value, 1_700_000_000.5)
})

test('a shardmaster that knows no configuration says so', () => {
  const none = shardmaster(null)
  assert.is(samples(none.get('master_config_number')!)[0]?.value, -1)
  assert.is(samples(none.get('master_shard_spread')!)[0]?.value, 0)
  assert.equal(samples(none.get('master_group_shards')!), [{ labels: { owner: '0' }, value: 0 }])
})

test('a group without shards has 0, and shards without a group are of owner 0', () => {
  const config = { ...withGroups(2), shards: [0, 0, 1] }
  assert.equal(samples(shardmaster(config).get('master_group_shards')!), [
    { labels: { owner: '0' }, value: 2 },
    { labels: { owner: '1' }, value: 1 },
    { labels: { owner: '2' }, value: 0 },
  ])
  assert.is(samples(shardmaster(config).get('master_shard_spread')!)[0]?.value, 1)
})

test('targets keep the scheme and the path of their URLs', () => {
  const groups = { '4': ['https://kv.example:8443/shardglass/', 'http://[::1]:4211'] }
  const config = { ...withGroups(1), groups }
  const found = targetsOf({ cluster: 'c', shardmasters: ['http://sm:1'], config: () => config })
  const common = { cluster: 'c', role: 'shardkv', group: '4' }
  assert.equal(found, [
    {
      targets: ['sm:1'],
      labels: {
        ...{ cluster: 'c', role: 'shardmaster', group: '0', replica: '0' },
        ...{ __metrics_path__: '/metrics', __scheme__: 'http' },
      },
    },
    {
      targets: ['kv.example:8443'],
      labels: {
        ...{ ...common, replica: '0' },
        ...{ __metrics_path__: '/shardglass/metrics', __scheme__: 'https' },
      },
    },
    {
      targets: ['[::1]:4211'],
      labels: {
        ...{ ...common, replica: '1' },
        ...{ __metrics_path__: '/metrics', __scheme__: 'http' },
      },
    },
  ])
})

test.run()
