// What Prometheus computes once and keeps, since several alerts and panels ask for it, or since it
// looks far back. Names say level:metric:operation, as is the custom.

export type Recording = {
  readonly record: RecordedName
  readonly expr: string
  readonly why: string
}

const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const

export type RecordedName =
  | `cluster:shardglass_request_errors:ratio_rate${(typeof WINDOWS)[number]}`
  | 'cluster_op:shardglass_request_duration_seconds:p99_rate5m'
  | 'group:shardglass_voters:sum'
  | 'group:shardglass_replicas:count'
  | 'group:shardglass_failures_survived:min'

/** Replicas that Prometheus knows of, whether they answer or not. */
export const REPLICAS_UP = 'up{role=~"shardmaster|shardkv"}'
export const GROUP_LABELS = 'cluster, role, group'

/** Problems that are ours: the request was right, and was not served. */
export const FAILURE_CODES = [
  ...['internal', 'no-leader', 'no-group', 'shard-moving', 'overloaded', 'not-ready'],
  ...['timeout', 'disk-full'],
]

const failures: readonly Recording[] = WINDOWS.map(window => {
  const of = (matchers: string): string =>
    `sum by (cluster) (rate(shardglass_requests_total{${matchers}}[${window}]))`
  const all = of('op!="other"')
  return {
    record: `cluster:shardglass_request_errors:ratio_rate${window}` as const,
    // An error that never happened has no series: it counts as 0.
    expr: `(\n  ${of(`op!="other", code=~"${FAILURE_CODES.join('|')}"`)}\n  or 0 * ${all}\n)\n/ ${all}`,
    why: `Share of requests that the cluster failed, over ${window}.`,
  }
})

/** In the order in which they build on each other. */
export const RECORDINGS: readonly Recording[] = [
  ...failures,
  {
    record: 'cluster_op:shardglass_request_duration_seconds:p99_rate5m',
    expr: 'histogram_quantile(0.99, sum by (cluster, op, le) (rate(shardglass_request_duration_seconds_bucket[5m])))',
    why: '99 of 100 requests of each kind are answered faster.',
  },
  {
    record: 'group:shardglass_replicas:count',
    expr: `count by (${GROUP_LABELS}) (${REPLICAS_UP})`,
    why: 'Replicas that a group should have.',
  },
  {
    record: 'group:shardglass_voters:sum',
    expr: `sum by (${GROUP_LABELS}) (shardglass_paxos_is_voter or 0 * ${REPLICAS_UP})`,
    why: 'Replicas that are up and have a vote; one that does not answer has none.',
  },
  {
    record: 'group:shardglass_failures_survived:min',
    expr: 'group:shardglass_voters:sum - floor(group:shardglass_replicas:count / 2) - 1',
    why: 'Voters that may fail before the majority is lost; below 0 it is.',
  },
]
