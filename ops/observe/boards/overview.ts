// The first page: is the cluster well, how fast does it answer, and what is going on in it.

import type { Board, Panel } from '../board.ts'
import { chosen, inCluster, maxBy, quantileOf, rateOf, sumBy } from '../query.ts'

const health: readonly Panel[] = [
  {
    kind: 'number',
    title: 'Groups with a leader',
    description: 'Groups in which some replica leads. Without a leader a group answers nothing.',
    unit: 'count',
    width: 4,
    page: '/',
    alerts: ['ShardglassNoLeader', 'ShardglassTwoLeaders'],
    queries: [
      {
        expr: `count(${maxBy('role, group', chosen('paxos_is_leader'))} == 1)`,
        legend: 'with a leader',
      },
      {
        expr: `count(${maxBy('role, group', chosen('paxos_is_leader'))})`,
        legend: 'of',
      },
    ],
  },
  {
    kind: 'number',
    title: 'Replicas that Prometheus reaches',
    description: 'Replicas whose last scrape succeeded, and how many there should be.',
    unit: 'count',
    width: 4,
    page: '/',
    alerts: ['ShardglassReplicaDown'],
    queries: [
      { expr: `sum(${chosen('up', 'role!="archive"')})`, legend: 'up' },
      { expr: `count(${chosen('up', 'role!="archive"')})`, legend: 'of' },
    ],
  },
  {
    kind: 'number',
    title: 'Failures that the weakest group survives',
    description:
      'Voters that the worst-off group could lose and still have a majority. 0: the next failure stops it.',
    unit: 'count',
    width: 4,
    page: '/',
    alerts: ['ShardglassOneFailureFromLoss', 'ShardglassQuorumLost'],
    queries: [
      {
        expr: `min(${inCluster('group:shardglass_failures_survived:min')})`,
        legend: 'failures',
      },
    ],
  },
  {
    kind: 'number',
    title: 'Configuration',
    description: 'Number of the newest configuration; each join, leave and move makes a new one.',
    unit: 'state',
    width: 4,
    page: '/configs',
    queries: [{ expr: `max(${inCluster('master_config_number')})`, legend: 'newest' }],
  },
  {
    kind: 'number',
    title: 'Shards on their way',
    description: 'Handoffs that have begun and not ended, counted at the takers.',
    unit: 'count',
    width: 4,
    page: '/handoffs',
    alerts: ['ShardglassHandoffStuck'],
    queries: [
      {
        expr: `sum(${maxBy('group', chosen('handoffs_in_progress', 'direction="in"'))})`,
        legend: 'handoffs',
      },
    ],
  },
  {
    kind: 'number',
    title: 'Error budget used in the last hour',
    description:
      'Share of requests that the cluster failed in the last hour, over the 0.1 % that it may fail. 1: as fast as it may be used in the long run.',
    unit: 'ratio',
    width: 4,
    page: '/runbook',
    alerts: ['ShardglassErrorBudgetBurnsFast', 'ShardglassErrorBudgetBurns'],
    warnFrom: 1,
    badFrom: 14.4,
    queries: [
      {
        expr: `max(${inCluster('cluster:shardglass_request_errors:ratio_rate1h')}) / 0.001`,
        legend: 'of the budget',
      },
    ],
  },
]

const requests: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'How much is asked?',
    description: 'Requests answered each second, by operation. A batch counts as one.',
    unit: 'operationsPerSecond',
    width: 12,
    page: '/',
    queries: [{ expr: sumBy('op', rateOf('requests_total')), legend: '{{op}}' }],
  },
  {
    kind: 'lines',
    title: 'How many requests does the cluster fail?',
    description:
      'Share of requests answered with an error of ours: no leader, no group, shard moving, overloaded, timeout, full disk, internal. Refused and wrong requests do not count.',
    unit: 'ratio',
    width: 12,
    page: '/',
    alerts: [
      'ShardglassErrorBudgetBurnsFast',
      'ShardglassErrorBudgetBurns',
      'ShardglassErrorBudgetLeaks',
    ],
    badFrom: 0.01,
    queries: [
      {
        expr: inCluster('cluster:shardglass_request_errors:ratio_rate5m'),
        legend: 'failed, 5 min',
      },
      {
        expr: inCluster('cluster:shardglass_request_errors:ratio_rate30m'),
        legend: 'failed, 30 min',
      },
      { expr: inCluster('cluster:shardglass_request_errors:ratio_rate6h'), legend: 'failed, 6 h' },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does an answer take?',
    description:
      'Half of all requests are answered faster than the first line, 99 of 100 faster than the second. Dots are requests whose trace is kept: a click opens it.',
    unit: 'seconds',
    width: 12,
    page: '/traces?name=request&order=slowest',
    alerts: ['ShardglassSlowRequests'],
    badFrom: 0.25,
    queries: [0.5, 0.99, 0.999].map(quantile => ({
      expr: quantileOf(quantile, 'request_duration_seconds'),
      legend: `p${quantile * 100}`,
      ...(quantile === 0.99 ? { hasExemplars: true as const } : {}),
    })),
  },
  {
    kind: 'lines',
    title: 'Which operation is slow?',
    description: '99 of 100 requests of each kind are answered faster than this.',
    unit: 'seconds',
    width: 12,
    page: '/traces?name=request&order=slowest',
    alerts: ['ShardglassSlowRequests'],
    queries: [
      { expr: quantileOf(0.99, 'request_duration_seconds', { by: 'op' }), legend: '{{op}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Which errors are answered?',
    description: 'Requests each second that were not answered with ok, by the code of the problem.',
    unit: 'operationsPerSecond',
    width: 8,
    page: '/',
    alerts: ['ShardglassOverloaded'],
    queries: [
      {
        expr: sumBy('code', rateOf('requests_total', 'code!="ok"')),
        legend: '{{code}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Which group has the work?',
    description: 'Requests answered each second by the replicas of each group.',
    unit: 'operationsPerSecond',
    width: 8,
    page: '/',
    queries: [
      {
        expr: sumBy('role, group', rateOf('requests_total')),
        legend: '{{role}} {{group}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Requests being worked on',
    description: 'Requests received and not answered yet, event streams left out.',
    unit: 'count',
    width: 8,
    page: '/',
    alerts: ['ShardglassOverloaded'],
    queries: [
      { expr: sumBy('role, group', chosen('requests_in_flight')), legend: '{{role}} {{group}}' },
    ],
  },
]

const more: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'What made reads safe?',
    description:
      'quorum: a majority confirmed the leader. lease: kept votes stood for it. stale: no safety was asked for.',
    unit: 'operationsPerSecond',
    width: 8,
    page: '/',
    queries: [{ expr: sumBy('path', rateOf('reads_total')), legend: '{{path}}' }],
  },
  {
    kind: 'lines',
    title: 'How long do reads wait for that?',
    description:
      'For each confirmation, how long the oldest read waited that it released: 99 of 100 were shorter.',
    unit: 'seconds',
    width: 8,
    page: '/',
    queries: [{ expr: quantileOf(0.99, 'read_wait_seconds', { by: 'path' }), legend: '{{path}}' }],
  },
  {
    kind: 'lines',
    title: 'Bytes of requests and answers',
    description: 'Bytes of bodies each second, from clients and to them.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/',
    queries: [{ expr: sumBy('direction', rateOf('request_bytes_total')), legend: '{{direction}}' }],
  },
  {
    kind: 'lines',
    title: 'Operations inside batches',
    description: 'Operations of batch requests each second, by kind and outcome.',
    unit: 'operationsPerSecond',
    width: 8,
    page: '/',
    queries: [
      { expr: sumBy('op, code', rateOf('batch_operations_total')), legend: '{{op}} {{code}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Repeated writes that were not run again',
    description:
      'Repeats answered from their session each second. Some come with every leader change.',
    unit: 'operationsPerSecond',
    width: 8,
    page: '/',
    queries: [
      { expr: sumBy('group', rateOf('duplicate_requests_total')), legend: 'group {{group}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Sessions of clients',
    description: 'By which repeated requests are known; they travel with their shard.',
    unit: 'count',
    width: 8,
    page: '/',
    queries: [
      {
        expr: maxBy('role, group', chosen('client_sessions')),
        legend: '{{role}} {{group}}',
      },
    ],
  },
  {
    kind: 'table',
    title: 'What runs where?',
    description: 'Version of the program and of Node in each process.',
    unit: 'state',
    width: 24,
    page: '/',
    queries: [
      {
        expr: `max by (role, group, replica, version, node_version) (${chosen('build_info')})`,
        legend: '',
      },
    ],
  },
]

export const OVERVIEW: Board = {
  name: 'overview',
  title: 'Shardglass: overview',
  description: 'Is the cluster well, how fast does it answer, and what is going on in it?',
  rows: [
    { title: 'Is it well?', panels: health },
    { title: 'Requests', panels: requests },
    { title: 'Reads, batches, versions', panels: more },
  ],
}
