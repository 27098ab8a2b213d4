// A receiver of OTLP/HTTP in JSON, for tests: takes what the protocol's definition allows and nothing
// else, and keeps the spans in plain form. Can go away, come back, and refuse.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type ReceivedSpan = {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** µs since 1970. */
  readonly start: number
  readonly end: number
  readonly status: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly resource: Readonly<Record<string, unknown>>
  readonly events: readonly {
    readonly name: string
    readonly at: number
    readonly attributes: Readonly<Record<string, unknown>>
  }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
}

type Json = Readonly<Record<string, unknown>>

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = []
  readonly headers: IncomingMessage['headers'][] = []
  /** As they came. */
  readonly bodies: string[] = []
  /** Answered instead of 200. */
  status = 200
  private server: Server | null = null
  private port = 0

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    await receiver.listen()
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** On the port that it had before, if it had one. */
  listen(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        if (this.status === 200) this.take(request, Buffer.concat(chunks).toString())
        response.writeHead(this.status, { 'Content-Type': 'application/json' })
        response.end('{"partialSuccess":{}}')
      })
    })
    this.server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', () => {
        const address: AddressInfo | string | null = server.address()
        if (typeof address === 'object' && address !== null) this.port = address.port
        resolve()
      })
    })
  }

  /** Nobody listens there any more. */
  goAway(): Promise<void> {
    const { server } = this
    this.server = null
    if (server === null) return Promise.resolve()
    server.closeAllConnections()
    return new Promise(resolve => server.close(() => resolve()))
  }

  named(name: string): readonly ReceivedSpan[] {
    return this.spans.filter(span => span.name === name)
  }

  private take(request: IncomingMessage, body: string): void {
    if (request.method !== 'POST' || request.url !== '/v1/traces') throw new Error('not OTLP')
    this.headers.push(request.headers)
    this.bodies.push(body)
    const parsed = JSON.parse(body) as { resourceSpans: Json[] }
    for (const { resource, scopeSpans } of parsed.resourceSpans) {
      const described = attributesOf((resource as Json).attributes)
      for (const scope of scopeSpans as { spans: Json[] }[]) {
        for (const span of scope.spans) this.spans.push(spanOf(span, described))
      }
    }
  }
}

function spanOf(span: Json, resource: Json): ReceivedSpan {
  const events = (span.events ?? []) as Json[]
  const links = (span.links ?? []) as { traceId: string; spanId: string }[]
  return {
    name: String(span.name),
    kind: Number(span.kind),
    traceId: hex(span.traceId, 32),
    spanId: hex(span.spanId, 16),
    parentSpanId: span.parentSpanId === undefined ? undefined : hex(span.parentSpanId, 16),
    start: micros(span.startTimeUnixNano),
    end: micros(span.endTimeUnixNano),
    status: Number((span.status as Json | undefined)?.code ?? 0),
    attributes: attributesOf(span.attributes),
    resource,
    events: events.map(event => ({
      name: String(event.name),
      at: micros(event.timeUnixNano),
      attributes: attributesOf(event.attributes),
    })),
    links: links.map(({ traceId, spanId }) => ({ traceId, spanId })),
  }
}

function hex(value: unknown, length: number): string {
  const text = String(value)
  if (!/^[0-9a-f]+$/.test(text) || text.length !== length) throw new Error(`no id: ${text}`)
  return text
}

function micros(nanos: unknown): number {
  return Number(BigInt(String(nanos)) / 1000n)
}

function attributesOf(list: unknown): Json {
  const attributes: Record<string, unknown> = {}
  for (const { key, value } of (list ?? []) as { key: string; value: Json }[]) {
    const [kind, held] = Object.entries(value)[0] ?? []
    attributes[key] = kind === 'intValue' ? Number(held) : held
  }
  return attributes
}
