// Metrics of the process itself: the host around the replica, what passes between processes, the
// event loop, the exporter of traces, and the archive. prom-client's own process_* and nodejs_* come
// beside them.

import { createPeerCounters } from '../../server/host/peer-counters.ts'
import { SPAN } from '../trace/span-model.ts'
import {
  ARCHIVE,
  counter,
  gauge,
  histogram,
  LATENCY,
  type LabelValues,
  NODES,
  ROUND_TRIP,
} from './metric-family.ts'

const ALL = [...NODES, ...ARCHIVE] as const
const MESSAGES: LabelValues = { bound: 'types of messages between nodes', max: 40 }
const FAILURES = Object.keys(createPeerCounters().failures)
const one = (bound: string): LabelValues => ({ bound, max: 1 })

export const PROCESS_FAMILIES = {
  host_steps_total: counter(NODES, 'Steps of the replica'),
  host_inputs_total: counter(NODES, 'Inputs taken by these steps'),
  host_step_seconds_total: counter(NODES, 'Time spent in these steps'),
  host_waiting_requests: gauge(
    NODES,
    "Requests of clients and peers that wait for the replica's reply",
  ),
  transport_messages_total: counter(NODES, 'Messages between nodes', {
    type: MESSAGES,
    direction: ['sent', 'received'],
  }),
  transport_bytes_total: counter(NODES, 'Bytes of these messages', {
    direction: ['sent', 'received'],
  }),
  transport_round_trip_seconds: histogram(NODES, ROUND_TRIP, 'Pings and calls answered by a node'),
  transport_dials_total: counter(NODES, 'Connections opened to other nodes'),
  transport_failures_total: counter(NODES, 'What did not reach a node or was refused from one', {
    reason: FAILURES,
  }),
  transport_queue_bytes: gauge(NODES, 'Bytes that wait for other nodes to take them'),
  event_loop_utilization_ratio: gauge(
    ALL,
    'Share of time that the event loop was busy since the last scrape',
  ),
  event_loop_lag_seconds: histogram(
    ALL,
    LATENCY,
    'How late a timer fired, tried four times a second: what any callback may have to wait',
  ),
  node_info: gauge(NODES, 'Always 1; which node this is, and which life of its data', {
    name: one('name in log lines'),
    kind: ['shardmaster', 'shardkv'],
    gid: one('group id'),
    id: one('replica id'),
    incarnation: one('incarnation'),
  }),
  build_info: gauge(ALL, 'Always 1; what runs here', {
    version: one('release'),
    node_version: one('release of Node'),
  }),
  trace_spans_total: counter(NODES, 'Finished spans by what became of them', {
    span: Object.values(SPAN),
    result: ['exported', 'thinned', 'dropped', 'failed'],
  }),
  trace_queue_spans: gauge(NODES, 'Spans that wait for export'),
  trace_export_duration_seconds: histogram(NODES, LATENCY, 'One export of spans, failed ones too'),
  archive_spans_total: counter(ARCHIVE, 'Spans that came in or left, by what became of them', {
    result: ['stored', 'duplicate', 'rejected', 'expired'],
  }),
  archive_requests_total: counter(ARCHIVE, 'Exports received, by status code', {
    code: { bound: 'status codes in use', max: 12 },
  }),
  archive_bytes: gauge(ARCHIVE, 'Size of the archive on disk'),
  archive_stored_spans: gauge(ARCHIVE, 'Spans in the archive'),
  archive_oldest_timestamp_seconds: gauge(ARCHIVE, 'Unix time of the oldest span'),
  archive_write_duration_seconds: histogram(ARCHIVE, LATENCY, 'One transaction of inserts'),
} as const
