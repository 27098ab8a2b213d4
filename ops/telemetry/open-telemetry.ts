// The OpenTelemetry side: the only file that knows the SDK. A span of ours becomes one of the SDK's,
// with the ids and times that it has already, and the SDK's own OTLP/HTTP exporter sends it. The SDK is
// loaded when traces are wanted: it costs 0.3 s and 28 MB.

import {
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'
import type { Span } from './span.ts'
import type { Sender, Sent } from './span-export.ts'

export type Resource = {
  readonly cluster: string
  readonly kind: 'shardmaster' | 'shardkv'
  readonly name: string
  readonly gid: number
  readonly replica: number
  readonly version: string
}

export type Receiver =
  /** The archive, with the nodes' own credential. */
  | { readonly type: 'archive'; readonly url: string; readonly peerToken: string }
  /** Whatever OTEL_EXPORTER_OTLP_* says. */
  | { readonly type: 'environment' }

const SEND_MS_MAX = 3_000
/** An answer of HTTP that says that the same batch would be refused again. */
const isFinal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429

/** Loads the SDK; each call of the result makes the way to one receiver. */
export async function loadOpenTelemetry(
  resource: Resource,
): Promise<(receiver: Receiver) => Sender> {
  const [sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ])
  const { resources, tracing } = sdk
  const described = resources
    .resourceFromAttributes(attributesOf(resource))
    .merge(resources.detectResources({ detectors: [resources.envDetector] }))
  return receiver => {
    const maker = new SpanMaker()
    const provider = new tracing.BasicTracerProvider({
      resource: described,
      idGenerator: maker,
      // What comes here was chosen already.
      sampler: new tracing.AlwaysOnSampler(),
      spanLimits: { eventCountLimit: 512, linkCountLimit: 1_024 },
      spanProcessors: [maker],
    })
    maker.tracer = provider.getTracer('shardglass', resource.version)
    const exporter = new OTLPTraceExporter(exporterOptions(receiver))
    return spans => {
      const batch = maker.makeAll(spans)
      return () => exportBatch(exporter, batch)
    }
  }
}

function exporterOptions(receiver: Receiver): {
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly timeoutMillis?: number
} {
  if (receiver.type === 'environment') return {}
  const headers = { authorization: `Bearer ${receiver.peerToken}` }
  return { url: `${receiver.url}/v1/traces`, headers, timeoutMillis: SEND_MS_MAX }
}

/** Names of the OpenTelemetry conventions, and ours. */
function attributesOf(resource: Resource): Record<string, string | number> {
  return {
    'service.namespace': resource.cluster,
    'service.name': resource.kind,
    'service.version': resource.version,
    'service.instance.id': resource.name,
    'shardglass.group': resource.gid,
    'shardglass.replica': resource.replica,
  }
}

function exportBatch(exporter: SpanExporter, batch: ReadableSpan[]): Promise<Sent> {
  return new Promise(resolve => {
    exporter.export(batch, ({ code, error }) => {
      if (code === 0) return resolve('sent')
      const status = error !== undefined && 'code' in error ? Number(error.code) : 0
      resolve(isFinal(status) ? 'refused' : 'unreachable')
    })
  })
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
} as const

const STATUS = {
  unset: SpanStatusCode.UNSET,
  ok: SpanStatusCode.OK,
  error: SpanStatusCode.ERROR,
} as const

/** Makes SDK spans with given ids: it is the generator that the SDK asks, and the one told of the end. */
class SpanMaker {
  tracer: Tracer | null = null
  private next: Span | null = null
  private made: ReadableSpan[] = []

  makeAll(spans: readonly Span[]): ReadableSpan[] {
    for (const span of spans) this.make(span)
    const { made } = this
    this.made = []
    return made
  }

  generateTraceId(): string {
    return this.next?.traceId ?? ''
  }

  generateSpanId(): string {
    return this.next?.spanId ?? ''
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    this.made.push(span)
  }

  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }

  private make(span: Span): void {
    this.next = span
    const links = span.links.map(ids => ({ context: { ...ids, traceFlags: TraceFlags.SAMPLED } }))
    const started = this.tracer?.startSpan(
      span.name,
      {
        kind: KINDS[span.kind],
        startTime: hrTime(span.start),
        attributes: span.attributes,
        links,
      },
      parentOf(span),
    )
    if (started === undefined) return
    for (const { name, attributes, at } of span.events)
      started.addEvent(name, attributes, hrTime(at))
    if (span.status !== 'unset') started.setStatus({ code: STATUS[span.status] })
    started.end(hrTime(span.end))
  }
}

function parentOf({ traceId, parentSpanId }: Span): Context {
  if (parentSpanId === null) return ROOT_CONTEXT
  const parent = { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true }
  return trace.setSpanContext(ROOT_CONTEXT, parent)
}

function hrTime(micros: number): [number, number] {
  const seconds = Math.floor(micros / 1_000_000)
  return [seconds, (micros - seconds * 1_000_000) * 1_000]
}
