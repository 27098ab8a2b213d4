// The archive's metrics, as metric-catalog.ts lists them, and prom-client's own of the process.

import { performance } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Route } from '../../server/http/route.ts'
import { PROCESS_FAMILIES } from '../telemetry/families-process.ts'
import { PREFIX } from '../telemetry/metric-family.ts'
import type { ArchiveStatus } from './answers.ts'

/** How often a timer is tried, to see how late it fires. */
const LAG_MS = 250

type Name = keyof typeof PROCESS_FAMILIES

export type ArchiveMetrics = {
  readonly route: Route
  onExport(status: number): void
  onWritten(seconds: number): void
  stop(): void
}

export function createArchiveMetrics(status: () => ArchiveStatus, version: string): ArchiveMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const of = <Label extends string>(name: Name, labelNames: readonly Label[] = []) => ({
    name: PREFIX + name,
    help: PROCESS_FAMILIES[name].help,
    labelNames: [...labelNames],
    registers: [registry],
  })
  const requests = new Counter(of('archive_requests_total', ['code']))
  const { buckets } = PROCESS_FAMILIES.archive_write_duration_seconds
  const writes = new Histogram({ ...of('archive_write_duration_seconds'), buckets: [...buckets] })
  new Gauge(of('build_info', ['version', 'node_version'])).set(
    { version, node_version: process.version },
    1,
  )
  gaugesOf(registry, of, status)
  const stop = watchEventLoop(of)
  const headers = ['Content-Type', registry.contentType, 'X-Content-Type-Options', 'nosniff']
  const route: Route = {
    method: 'GET',
    path: '/metrics',
    role: 'reader',
    scope: 'node',
    mayChange: false,
    query: [],
    doc: {
      operationId: 'metrics',
      summary: 'Metrics in the text format of Prometheus',
      responses: { 200: { description: 'text' } },
    },
    handle: async () => ({ status: 200, headers, body: await registry.metrics() }),
  }
  return {
    route,
    onExport: code => requests.inc({ code: String(code) }),
    onWritten: seconds => writes.observe(seconds),
    stop,
  }
}

type Of = <Label extends string>(
  name: Name,
  labelNames?: readonly Label[],
) => { name: string; help: string; labelNames: Label[]; registers: Registry[] }

/** Figures that are read when they are asked for. */
function gaugesOf(registry: Registry, of: Of, status: () => ArchiveStatus): void {
  const spans = new Counter({
    ...of('archive_spans_total', ['result']),
    collect() {
      this.reset()
      for (const [result, count] of Object.entries(status().fates)) this.inc({ result }, count)
    },
  })
  const read = (name: Name, value: (now: ArchiveStatus) => number): Gauge =>
    new Gauge({
      ...of(name),
      collect() {
        this.set(value(status()))
      },
    })
  read('archive_bytes', ({ bytes }) => bytes)
  read('archive_stored_spans', now => now.spans)
  read('archive_oldest_timestamp_seconds', ({ oldestMicros }) => (oldestMicros ?? 0) / 1e6)
  registry.registerMetric(spans)
}

function watchEventLoop(of: Of): () => void {
  let before = performance.eventLoopUtilization()
  new Gauge({
    ...of('event_loop_utilization_ratio'),
    collect() {
      const now = performance.eventLoopUtilization()
      this.set(performance.eventLoopUtilization(now, before).utilization)
      before = now
    },
  })
  const { buckets } = PROCESS_FAMILIES.event_loop_lag_seconds
  const lag = new Histogram({ ...of('event_loop_lag_seconds'), buckets: [...buckets] })
  let due = performance.now() + LAG_MS
  const timer = setInterval(() => {
    lag.observe(Math.max(0, performance.now() - due) / 1000)
    due = performance.now() + LAG_MS
  }, LAG_MS)
  return () => clearInterval(timer)
}
