// Cases of the alerts on shards, configurations and traces.

import { type AlertCase, of, type Where } from './alert-series.ts'

const serving = (where: Where, value: number): Record<string, string> => ({
  [of('shard_serving', where, 'shard="17"')]: `${value}x100`,
})
const master = { role: 'shardmaster', group: 0 }
const archive = { role: 'archive', group: 0 }

export const SHARD_CASES: readonly AlertCase[] = [
  {
    alert: 'ShardglassShardTwoOwners',
    fires: {
      what: 'the leaders of two groups would serve it',
      series: {
        ...serving({ group: 1 }, 1),
        ...serving({ group: 2 }, 1),
        [of('paxos_is_leader', { group: 1 })]: '1x100',
        [of('paxos_is_leader', { group: 2 })]: '1x100',
      },
      at: '2m',
    },
    spares: {
      what: 'a follower of the giver lags',
      series: {
        ...serving({ group: 1 }, 1),
        ...serving({ group: 2 }, 1),
        [of('paxos_is_leader', { group: 1 })]: '0x100',
        [of('paxos_is_leader', { group: 2 })]: '1x100',
      },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassShardNoOwner',
    fires: {
      what: 'no group serves it',
      series: { ...serving({ group: 1 }, 0), ...serving({ group: 2 }, 0) },
      at: '2m',
    },
    spares: {
      what: 'one group serves it',
      series: { ...serving({ group: 1 }, 0), ...serving({ group: 2 }, 1) },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassHandoffStuck',
    fires: {
      what: 'under way and no end',
      series: { [of('handoff_oldest_age_seconds')]: '0+5x100' },
      at: '2m',
    },
    spares: {
      what: 'done within a minute',
      series: { [of('handoff_oldest_age_seconds')]: '0+5x10 0x100' },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassConfigBehind',
    fires: {
      what: 'one of two groups stays at 3',
      series: {
        [of('master_config_number', master)]: '4x100',
        [of('config_number', { group: 1 })]: '4x100',
        [of('config_number', { group: 2 })]: '3x100',
      },
      at: '3m',
    },
    spares: {
      what: 'a follower stays behind, its group does not',
      series: {
        [of('master_config_number', master)]: '4x100',
        [of('config_number', { replica: 0 })]: '4x100',
        [of('config_number', { replica: 1 })]: '3x100',
      },
      at: '3m',
    },
  },
  {
    alert: 'ShardglassMasterUnreachable',
    fires: {
      what: 'no answer any more',
      series: { [of('config_poll_age_seconds')]: '0+5x100' },
      at: '1m',
    },
    spares: {
      what: 'an answer each second',
      series: { [of('config_poll_age_seconds')]: '1x100' },
      at: '1m',
    },
  },
  {
    alert: 'ShardglassShardsUnassigned',
    fires: {
      what: 'all groups left',
      series: {
        [of('master_group_shards', master, 'owner="0"')]: '64x100',
        [of('master_config_number', master)]: '4x100',
      },
      at: '2m',
    },
    spares: {
      what: 'none has joined yet',
      series: {
        [of('master_group_shards', master, 'owner="0"')]: '64x100',
        [of('master_config_number', master)]: '0x100',
      },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassUnbalanced',
    fires: {
      what: 'three apart',
      series: { [of('master_shard_spread', master)]: '3x300' },
      at: '16m',
    },
    spares: {
      what: 'one apart',
      series: { [of('master_shard_spread', master)]: '1x300' },
      at: '16m',
    },
  },
]

const stored = (values: string): Record<string, string> => ({
  [of('archive_spans_total', archive, 'result="stored"')]: values,
})

export const TRACE_CASES: readonly AlertCase[] = [
  {
    alert: 'ShardglassSpansLost',
    fires: {
      what: 'a full queue',
      series: {
        [of('trace_spans_total', {}, 'span="paxos.instance", result="dropped"')]: '0x5 7x20',
      },
      at: '1m',
    },
    spares: {
      what: 'all exported, some lost long ago',
      series: {
        [of('trace_spans_total', {}, 'span="paxos.instance", result="dropped"')]: '7x20',
        [of('trace_spans_total', {}, 'span="paxos.instance", result="exported"')]: '0+50x20',
      },
      at: '1m',
    },
  },
  {
    alert: 'ShardglassArchiveDown',
    fires: { what: 'down', series: { [of('up', archive)]: '0x100' }, at: '2m' },
    spares: { what: 'restarted', series: { [of('up', archive)]: '1x5 0x3 1x100' }, at: '2m' },
  },
  {
    alert: 'ShardglassArchiveSilent',
    fires: {
      what: 'instances and no spans',
      series: {
        ...stored('700x200'),
        [of('paxos_instances_total', {}, 'origin="own"')]: '0+50x200',
      },
      at: '5m',
    },
    spares: {
      what: 'nothing is decided at all',
      series: { ...stored('700x200'), [of('paxos_instances_total', {}, 'origin="own"')]: '9x200' },
      at: '5m',
    },
  },
  {
    alert: 'ShardglassArchiveRejects',
    fires: {
      what: 'refuses some',
      series: { [of('archive_spans_total', archive, 'result="rejected"')]: '0+1x100' },
      at: '3m',
    },
    spares: {
      what: 'knows some already',
      series: { [of('archive_spans_total', archive, 'result="duplicate"')]: '0+1x100' },
      at: '3m',
    },
  },
]
