// Traces of one node, put together: events and requests become spans, spans go to the archive and to
// whatever collector the environment names, and the last instances are kept here as well.

import { monotonicMicros } from '../../server/host/clock.ts'
import type { RequestTrace } from '../../server/http/request-trace.ts'
import type { Route } from '../../server/http/route.ts'
import type { Tally } from '../../server/tally.ts'
import type { Log } from '../log.ts'
import { SPAN } from '../trace/span-model.ts'
import { EventSpans } from './event-spans.ts'
import { loadOpenTelemetry, type Receiver, type Resource } from './open-telemetry.ts'
import { keySecretOf, RequestSpans } from './request-spans.ts'
import { SpanContext } from './span-context.ts'
import { SpanExport } from './span-export.ts'
import { noFates, type SpanCounters } from './span-queue.ts'
import type { EventSink } from './telemetry.ts'
import { traceRoutes } from './trace-routes.ts'

export type TracingOptions = {
  readonly resource: Resource
  readonly peerToken: string
  /** Base URL of the archive; null: none. */
  readonly archive: string | null
  /** Of requests, 0 … 1. */
  readonly ratio: number
  readonly slowMs: number
  readonly reads: 'quorum' | 'lease'
  /** Every acceptor's answer is a span. */
  readonly isDeep: boolean
  readonly log: Log
  readonly env?: NodeJS.ProcessEnv
}

/** Plain figures for metrics; with several receivers, all together. */
export type TraceCounters = {
  readonly spans: SpanCounters
  readonly queued: number
  /** Per receiver: how long each sending took, in seconds. */
  readonly sendings: readonly Tally[]
}

export type Tracing = {
  readonly onEvents: EventSink
  readonly requests: RequestTrace
  readonly routes: readonly Route[]
  counters(): TraceCounters
  /** Sends what is there, for so long at most. */
  stop(graceMs: number): Promise<void>
}

export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { resource, ratio, slowMs, reads } = options
  const { cluster, gid, replica } = resource
  const exports = await openExports(options)
  const context = new SpanContext({
    cluster,
    gid,
    replica,
    spans: source => {
      for (const one of exports) one.add(source)
    },
  })
  const startedAt = monotonicMicros() - Math.round(process.uptime() * 1e6)
  const events = new EventSpans(context, startedAt)
  const { instances, acceptances } = events
  if (options.isDeep) acceptances.deepUntil = Number.POSITIVE_INFINITY
  const keySecret = keySecretOf(options.peerToken)
  const lookDeep = (seconds: number): void => {
    acceptances.deepUntil = Math.max(acceptances.deepUntil, context.clock() + seconds * 1e6)
  }
  return {
    onEvents: (told, now) => events.onEvents(told, now),
    requests: new RequestSpans({ context, instances, ratio, slowMs, reads, keySecret }),
    routes: traceRoutes({ events, resource, lookDeep }),
    counters: () => countersOf(exports),
    stop: async graceMs => {
      events.stop()
      await Promise.all(exports.map(one => one.stop(graceMs)))
    },
  }
}

/** None where nothing is to be exported: then the SDK is not even loaded. */
async function openExports(options: TracingOptions): Promise<readonly SpanExport[]> {
  const { resource, log } = options
  const receivers = receiversOf(options)
  if (receivers.length === 0) return []
  const open = await loadOpenTelemetry(resource)
  return receivers.map(receiver => {
    const to = receiver.type === 'archive' ? receiver.url : 'the collector of OTEL_EXPORTER_OTLP_*'
    const onReachable = (isReachable: boolean): void => {
      if (isReachable) log('info', 'traces are taken again', { by: to })
      else log('warn', 'traces wait: they cannot be sent', { to })
    }
    return new SpanExport({ send: open(receiver), onReachable })
  })
}

export function receiversOf(
  options: Pick<TracingOptions, 'archive' | 'peerToken' | 'env'>,
): readonly Receiver[] {
  const { archive, peerToken, env = process.env } = options
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return []
  const receivers: Receiver[] = []
  if (archive !== null) receivers.push({ type: 'archive', url: archive, peerToken })
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT ?? ''
  if (endpoint !== '' && env.OTEL_TRACES_EXPORTER !== 'none') {
    receivers.push({ type: 'environment' })
  }
  return receivers
}

function countersOf(exports: readonly SpanExport[]): TraceCounters {
  const spans = noFates()
  for (const { queue } of exports) {
    for (const name of Object.values(SPAN)) {
      const [sum, one] = [spans[name], queue.counters[name]]
      sum.exported += one.exported
      sum.thinned += one.thinned
      sum.dropped += one.dropped
      sum.failed += one.failed
    }
  }
  const total = (of: (one: SpanExport) => number) => exports.reduce((sum, one) => sum + of(one), 0)
  return {
    spans,
    queued: total(({ waiting }) => waiting),
    sendings: exports.map(({ sendings }) => sendings),
  }
}
