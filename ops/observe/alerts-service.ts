// Alerts on what clients feel, on the processes that serve them, and on their disks.

import type { Alert } from './alert.ts'
import type { RecordedName } from './recording-rules.ts'

const WHO = '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }}'
/** 999 of 1,000 requests are to be served, over 30 days. */
const BUDGET = 0.001

/** Both windows must burn: the long one says that it matters, the short one that it goes on. */
function burns(factor: number, long: string, short: string): string {
  const over = (window: string): string => {
    const name = `cluster:shardglass_request_errors:ratio_rate${window}` as RecordedName
    return `${name} > ${factor} * ${BUDGET}`
  }
  return `${over(long)} and ${over(short)}`
}

export const CLIENT_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassErrorBudgetBurnsFast',
    expr: burns(14.4, '1h', '5m'),
    forSeconds: 60,
    severity: 'critical',
    summary:
      'Cluster {{ $labels.cluster }} fails {{ $value | humanizePercentage }} of its requests',
    description:
      'At this rate the errors of a month (0.1 % of all requests) are used up in two days. Burning over an hour, and in the last five minutes.',
    panel: ['overview', 'How many requests does the cluster fail?'],
  },
  {
    name: 'ShardglassErrorBudgetBurns',
    expr: burns(6, '6h', '30m'),
    forSeconds: 300,
    severity: 'warning',
    summary:
      'Cluster {{ $labels.cluster }} failed {{ $value | humanizePercentage }} over six hours',
    description:
      'At this rate the errors of a month are used up in five days. Burning over six hours, and in the last half.',
    panel: ['overview', 'How many requests does the cluster fail?'],
  },
  {
    name: 'ShardglassErrorBudgetLeaks',
    expr: burns(1, '3d', '6h'),
    forSeconds: 3600,
    severity: 'info',
    summary: 'Cluster {{ $labels.cluster }} will not keep its error budget',
    description:
      'Over three days it failed {{ $value | humanizePercentage }} of its requests, more than the 0.1 % that it may.',
    panel: ['overview', 'How many requests does the cluster fail?'],
  },
  {
    name: 'ShardglassSlowRequests',
    expr: 'cluster_op:shardglass_request_duration_seconds:p99_rate5m{op=~"get|put|puthash|delete"} > 0.25',
    forSeconds: 300,
    severity: 'warning',
    summary: 'One {{ $labels.op }} in a hundred takes over {{ $value | humanizeDuration }}',
    description:
      'The limit is 0.25 s. The parts of an instance tell whether it waits for a disk, a peer or the queue.',
    panel: ['overview', 'Which operation is slow?'],
  },
  {
    name: 'ShardglassOverloaded',
    expr: 'sum by (cluster, role, group) (rate(shardglass_requests_total{code="overloaded"}[1m])) > 1',
    forSeconds: 60,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }} refuses requests: too much is waiting',
    description:
      '{{ $value | humanize }} requests each second are refused before they change anything.',
    panel: ['overview', 'Which errors are answered?'],
  },
]

export const PROCESS_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassEventLoopSaturated',
    expr: 'shardglass_event_loop_utilization_ratio > 0.95',
    forSeconds: 120,
    severity: 'warning',
    summary: `${WHO} has no time left`,
    description:
      'Its event loop is busy {{ $value | humanizePercentage }} of the time: everything waits, and soon others take it for dead.',
    panel: ['runtime-and-tracing', 'How busy is each process?'],
  },
  {
    name: 'ShardglassRestarting',
    expr: 'changes(process_start_time_seconds{role=~"shardmaster|shardkv|archive"}[15m]) >= 3',
    forSeconds: 0,
    severity: 'critical',
    summary: `${WHO} was started {{ $value }} times in a quarter of an hour`,
    description:
      'Its supervisor starts it again and again. A broken invariant, damage in its log or a refusal to start ends a process on purpose; it prints why.',
    panel: ['runtime-and-tracing', 'Which process started when?'],
  },
  {
    name: 'ShardglassFileDescriptors',
    expr: 'process_open_fds{role=~"shardmaster|shardkv|archive"} / process_max_fds > 0.8',
    forSeconds: 300,
    severity: 'warning',
    summary: `${WHO} has {{ $value | humanizePercentage }} of its files and connections open`,
    description: 'At the limit it accepts no connection and opens no segment of its log.',
    panel: ['runtime-and-tracing', 'Open files and connections'],
  },
]

export const DISK_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassFsyncSlow',
    expr: 'histogram_quantile(0.99, sum by (cluster, role, group, replica, le) (rate(shardglass_wal_sync_duration_seconds_bucket[5m]))) > 0.1',
    forSeconds: 60,
    severity: 'warning',
    summary: `${WHO}: the disk takes {{ $value | humanizeDuration }}`,
    description:
      'One write to the log in a hundred takes longer than 0.1 s. Every answer waits for a quorum of disks; a leader whose disk stands still steps down.',
    panel: ['storage', 'How long does the disk take?'],
  },
  {
    name: 'ShardglassDiskFull',
    expr: 'shardglass_wal_is_full == 1 or increase(shardglass_store_full_rounds_total[5m]) > 0',
    forSeconds: 0,
    severity: 'critical',
    summary: `${WHO} has no room left on its disk`,
    description:
      'Its log or its store could not be written. It keeps what it has and tries again; it makes no promise that is not on disk.',
    panel: ['storage', 'Has a disk no room left?'],
  },
  {
    name: 'ShardglassDiskFilling',
    expr: [
      'shardglass_disk_free_bytes / shardglass_disk_size_bytes < 0.1',
      'or',
      '(',
      '  shardglass_disk_free_bytes / shardglass_disk_size_bytes < 0.4',
      '  and predict_linear(shardglass_disk_free_bytes[1h], 4 * 3600) < 0',
      ')',
    ].join('\n'),
    forSeconds: 300,
    severity: 'warning',
    summary: `${WHO}: {{ $value | humanizePercentage }} of its disk is free`,
    description:
      'Less than a tenth is free, or less than four tenths and at the rate of the last hour it is full within four hours.',
    panel: ['storage', 'How much room is left?'],
  },
  {
    name: 'ShardglassStoreBehind',
    expr: 'shardglass_paxos_applied_slot - shardglass_paxos_durable_slot > 100000',
    forSeconds: 300,
    severity: 'warning',
    summary: `${WHO}: the store is {{ $value }} slots behind the log`,
    description:
      'Changes are in memory and in the log, and do not get into the store on disk. The log cannot be cut, and a restart would take long.',
    panel: ['storage', 'Applied, and not durable in the store yet'],
  },
]
