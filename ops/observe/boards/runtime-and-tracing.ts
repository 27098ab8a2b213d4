// The processes themselves: event loop, memory, what passes between them, and the traces that they
// write: nothing may be lost on its way into the archive.

import type { Board, Panel } from '../board.ts'
import { chosen, exported, inCluster, quantileOf, rateOf, sumBy } from '../query.ts'

const WHO = '{{role}} {{group}}-{{replica}}'
const BY_WHO = 'role, group, replica'

const loop: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'How busy is each process?',
    description: 'Share of time that the event loop was busy. Near 1 everything waits for it.',
    unit: 'ratio',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassEventLoopSaturated'],
    warnFrom: 0.8,
    badFrom: 0.95,
    queries: [{ expr: chosen('event_loop_utilization_ratio'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'How late do timers fire?',
    description: 'What any callback may have to wait (p99). Long pauses look like failures.',
    unit: 'seconds',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassEventLoopSaturated'],
    badFrom: 0.5,
    queries: [{ expr: quantileOf(0.99, 'event_loop_lag_seconds', { by: BY_WHO }), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Time in the replica’s steps',
    description:
      'Seconds of each second spent inside the core. The rest is disk, network and HTTP.',
    unit: 'ratio',
    width: 8,
    page: '/charts',
    queries: [{ expr: sumBy(BY_WHO, rateOf('host_step_seconds_total')), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Inputs in one step',
    description: 'What came in during one turn of the event loop is one step. Grows under load.',
    unit: 'count',
    width: 8,
    page: '/charts',
    queries: [
      {
        expr: `${sumBy(BY_WHO, rateOf('host_inputs_total'))} / ${sumBy(BY_WHO, rateOf('host_steps_total'))}`,
        legend: WHO,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Requests that wait for the replica',
    description: 'Requests of clients and peers that the replica has not replied to yet.',
    unit: 'count',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassOverloaded'],
    queries: [{ expr: chosen('host_waiting_requests'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'CPU',
    description: 'Seconds of CPU each second, all threads of the process.',
    unit: 'ratio',
    width: 8,
    page: '/charts',
    queries: [{ expr: rateOf('process_cpu_seconds_total'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Memory',
    description: 'Resident memory of the process, and its part that is the JavaScript heap.',
    unit: 'bytes',
    width: 8,
    page: '/charts',
    queries: [
      { expr: chosen('process_resident_memory_bytes'), legend: `${WHO} resident` },
      { expr: chosen('nodejs_heap_size_used_bytes'), legend: `${WHO} heap` },
    ],
  },
  {
    kind: 'lines',
    title: 'Garbage collection',
    description: 'Seconds of each second spent on it, by kind.',
    unit: 'ratio',
    width: 8,
    page: '/charts',
    queries: [
      {
        expr: sumBy('role, kind', rateOf('nodejs_gc_duration_seconds_sum')),
        legend: '{{role}} {{kind}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Open files and connections',
    description: 'File descriptors in use over those allowed.',
    unit: 'ratio',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassFileDescriptors'],
    badFrom: 0.8,
    queries: [
      { expr: `${chosen('process_open_fds')} / ${chosen('process_max_fds')}`, legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'Which process started when?',
    description: 'How long each has been up; a line that falls is a restart.',
    unit: 'age',
    width: 12,
    page: '/charts',
    alerts: ['ShardglassRestarting'],
    queries: [{ expr: `time() - ${chosen('process_start_time_seconds')}`, legend: WHO }],
  },
  {
    kind: 'table',
    title: 'Which node is which?',
    description: 'Names in log lines, ids, and the incarnation of the data directory.',
    unit: 'state',
    width: 12,
    page: '/charts',
    queries: [
      { expr: `max by (name, kind, gid, id, incarnation) (${chosen('node_info')})`, legend: '' },
    ],
  },
]

const transport: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Messages between nodes',
    description: 'Sent each second, by type.',
    unit: 'perSecond',
    width: 8,
    page: '/charts',
    queries: [
      {
        expr: sumBy('type', rateOf('transport_messages_total', 'direction="sent"')),
        legend: '{{type}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Bytes between nodes',
    description: 'Each second, by direction, over the chosen nodes.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/charts',
    queries: [
      {
        expr: sumBy('role, direction', rateOf('transport_bytes_total')),
        legend: '{{role}} {{direction}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does a call to another node take?',
    description: 'Pings and calls that were answered: 99 of 100 were faster.',
    unit: 'seconds',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassPeerSlow'],
    queries: [
      { expr: quantileOf(0.99, 'transport_round_trip_seconds', { by: BY_WHO }), legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'What did not reach another node?',
    description: 'Each second, by reason. A stopped node is dialled again and again.',
    unit: 'perSecond',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassReplicaSilent'],
    queries: [{ expr: sumBy('reason', rateOf('transport_failures_total')), legend: '{{reason}}' }],
  },
  {
    kind: 'lines',
    title: 'Connections opened to other nodes',
    description: 'Each second. They are kept, so this is 0 when all is well.',
    unit: 'perSecond',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassReplicaSilent'],
    queries: [{ expr: sumBy(BY_WHO, rateOf('transport_dials_total')), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Bytes that wait for other nodes',
    description:
      'What others have not taken yet. Grows towards a bound, then messages are dropped.',
    unit: 'bytes',
    width: 8,
    page: '/charts',
    alerts: ['ShardglassReplicaSilent'],
    queries: [{ expr: chosen('transport_queue_bytes'), legend: WHO }],
  },
]

const traces: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Is every span exported?',
    description:
      'Finished spans each second, by what became of them. Every instance and handoff is one; dropped and failed are to be 0.',
    unit: 'perSecond',
    width: 8,
    page: '/traces',
    alerts: ['ShardglassSpansLost'],
    queries: [{ expr: sumBy('result', rateOf('trace_spans_total')), legend: '{{result}}' }],
  },
  {
    kind: 'lines',
    title: 'Which spans are written?',
    description: 'Finished spans each second, by name.',
    unit: 'perSecond',
    width: 8,
    page: '/traces',
    queries: [{ expr: sumBy('span', rateOf('trace_spans_total')), legend: '{{span}}' }],
  },
  {
    kind: 'lines',
    title: 'Spans that wait for export',
    description: 'Kept while the archive is away, up to a bound; then spans are lost, and counted.',
    unit: 'count',
    width: 8,
    page: '/traces',
    alerts: ['ShardglassSpansLost', 'ShardglassArchiveDown'],
    queries: [{ expr: chosen('trace_queue_spans'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'How long does an export take?',
    description: 'One export of spans, failed ones too (p99).',
    unit: 'seconds',
    width: 8,
    page: '/traces',
    queries: [
      { expr: quantileOf(0.99, 'trace_export_duration_seconds', { by: BY_WHO }), legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'What does the archive take in?',
    description: 'Spans each second: stored, come twice, refused, and deleted for age or size.',
    unit: 'perSecond',
    width: 8,
    page: '/traces',
    alerts: ['ShardglassArchiveSilent', 'ShardglassArchiveRejects'],
    queries: [
      {
        expr: `sum by (result) (rate(${inCluster('archive_spans_total')}[$__rate_interval]))`,
        legend: '{{result}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How does the archive answer exports?',
    description: 'Exports received each second, by status code. 200 is good.',
    unit: 'perSecond',
    width: 8,
    page: '/traces',
    alerts: ['ShardglassArchiveRejects'],
    queries: [
      {
        expr: `sum by (code) (rate(${inCluster('archive_requests_total')}[$__rate_interval]))`,
        legend: '{{code}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does the archive write?',
    description: 'One transaction of inserts: 99 of 100 were faster.',
    unit: 'seconds',
    width: 8,
    page: '/traces',
    queries: [
      {
        expr: `histogram_quantile(0.99, sum by (le) (rate(${inCluster('archive_write_duration_seconds_bucket')}[$__rate_interval])))`,
        legend: 'p99',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Size of the archive',
    description: 'On disk. Old spans leave when it comes near its bound.',
    unit: 'bytes',
    width: 8,
    page: '/traces',
    queries: [{ expr: inCluster('archive_bytes'), legend: 'on disk' }],
  },
  {
    kind: 'number',
    title: 'Spans in the archive',
    description: 'All that can be asked for.',
    unit: 'count',
    width: 4,
    height: 8,
    page: '/traces',
    queries: [{ expr: `max(${inCluster('archive_stored_spans')})`, legend: 'spans' }],
  },
  {
    kind: 'number',
    title: 'How far back does the archive reach?',
    description: 'When its oldest span began.',
    unit: 'instant',
    width: 4,
    height: 8,
    page: '/traces',
    queries: [
      {
        expr: `min(${exported('archive_oldest_timestamp_seconds')}{cluster="$cluster"} > 0) * 1000`,
        legend: 'oldest',
      },
    ],
  },
]

export const RUNTIME_AND_TRACING: Board = {
  name: 'runtime-and-tracing',
  title: 'Shardglass: runtime and tracing',
  description: 'Event loops, memory, what passes between processes, and the traces they write.',
  rows: [
    { title: 'Processes', panels: loop },
    { title: 'Between nodes', panels: transport },
    { title: 'Traces and their archive', panels: traces },
  ],
}
