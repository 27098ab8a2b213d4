// The archive's metrics: sources for each family that the catalog gives to it.

import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'
import { createRegistry, type MetricRegistry } from '../telemetry/metric-registry.ts'
import { by } from '../telemetry/metric-sources.ts'
import { watchProcess } from '../telemetry/process-metrics.ts'
import type { ArchiveStatus } from './answers.ts'

export class ArchiveMetrics {
  readonly registry: MetricRegistry
  private readonly process: ReturnType<typeof watchProcess>
  private readonly writes = new Tally(LATENCY_SECONDS)
  /** Status code → exports that got it. */
  private readonly exports = new Map<number, number>()

  /** `isBare`: without what prom-client knows of the process. */
  constructor(status: () => ArchiveStatus, version: string, options: { isBare?: boolean } = {}) {
    this.process = watchProcess(version)
    this.registry = createRegistry(
      'archive',
      {
        ...this.process.sources,
        archive_spans_total: () => by('result', Object.entries(status().fates)),
        archive_requests_total: () => by('code', this.exports),
        archive_bytes: () => status().bytes,
        archive_stored_spans: () => status().spans,
        archive_oldest_timestamp_seconds: () => (status().oldestMicros ?? 0) / 1e6,
        archive_write_duration_seconds: () => this.writes,
      },
      options,
    )
  }

  onExport(status: number): void {
    this.exports.set(status, (this.exports.get(status) ?? 0) + 1)
  }

  /** One transaction. */
  onWritten(seconds: number): void {
    this.writes.add(seconds)
  }

  stop(): void {
    this.process.stop()
  }
}
