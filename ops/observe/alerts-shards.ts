// Alerts on shards and configurations, and on the traces of it all.

import type { Alert } from './alert.ts'

export const SHARD_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassShardTwoOwners',
    // Leaders only: a follower learns a little later that its group has given a shard away.
    expr: 'count by (cluster, shard) (shardglass_shard_serving == 1 and on (cluster, role, group, replica) shardglass_paxos_is_leader == 1) > 1',
    forSeconds: 60,
    severity: 'critical',
    summary: 'Shard {{ $labels.shard }} is served by {{ $value }} groups',
    description:
      'This must never be: the giver is frozen before the taker serves. A leader cut off from its group may claim it until it steps down, and no longer.',
    panel: ['shards-and-handoff', 'Is every shard served, and by one group?'],
  },
  {
    name: 'ShardglassShardNoOwner',
    expr: 'max by (cluster, shard) (shardglass_shard_serving) == 0',
    forSeconds: 60,
    severity: 'critical',
    summary: 'Nobody serves shard {{ $labels.shard }}',
    description:
      'Its keys can neither be read nor written. Either its group is down, or its handoff does not end, or it belongs to no group.',
    panel: ['shards-and-handoff', 'Is every shard served, and by one group?'],
  },
  {
    name: 'ShardglassHandoffStuck',
    expr: 'max by (cluster, group) (shardglass_handoff_oldest_age_seconds) > 60',
    forSeconds: 15,
    severity: 'critical',
    summary:
      'Group {{ $labels.group }}: a handoff has been under way for {{ $value | humanizeDuration }}',
    description:
      'Mostly the group at the other end has no majority or cannot be reached. The shard is not lost: the giver keeps it until the taker has it.',
    panel: ['shards-and-handoff', 'How long have handoffs been under way?'],
  },
  {
    name: 'ShardglassConfigBehind',
    expr: 'max by (cluster) (shardglass_master_config_number) - on (cluster) group_right () max by (cluster, group) (shardglass_config_number) > 0',
    forSeconds: 120,
    severity: 'critical',
    summary: 'Group {{ $labels.group }} is {{ $value }} configurations behind',
    description:
      'It has not adopted the newest configuration: it waits for shards of an earlier one, has no majority, or reaches no shardmaster.',
    panel: ['shards-and-handoff', 'Does every group follow the configuration?'],
  },
  {
    name: 'ShardglassMasterUnreachable',
    expr: 'max by (cluster, group) (shardglass_config_poll_age_seconds) > 10',
    forSeconds: 30,
    severity: 'warning',
    summary: 'Group {{ $labels.group }} reaches no shardmaster',
    description:
      'Not for {{ $value | humanizeDuration }}. It goes on serving what it has, and follows no change.',
    panel: ['shards-and-handoff', 'How long ago did a shardmaster answer?'],
  },
  {
    name: 'ShardglassShardsUnassigned',
    expr: 'max by (cluster) (shardglass_master_group_shards{owner="0"}) > 0 and on (cluster) max by (cluster) (shardglass_master_config_number) > 0',
    forSeconds: 60,
    severity: 'critical',
    summary: '{{ $value }} shards belong to no group',
    description: 'All groups left. The last holders keep the data frozen until a group joins.',
    panel: ['shards-and-handoff', 'How many shards does each group have?'],
  },
  {
    name: 'ShardglassUnbalanced',
    expr: 'max by (cluster) (shardglass_master_shard_spread) > 1',
    forSeconds: 900,
    severity: 'info',
    summary: 'The groups’ shares of shards differ by {{ $value }}',
    description: 'Single shards were moved by hand. The next join or leave evens it out.',
    panel: ['shards-and-handoff', 'Groups, and how even their shares are'],
  },
]

export const TRACE_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassSpansLost',
    expr: 'sum by (cluster, role, group, replica, result) (increase(shardglass_trace_spans_total{result=~"dropped|failed"}[5m])) > 0',
    forSeconds: 0,
    severity: 'warning',
    summary:
      '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }} lost {{ $value | humanize }} spans ({{ $labels.result }})',
    description:
      'Some instances or handoffs of the last five minutes have no trace. Either the archive was away for longer than the queue reaches, or it refuses spans.',
    panel: ['runtime-and-tracing', 'Is every span exported?'],
  },
  {
    name: 'ShardglassArchiveDown',
    expr: 'up{role="archive"} == 0',
    forSeconds: 60,
    severity: 'warning',
    summary: 'The trace archive is down',
    description:
      'Keys are served as before. Nodes keep their spans up to a bound, and lose them from then on.',
    panel: ['runtime-and-tracing', 'Spans that wait for export'],
  },
  {
    name: 'ShardglassArchiveSilent',
    expr: 'sum by (cluster) (rate(shardglass_archive_spans_total{result="stored"}[5m])) == 0 and sum by (cluster) (rate(shardglass_paxos_instances_total[5m])) > 0',
    forSeconds: 120,
    severity: 'warning',
    summary: 'Instances are decided, and the archive stores nothing',
    description: 'Nodes export elsewhere (OTEL_ variables), or cannot reach the archive.',
    panel: ['runtime-and-tracing', 'What does the archive take in?'],
  },
  {
    name: 'ShardglassArchiveRejects',
    expr: 'sum by (cluster) (increase(shardglass_archive_spans_total{result="rejected"}[5m])) > 0',
    forSeconds: 60,
    severity: 'warning',
    summary: 'The archive refused {{ $value | humanize }} spans',
    description: 'They were malformed or over a bound. Nodes of another version, or a stranger.',
    panel: ['runtime-and-tracing', 'How does the archive answer exports?'],
  },
]
