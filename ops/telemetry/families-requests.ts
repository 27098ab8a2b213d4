// Metrics of requests: what clients ask of a node's HTTP API, and how they are answered.

import { ANSWER_CODES, BATCH_OPS, REQUEST_OPS } from '../../server/http/traffic.ts'
import {
  counter,
  GROUPS,
  gauge,
  histogram,
  LATENCY,
  NODES,
  SHARDS,
  withExemplars,
} from './metric-family.ts'

const TIMED = REQUEST_OPS.filter(op => op !== 'watch' && op !== 'other')

export const REQUEST_FAMILIES = {
  requests_total: counter(
    NODES,
    'Requests answered, by operation and outcome: ok, or the code as in urn:shardglass:CODE',
    {
      op: REQUEST_OPS,
      code: ANSWER_CODES,
    },
  ),
  request_duration_seconds: withExemplars(
    histogram(
      NODES,
      LATENCY,
      'From a request received to its answer; requests that were run: ok, absent, or condition not met',
      { op: TIMED },
    ),
  ),
  requests_in_flight: gauge(NODES, 'Requests received and not answered yet, without event streams'),
  request_bytes_total: counter(NODES, 'Bytes of bodies in requests and answers', {
    direction: ['in', 'out'],
  }),
  batch_operations_total: counter(GROUPS, 'Operations inside batch requests, by outcome', {
    op: BATCH_OPS,
    code: ANSWER_CODES,
  }),
  operations_total: counter(GROUPS, 'Key operations that this node answered its clients', {
    kind: ['read', 'write'],
  }),
  shard_operations_total: counter(
    GROUPS,
    'The same by shard; not where there are over 256 shards',
    { shard: SHARDS },
  ),
  duplicate_requests_total: counter(
    GROUPS,
    'Repeated writes in the log that were answered from their session and not run again',
  ),
  client_sessions: gauge(
    NODES,
    "Clients' sessions held here, by which repeated requests are known",
  ),
  reads_total: counter(NODES, 'Reads by what made them safe; stale ones ask for no safety', {
    path: ['quorum', 'lease', 'stale'],
  }),
  read_wait_seconds: histogram(
    NODES,
    LATENCY,
    'Per confirmation: how long the oldest read that it released had waited',
    { path: ['quorum', 'lease'] },
  ),
} as const
