// Metrics of requests: what clients ask of a node's HTTP API, and how they are answered.

import { PROBLEM_CODES } from '../../server/http/problem.ts'
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

/** `other` is all that is asked beside: status, metrics, the API's page, what does not exist. */
const OPS = [
  ...['get', 'put', 'puthash', 'delete', 'batch'],
  ...['config', 'history', 'watch', 'join', 'leave', 'move', 'other'],
]
const TIMED = OPS.filter(op => op !== 'watch' && op !== 'other')
const BATCH_OPS = ['get', 'put', 'puthash', 'delete', 'cas']
/** `ok`, or the code of the problem as in `urn:shardglass:CODE`. */
const CODES = ['ok', ...PROBLEM_CODES]

export const REQUEST_FAMILIES = {
  requests_total: counter(NODES, 'Requests answered, by operation and outcome', {
    op: OPS,
    code: CODES,
  }),
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
    code: CODES,
  }),
  shard_operations_total: counter(
    GROUPS,
    'Key operations that this node answered its clients, by shard; not where there are over 256 shards',
    { shard: SHARDS, kind: ['read', 'write'] },
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
