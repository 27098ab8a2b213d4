// Metrics of what is on disk: the write-ahead log and the store. With `--storage memory` those of the
// log stay 0, for nothing is written.

import { counter, gauge, histogram, LATENCY, NODES } from './metric-family.ts'

export const STORAGE_FAMILIES = {
  wal_sync_duration_seconds: histogram(NODES, LATENCY, 'One write to the log with its fdatasync'),
  wal_written_bytes_total: counter(NODES, 'Bytes written to the log'),
  wal_records_total: counter(NODES, 'Records made durable in the log'),
  wal_waiting_records: gauge(NODES, 'Records that are not durable yet'),
  wal_segments: gauge(NODES, 'Files of the log that hold records'),
  wal_bytes: gauge(NODES, 'Size of all files of the log, those made ahead included'),
  wal_is_full: gauge(
    NODES,
    '1 while the disk has no room for the log; records are kept and retried',
  ),
  store_flush_duration_seconds: histogram(
    NODES,
    LATENCY,
    'From asking for the store to be durable up to a slot until it is',
  ),
  store_round_duration_seconds: histogram(NODES, LATENCY, 'One round of changes written to disk'),
  store_round_bytes_total: counter(NODES, 'Bytes of changes in these rounds'),
  store_full_rounds_total: counter(
    NODES,
    'Rounds that found no room on the disk and were repeated',
  ),
  store_layer_bytes: gauge(NODES, 'Bytes of changes in memory that are not on disk yet'),
  store_bytes: gauge(NODES, 'Size of the store, changes in memory included'),
  disk_free_bytes: gauge(
    NODES,
    'Room left on the disk of the data directory; none with storage in memory',
  ),
  disk_size_bytes: gauge(NODES, 'Size of that disk'),
} as const
