// The way of spans to a receiver: waiting, sending again, thinning, dropping, and what arrives.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadOpenTelemetry } from '../../ops/telemetry/open-telemetry.ts'
import type { Span, SpanSource } from '../../ops/telemetry/span.ts'
import { type Sent, SpanExport } from '../../ops/telemetry/span-export.ts'
import { SpanQueue } from '../../ops/telemetry/span-queue.ts'
import { receiversOf } from '../../ops/telemetry/tracing.ts'
import { SPAN, type SpanName } from '../../ops/trace/span-model.ts'
import { decodeRequest, encodeRequest } from '../support/otlp-definitions.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'

const test = suite('export of spans')

function span(name: SpanName, more: Partial<Span> = {}): Span {
  return {
    name,
    kind: 'internal',
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    parentSpanId: null,
    start: 1_790_000_000_123_456,
    end: 1_790_000_000_123_999,
    status: 'ok',
    attributes: {},
    events: [],
    links: [],
    ...more,
  }
}

function source(name: SpanName = SPAN.instance, isOrdinary = true): SpanSource {
  return {
    name,
    isOrdinary,
    span: isThin => span(name, { attributes: { 'shardglass.slot': isThin ? 0 : 1 } }),
  }
}

/** Takes what it is sent as long as it answers; notes what it was sent. */
class Receiver {
  readonly got: Span[][] = []
  answer: Sent = 'sent'
  tries = 0

  readonly send = (spans: readonly Span[]) => async (): Promise<Sent> => {
    this.tries += 1
    if (this.answer === 'sent') this.got.push([...spans])
    return this.answer
  }

  get count(): number {
    return this.got.reduce((sum, batch) => sum + batch.length, 0)
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 5_000
  while (!isTrue()) {
    if (performance.now() > end) throw new Error('it did not come to pass')
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

test('what comes together goes together, in order, and many at once in batches', async () => {
  const receiver = new Receiver()
  const out = new SpanExport({ send: receiver.send, delayMs: 5 })
  for (let count = 0; count < 3; count++) out.add(source())
  await until(() => receiver.count === 3)
  assert.is(receiver.got.length, 1)
  for (let count = 0; count < 1_000; count++) out.add(source())
  await until(() => receiver.count === 1_003)
  assert.ok(receiver.got.every(batch => batch.length <= 128))
  assert.equal(out.queue.counters[SPAN.instance], {
    exported: 1_003,
    thinned: 0,
    dropped: 0,
    failed: 0,
  })
  await out.stop(10)
})

test('while the receiver is away, spans wait; when it is back, each arrives once', async () => {
  const receiver = new Receiver()
  const heard: boolean[] = []
  const onReachable = (isReachable: boolean) => heard.push(isReachable)
  const options = { send: receiver.send, delayMs: 1, retryMsMin: 2, onReachable }
  const out = new SpanExport(options)
  receiver.answer = 'unreachable'
  for (let count = 0; count < 200; count++) out.add(source())
  await until(() => receiver.tries >= 3)
  assert.is(receiver.count, 0)
  receiver.answer = 'sent'
  await until(() => receiver.count === 200)
  assert.equal(heard, [false, true])
  assert.is(out.queue.counters[SPAN.instance].dropped, 0)
  await out.stop(10)
})

test('what a receiver refuses for good is counted, and does not hold up the rest', async () => {
  const receiver = new Receiver()
  const out = new SpanExport({ send: receiver.send, delayMs: 1 })
  receiver.answer = 'refused'
  out.add(source())
  await until(() => out.queue.counters[SPAN.instance].failed === 1)
  receiver.answer = 'sent'
  out.add(source())
  await until(() => receiver.count === 1)
  await out.stop(10)
})

test('a full queue thins ordinary instances first, drops many next, and keeps room for the rare', () => {
  const queue = new SpanQueue({ thinFrom: 2, many: 4, max: 6 })
  for (let count = 0; count < 3; count++) queue.add(source())
  queue.add(source(SPAN.instance, false))
  queue.add(source(SPAN.request, false))
  queue.add(source(SPAN.accept, false))
  queue.add(source(SPAN.handoff, false))
  queue.add(source(SPAN.election, false))
  queue.add(source(SPAN.handoff, false))
  const taken = queue.take(100)
  assert.equal(
    taken.map(({ source: { name }, isThin }) => [name, isThin]),
    [
      [SPAN.instance, false],
      [SPAN.instance, false],
      [SPAN.instance, true],
      [SPAN.instance, false],
      [SPAN.handoff, false],
      [SPAN.election, false],
    ],
  )
  queue.count(taken, 'sent')
  const { counters } = queue
  assert.equal(counters[SPAN.instance], { exported: 3, thinned: 1, dropped: 0, failed: 0 })
  assert.is(counters[SPAN.request].dropped, 1)
  assert.is(counters[SPAN.accept].dropped, 1, 'while all look deep, each instance has some')
  assert.equal(counters[SPAN.handoff], { exported: 1, thinned: 0, dropped: 1, failed: 0 })
  assert.is(queue.size, 0)
})

test('at the end what waits is sent within the grace, and what cannot be is counted', async () => {
  const receiver = new Receiver()
  const out = new SpanExport({ send: receiver.send, delayMs: 60_000 })
  for (let count = 0; count < 300; count++) out.add(source())
  await out.stop(1_000)
  assert.is(receiver.count, 300)
  const away = new Receiver()
  away.answer = 'unreachable'
  const lost = new SpanExport({ send: away.send, delayMs: 60_000 })
  for (let count = 0; count < 300; count++) lost.add(source())
  await lost.stop(200)
  assert.is(lost.queue.counters[SPAN.instance].dropped, 300)
  assert.is(lost.queue.size, 0)
})

test('a stop does not wait for an attempt that hangs: the batch is tried once more', async () => {
  const got: number[] = []
  let tries = 0
  const send = (spans: readonly Span[]) => (): Promise<Sent> => {
    tries += 1
    if (tries === 1) return new Promise(() => undefined)
    got.push(spans.length)
    return Promise.resolve('sent')
  }
  const out = new SpanExport({ send, delayMs: 1 })
  for (let count = 0; count < 5; count++) out.add(source())
  await until(() => tries === 1)
  out.add(source())
  await out.stop(1_000)
  assert.equal(got, [5, 1])
  assert.is(out.queue.counters[SPAN.instance].exported, 6)
  const stuck = new SpanExport({ send: () => () => new Promise(() => undefined), delayMs: 1 })
  stuck.add(source())
  await until(() => stuck.queue.size === 0)
  stuck.add(source())
  await stuck.stop(50)
  assert.is(stuck.queue.counters[SPAN.instance].dropped, 2)
})

const RESOURCE = {
  cluster: 'c',
  kind: 'shardkv',
  name: 'kv1a',
  gid: 1,
  replica: 2,
  version: '1',
} as const

test('over OTLP a span arrives as it was made, under its own ids, from its own process', async () => {
  const receiver = await OtlpReceiver.start()
  const open = await loadOpenTelemetry(RESOURCE)
  const send = open({ type: 'archive', url: receiver.url, peerToken: 'secret' })
  const parentSpanId = 'ef'.repeat(8)
  const links = [{ traceId: '12'.repeat(16), spanId: '34'.repeat(8) }]
  const attributes = { 'shardglass.slot': 9_007_199_254_740_991, word: 'ö', is: true, part: 0.5 }
  const events = [{ name: 'decided', at: 1_790_000_000_123_789, attributes: { n: 1 } }]
  const more = { parentSpanId, links, attributes, events } as const
  const one = span(SPAN.request, { kind: 'server', status: 'error', ...more })
  const two = span(SPAN.instance, { traceId: '56'.repeat(16), spanId: '78'.repeat(8) })
  assert.is(await send([one, two])(), 'sent')
  const [first, second] = receiver.spans
  assert.equal(first, {
    name: SPAN.request,
    kind: 2,
    traceId: one.traceId,
    spanId: one.spanId,
    parentSpanId,
    start: one.start,
    end: one.end,
    status: 2,
    attributes,
    resource: {
      'service.namespace': 'c',
      'service.name': 'shardkv',
      'service.version': '1',
      'service.instance.id': 'kv1a',
      'shardglass.group': 1,
      'shardglass.replica': 2,
    },
    events,
    links,
  })
  assert.equal([second?.traceId, second?.spanId], [two.traceId, two.spanId])
  assert.is(second?.parentSpanId, undefined)
  assert.is(receiver.headers[0]?.authorization, 'Bearer secret')
  receiver.status = 400
  assert.is(await send([two])(), 'refused')
  await receiver.goAway()
  assert.is(await send([two])(), 'unreachable')
})

test("what is sent is OTLP by the protocol's own definitions, field by field", async () => {
  const receiver = await OtlpReceiver.start()
  const open = await loadOpenTelemetry(RESOURCE)
  const send = open({ type: 'archive', url: receiver.url, peerToken: 'p' })
  const links = [{ traceId: '12'.repeat(16), spanId: '34'.repeat(8) }]
  const attributes = { slot: 9_007_199_254_740_991, word: 'ö', is: false, part: 0.5, zero: 0 }
  const events = [{ name: 'decided', at: 1_790_000_000_123_789, attributes }]
  const parentSpanId = 'ef'.repeat(8)
  const whole = span(SPAN.request, { kind: 'client', attributes, events, links, parentSpanId })
  assert.is(await send([whole, span(SPAN.instance)])(), 'sent')
  const sent: object = JSON.parse(receiver.bodies[0] ?? '')
  const read = decodeRequest(encodeRequest(withBytes(sent) as object))
  // What the definitions do not know, or know as another type, would be gone or changed.
  assert.equal(plain(read), plain(withBytes(sent)))
  await receiver.goAway()
})

/** OTLP/JSON writes ids in hex, where protobuf has bytes. */
function withBytes(value: unknown, key = ''): unknown {
  if (/^(trace|span|parentSpan)Id$/.test(key)) return Buffer.from(String(value), 'hex')
  if (Array.isArray(value)) return value.map(item => withBytes(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, withBytes(of, name)]))
}

/** Numbers as texts, bytes as hex, and without what is nothing in protobuf: no text, 0, no list. */
function plain(value: unknown, isChosen = false): unknown {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) return value.map(item => plain(item))
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const isOneof = isChosen
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, of]) => [name, plain(of, name === 'value')] as const)
      .filter(([, of]) => isOneof || !(of === '' || of === '0' || isEmpty(of))),
  )
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0)
}

test('the environment names a receiver besides the archive, or switches all off', () => {
  const types = (env: NodeJS.ProcessEnv, archive: string | null = 'http://a') =>
    receiversOf({ archive, peerToken: 'p', env }).map(({ type }) => type)
  assert.equal(types({}), ['archive'])
  assert.equal(types({}, null), [])
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://jaeger:4318'
  assert.equal(types({ OTEL_EXPORTER_OTLP_ENDPOINT }), ['archive', 'environment'])
  assert.equal(types({ OTEL_EXPORTER_OTLP_ENDPOINT }, null), ['environment'])
  assert.equal(types({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }), ['archive'])
  assert.equal(types({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'true' }), [])
})

test.run()
