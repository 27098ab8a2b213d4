import { resourceFromAttributes } from '@opentelemetry/resources'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeJsonSpans } from '../../../ops/archive/otlp-json.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import {
  ATTRIBUTES_MAX,
  type BadBody,
  EVENTS_MAX,
  EVENTS_OF_REQUEST_MAX,
  LINKS_MAX,
  NAME_LENGTH_MAX,
  SPANS_MAX,
  TEXT_LENGTH_MAX,
} from '../../../ops/archive/otlp-span.ts'
import { event, jsonBody, protobufBody, readableSpan } from '../../support/archive-spans.ts'

const test = suite('hostile OTLP')
const MICROS = 1_795_571_764_613_457
const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
const decoder = new ProtobufDecoder()

type JsonSpan = Record<string, unknown>

/** One span in JSON with some of its fields replaced. */
function withFields(fields: JsonSpan): ReturnType<typeof decodeJsonSpans> {
  const span = {
    traceId: TRACE,
    spanId: SPAN,
    name: 'x',
    startTimeUnixNano: '1795571764613457000',
    endTimeUnixNano: '1795571764613458000',
    ...fields,
  }
  const body = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
  return decodeJsonSpans(Buffer.from(JSON.stringify(body)))
}

test('ids, times and names that are none are rejected, each with a reason', () => {
  const rows: readonly (readonly [JsonSpan, RegExp])[] = [
    [{ traceId: '' }, /trace id/],
    [{ traceId: '<img src=x onerror=alert(1)>abcd' }, /trace id/],
    [{ traceId: '0'.repeat(32) }, /trace id/],
    [{ traceId: 7 }, /trace id/],
    [{ spanId: '0'.repeat(16) }, /span id/],
    [{ spanId: `${SPAN}00` }, /span id/],
    [{ name: '' }, /name/],
    [{ startTimeUnixNano: '-5' }, /start time/],
    [{ startTimeUnixNano: 'NaN' }, /start time/],
    [{ startTimeUnixNano: null }, /start time/],
    [{ endTimeUnixNano: '9999999999999999999' }, /longer than 30 days/],
  ]
  for (const [fields, reason] of rows) {
    const found = withFields(fields)
    assert.is(found.spans.length, 0, JSON.stringify(fields))
    assert.is(found.rejected, 1)
    assert.match(found.reason, reason)
  }
  assert.is(withFields({}).spans.length, 1)
  const upper = withFields({ traceId: TRACE.toUpperCase() }).spans[0]
  assert.is(upper?.traceId, TRACE)
})

test('a clock that was set back makes no negative duration, and a far event stands at the start', () => {
  const back = withFields({ endTimeUnixNano: '1795571764000000000' }).spans[0]
  assert.is(back?.durationMicros, 0)
  const far = withFields({ events: [{ name: 'x', timeUnixNano: '1' }] }).spans[0]
  assert.is(far?.events[0]?.atMicros, far?.startMicros)
})

test('what is too much of is cut, in both encodings alike', () => {
  const many = readableSpan({
    name: 'n'.repeat(NAME_LENGTH_MAX * 2),
    traceId: TRACE,
    spanId: SPAN,
    startMicros: MICROS,
    durationMicros: 1,
    resource: resourceFromAttributes({}),
    attributes: {
      ...Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`key-${at}`, at])),
    },
    events: Array.from({ length: EVENTS_MAX + 9 }, (_, at) =>
      event('e', MICROS + at, { long: 'ü'.repeat(TEXT_LENGTH_MAX * 2) }),
    ),
    links: Array.from({ length: LINKS_MAX + 9 }, () => ({ traceId: TRACE, spanId: SPAN })),
  })
  const [read] = decoder.decode(protobufBody([many])).spans
  assert.equal(decodeJsonSpans(jsonBody([many])).spans, [read])
  assert.is(read?.name.length, NAME_LENGTH_MAX)
  assert.is(read?.attributes.length, 2 * ATTRIBUTES_MAX)
  assert.is(read?.events.length, EVENTS_MAX)
  assert.is(read?.links.length, LINKS_MAX)
  assert.is(String(read?.events[0]?.attributes[1]).length, TEXT_LENGTH_MAX)
})

test('nested values become text down to a depth, and deep ones vanish without an overflow', () => {
  const nested = (depth: number): object =>
    depth === 0 ? { stringValue: 'x' } : { arrayValue: { values: [nested(depth - 1)] } }
  const of = (value: object) =>
    withFields({ attributes: [{ key: 'k', value }] }).spans[0]?.attributes
  assert.equal(of(nested(1)), ['k', ['x']])
  assert.equal(of(nested(2)), ['k', ['["x"]']])
  assert.equal(of({ kvlistValue: { values: [{ key: 'a', value: { intValue: '7' } }] } }), [
    'k',
    '{"a":7}',
  ])
  assert.equal(of(nested(200)), ['k', ['["[\\"[]\\"]"]']])
  // The same in protobuf: 2,000 arrays in each other.
  let value: Buffer = Buffer.alloc(0)
  for (let depth = 0; depth < 2_000; depth++) value = field(5, field(1, value))
  const pair = Buffer.concat([field(1, Buffer.from('k')), field(2, value)])
  const span = Buffer.concat([protobufSpan(), field(9, pair)])
  const found = decoder.decode(field(1, field(2, field(2, span))))
  assert.equal(found.spans[0]?.attributes, ['k', ['["[\\"[]\\"]"]']])
})

/** A length-delimited field of protobuf. */
function field(number: number, bytes: Buffer): Buffer {
  const length: number[] = []
  let rest = bytes.length
  while (rest >= 0x80) {
    length.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes])
}

function protobufSpan(): Buffer {
  const time = Buffer.alloc(9)
  time[0] = (7 << 3) | 1
  time.writeBigUInt64LE(BigInt(MICROS) * 1000n, 1)
  const end = Buffer.from(time)
  end[0] = (8 << 3) | 1
  const ids = [field(1, Buffer.from(TRACE, 'hex')), field(2, Buffer.from(SPAN, 'hex'))]
  return Buffer.concat([...ids, field(5, Buffer.from('x')), time, end])
}

test('spans before their resource have its author, and unknown fields are passed over', () => {
  const attribute = Buffer.concat([
    field(1, Buffer.from('service.instance.id')),
    field(2, field(1, Buffer.from('kv9z'))),
  ])
  const unknown = field(14, Buffer.from('later'))
  const spans = field(
    2,
    Buffer.concat([unknown, field(2, Buffer.concat([unknown, protobufSpan()]))]),
  )
  const resource = field(1, field(1, attribute))
  const found = decoder.decode(field(1, Buffer.concat([spans, unknown, resource])))
  assert.is(found.spans[0]?.author.node, 'kv9z')
})

test('more spans than one request may have are refused as too large, whatever they are', () => {
  const one = field(2, protobufSpan())
  const body = field(1, field(2, Buffer.concat(Array.from({ length: SPANS_MAX + 1 }, () => one))))
  assert.throws(
    () => decoder.decode(body),
    (error: BadBody) => error.isTooLarge,
  )
  const spans = Array.from({ length: SPANS_MAX + 1 }, () => ({}))
  const json = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))
  assert.throws(
    () => decodeJsonSpans(json),
    (error: BadBody) => error.isTooLarge,
  )
})

test('the events of a request have one bound, however many its spans are', () => {
  const perSpan = EVENTS_MAX
  const count = Math.ceil(EVENTS_OF_REQUEST_MAX / perSpan) + 5
  const withEvents = Buffer.concat([
    protobufSpan(),
    ...Array.from({ length: perSpan }, () => field(11, Buffer.alloc(0))),
  ])
  const one = field(2, withEvents)
  const body = field(1, field(2, Buffer.concat(Array.from({ length: count }, () => one))))
  const event = {}
  const span = {
    ...{ traceId: TRACE, spanId: SPAN, name: 'x', startTimeUnixNano: `${MICROS}000` },
    ...{ endTimeUnixNano: `${MICROS}000`, events: Array.from({ length: perSpan }, () => event) },
  }
  const spans = Array.from({ length: count }, () => span)
  const json = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))
  for (const found of [decoder.decode(body), decodeJsonSpans(json)]) {
    assert.is(found.spans.length, count, 'the spans are there all the same')
    assert.is(
      found.spans.reduce((sum, { events }) => sum + events.length, 0),
      EVENTS_OF_REQUEST_MAX,
    )
  }
})

test.run()
