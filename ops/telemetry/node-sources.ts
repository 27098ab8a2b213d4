// The metrics of what surrounds a replica in its process: requests, disk, transport, host, spans.

import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'
import { SPAN } from '../trace/span-model.ts'
import { by, type Sample, type SourcesOf, type Spread } from './metric-sources.ts'
import type { CommonName, NodeNumbers } from './node-metrics.ts'
import { tracesOf } from './paxos-sources.ts'
import type { TraceCounters } from './tracing.ts'

type RequestName = Extract<CommonName, `request${string}`>
type StorageName = Extract<CommonName, `${'wal' | 'store' | 'disk'}_${string}`>
type HostName = Extract<CommonName, `host_${string}` | `transport_${string}` | 'node_info'>
type SpanName = Extract<CommonName, `trace_${string}`>

export function requestSources(numbers: NodeNumbers): SourcesOf<RequestName> {
  const { traffic } = numbers
  const traceOf = tracesOf(numbers)
  return {
    requests_total: () => outcomes(traffic.answered()),
    request_duration_seconds: function* (): Iterable<Spread> {
      for (const [op, tally] of traffic.durations) {
        if (tally.sum > 0 && isTimed(op)) yield { labels: { op }, tally, traceOf }
      }
    },
    requests_in_flight: () => traffic.begun - traffic.ended,
    request_bytes_total: () =>
      by('direction', [
        ['in', traffic.bytesIn],
        ['out', traffic.bytesOut],
      ]),
  }
}

/** A stream lasts as long as its reader wants, and `other` is a mixture. */
export function isTimed(op: string): boolean {
  return op !== 'watch' && op !== 'other'
}

export function* outcomes(
  answered: Iterable<{ readonly op: string; readonly code: string; readonly count: number }>,
): Iterable<Sample> {
  for (const { op, code, count } of answered) yield { labels: { op, code }, value: count }
}

export function storageSources(numbers: NodeNumbers): SourcesOf<StorageName> {
  const { storage, store, wal } = numbers
  return {
    wal_sync_duration_seconds: () => storage.syncs,
    wal_written_bytes_total: () => storage.syncedBytes,
    wal_records_total: () => storage.syncedRecords,
    wal_waiting_records: () => wal?.stats().waiting ?? 0,
    wal_segments: () => wal?.stats().segments ?? 0,
    wal_bytes: () => wal?.stats().bytes ?? 0,
    wal_is_full: () => Number(wal?.stats().isFull ?? false),
    store_flush_duration_seconds: () => storage.flushes,
    store_round_duration_seconds: () => storage.rounds,
    store_round_bytes_total: () => storage.roundBytes,
    store_full_rounds_total: () => storage.fullRounds,
    store_layer_bytes: () => store.layerBytes ?? store.sizeBytes,
    store_bytes: () => store.sizeBytes,
    disk_free_bytes: () => ofDisk(storage.space()?.freeBytes),
    disk_size_bytes: () => ofDisk(storage.space()?.sizeBytes),
  }
}

/** One series, or none where nothing is on a disk. */
function ofDisk(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: {}, value }]
}

export function hostSources(numbers: NodeNumbers): SourcesOf<HostName> {
  const { counters, transport, status, name } = numbers
  return {
    host_steps_total: () => counters.steps,
    host_inputs_total: () => counters.inputs,
    host_step_seconds_total: () => counters.stepMicros / 1e6,
    host_waiting_requests: () => numbers.waiting(),
    transport_messages_total: () => messages(transport.counters),
    transport_bytes_total: () =>
      by('direction', [
        ['sent', transport.counters.sentBytes],
        ['received', transport.counters.receivedBytes],
      ]),
    transport_round_trip_seconds: () => numbers.roundTrips,
    transport_dials_total: () => transport.counters.dials,
    transport_failures_total: () => by('reason', Object.entries(transport.counters.failures)),
    transport_queue_bytes: () =>
      transport.peers().reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
    node_info: () => {
      const { kind, gid, replica, incarnation } = status()
      const labels = { name, kind, gid: String(gid), id: String(replica), incarnation }
      return [{ labels, value: 1 }]
    },
  }
}

function* messages(counters: NodeNumbers['transport']['counters']): Iterable<Sample> {
  for (const direction of ['sent', 'received'] as const) {
    for (const [type, value] of Object.entries(counters[direction])) {
      yield { labels: { type, direction }, value }
    }
  }
}

export function spanSources({ traces }: NodeNumbers): SourcesOf<SpanName> {
  return {
    trace_spans_total: () => fates(traces()),
    trace_queue_spans: () => traces()?.queued ?? 0,
    trace_export_duration_seconds: () => {
      const all = new Tally(LATENCY_SECONDS)
      for (const one of traces()?.sendings ?? []) all.take(one)
      return all
    },
  }
}

/** Those of the instances from the first scrape on: what is dropped must be seen to grow from 0. */
function* fates(counters: TraceCounters | null): Iterable<Sample> {
  for (const [span, counts] of Object.entries(counters?.spans ?? {})) {
    for (const [result, value] of Object.entries(counts)) {
      if (value > 0 || span === SPAN.instance) yield { labels: { span, result }, value }
    }
  }
}
