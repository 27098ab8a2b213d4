import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { exportAnswer } from '../../../ops/archive/otlp-answer.ts'
import { decodeJsonSpans } from '../../../ops/archive/otlp-json.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import { BadBody } from '../../../ops/archive/otlp-span.ts'
import { microsOf } from '../../../ops/archive/protobuf.ts'
import { Block, BlockEncoder } from '../../../ops/archive/span-block.ts'
import {
  event,
  handoffSpans,
  hrTime,
  instanceSpan,
  jsonBody,
  protobufBody,
  readableSpan,
} from '../../support/archive-spans.ts'

const test = suite('OTLP')
const MICROS = 1_795_571_764_613_457
const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
const decoder = new ProtobufDecoder()

/** Every field that the SDK can write, with values at the edges. */
const everything = readableSpan({
  name: 'put shard-7 ✓',
  traceId: TRACE,
  spanId: SPAN,
  parentSpanId: '00f067aa0ba902b7',
  startMicros: MICROS,
  durationMicros: 1_234_567,
  kind: SpanKind.SERVER,
  status: { code: SpanStatusCode.ERROR, message: 'überlastet' },
  resource: resourceFromAttributes({
    'service.name': 'shardkv',
    'service.namespace': 'c',
    'service.instance.id': 'kv1a',
    'shardglass.group': 1,
    'shardglass.replica': 0,
    other: [1, 2],
  }),
  attributes: {
    text: 'a\u0000b',
    empty: '',
    zero: 0,
    negative: -1,
    large: 2 ** 53 - 1,
    larger: 2 ** 60,
    least: -(2 ** 53) + 1,
    half: -0.5,
    tiny: Number.MIN_VALUE,
    yes: true,
    no: false,
    texts: ['a', '', 'ß'],
    numbers: [1, -2, 2.5],
    flags: [true, false],
    none: [],
    __proto__x: 'own',
  },
  events: [
    event('first', MICROS + 5, { 'shardglass.acceptor': 2 }),
    event('second', MICROS + 7),
    event('before', MICROS - 3),
  ],
  links: [{ traceId: TRACE, spanId: SPAN }],
})

const expected = {
  traceId: TRACE,
  spanId: SPAN,
  parentSpanId: '00f067aa0ba902b7',
  name: 'put shard-7 ✓',
  kind: 2,
  startMicros: MICROS,
  durationMicros: 1_234_567,
  status: 2,
  statusMessage: 'überlastet',
  attributes: Object.entries(everything.attributes).flat(),
  events: [
    { name: 'first', atMicros: MICROS + 5, attributes: ['shardglass.acceptor', 2] },
    { name: 'second', atMicros: MICROS + 7, attributes: [] },
    { name: 'before', atMicros: MICROS - 3, attributes: [] },
  ],
  links: [{ traceId: TRACE, spanId: SPAN }],
  author: { node: 'kv1a', service: 'shardkv', namespace: 'c', gid: 1, replica: 0 },
}

test('what the SDK writes in protobuf and in JSON is read field by field', () => {
  assert.equal(decoder.decode(protobufBody([everything])).spans, [expected])
  assert.equal(decodeJsonSpans(jsonBody([everything])).spans, [expected])
})

test("both encodings of nodes' spans give the same, and blocks give back what went in", () => {
  const spans = [
    ...Array.from({ length: 300 }, (_, slot) => instanceSpan({ slot, startMicros: MICROS })),
    ...handoffSpans({ config: 3, shard: 17, from: 1, to: 2, startMicros: MICROS }),
    everything,
  ]
  const { spans: read, rejected } = decoder.decode(protobufBody(spans))
  assert.is(rejected, 0)
  assert.is(read.length, spans.length)
  assert.equal(decodeJsonSpans(jsonBody(spans)).spans, read)
  const block = new Block(new BlockEncoder().encode(read))
  assert.is(block.count, read.length)
  const back = read.map((_, index) => block.span(index))
  assert.equal(back, read)
  assert.equal(block.span(299), read[299], 'in any order')
})

const attributeValue = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }),
)
const attributes = fc.dictionary(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
  attributeValue,
  { maxKeys: 8 },
)
const id = (digits: number) =>
  fc
    .array(fc.integer({ min: 1, max: 15 }), { minLength: digits, maxLength: digits })
    .map(parts => parts.map(part => part.toString(16)).join(''))
const anySpan = fc
  .record({
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
    traceId: id(32),
    spanId: id(16),
    startMicros: fc.integer({ min: 0, max: 4e15 }),
    durationMicros: fc.integer({ min: 0, max: 1e12 }),
    attributes,
    events: fc.array(
      fc.tuple(fc.string({ maxLength: 9 }), fc.integer({ min: 0, max: 1e9 }), attributes),
      {
        maxLength: 5,
      },
    ),
  })
  .map(({ events, ...fields }) =>
    readableSpan({
      ...fields,
      resource: resourceFromAttributes({ 'service.instance.id': 'x' }),
      events: events.map(([name, after, of]) => event(name, fields.startMicros + after, of)),
    }),
  )

test('any spans: protobuf, JSON and blocks agree', () => {
  const encoder = new BlockEncoder()
  fc.assert(
    fc.property(fc.array(anySpan, { minLength: 1, maxLength: 8 }), spans => {
      const { spans: read } = decoder.decode(protobufBody(spans))
      assert.is(read.length, spans.length)
      for (const [at, span] of spans.entries()) {
        assert.equal(read[at]?.attributes, Object.entries(span.attributes).flat().map(positive))
        assert.equal(hrTime(read[at]?.startMicros ?? 0), span.startTime)
      }
      assert.equal(decodeJsonSpans(jsonBody(spans)).spans.map(plain), read.map(plain))
      const block = new Block(encoder.encode(read))
      assert.equal(read.map((_, index) => block.span(index)).map(plain), read.map(plain))
    }),
    { numRuns: 150 },
  )
})

/** -0 is 0 for the SDK's serializers: it is a whole number. */
function positive(value: unknown): unknown {
  return Object.is(value, -0) ? 0 : value
}

function plain(span: object): unknown {
  return JSON.parse(JSON.stringify(span))
}

test('mutated protobuf is read, or refused as a bad body: nothing else happens', () => {
  const body = protobufBody([everything, instanceSpan({ slot: 1, startMicros: MICROS })])
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(body.length),
      (changes, length) => {
        const bad = Buffer.from(body)
        for (const [at, byte] of changes) bad[at] = byte
        for (const bytes of [bad, bad.subarray(0, length)])
          isReadOrRefused(() => decoder.decode(bytes))
      },
    ),
    { numRuns: 3_000 },
  )
})

test('any bytes, and any JSON, are read or refused as a bad body', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      isReadOrRefused(() => decoder.decode(Buffer.from(bytes)))
      isReadOrRefused(() => decodeJsonSpans(Buffer.from(bytes)))
    }),
    { numRuns: 1_000 },
  )
  const known = fc.constantFrom(
    'resourceSpans',
    'scopeSpans',
    'spans',
    'attributes',
    'value',
    'events',
  )
  const tree = fc.letrec(tie => ({
    node: fc.oneof(
      { maxDepth: 7 },
      fc.constantFrom(null, -1, 1e300, '', 'x'.repeat(32), true),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(known, tie('node'), { maxKeys: 3 }),
    ),
  })).node
  fc.assert(
    fc.property(tree, value => {
      isReadOrRefused(() => decodeJsonSpans(Buffer.from(JSON.stringify(value))))
    }),
    { numRuns: 1_000 },
  )
})

function isReadOrRefused(read: () => { readonly spans: readonly unknown[] }): void {
  try {
    assert.ok(Array.isArray(read().spans))
  } catch (error) {
    if (!(error instanceof BadBody)) throw error
  }
}

test('nanoseconds become microseconds without the error of doubles', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), nanos => {
      const [high, low] = [Number(nanos >> 32n), Number(nanos & 0xffffffffn)]
      assert.is(microsOf(high, low), Number(nanos / 1000n))
    }),
  )
})

test('the answer says in the encoding of the request what was refused', () => {
  assert.is(exportAnswer('json', { rejected: 0, reason: '' }), '{}')
  assert.is(exportAnswer('protobuf', { rejected: 0, reason: '' }).length, 0)
  assert.is(
    exportAnswer('json', { rejected: 3, reason: 'why' }),
    '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"why"}}',
  )
  const answer = exportAnswer('protobuf', { rejected: 300, reason: 'why' })
  assert.is(Buffer.from(answer).toString('hex'), '0a0808ac021203776879')
})

test.run()
