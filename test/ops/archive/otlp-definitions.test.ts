import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { exportAnswer } from '../../../ops/archive/otlp-answer.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import { EVENTS_OF_REQUEST_MAX } from '../../../ops/archive/otlp-span.ts'
import { handoffSpans, instanceSpan, protobufBody } from '../../support/archive-spans.ts'
import { decodeRequest, decodeResponse, encodeRequest } from '../../support/otlp-definitions.ts'

const test = suite('OTLP by its definitions')
const MICROS = 1_795_571_764_613_457
const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
const decoder = new ProtobufDecoder()

test('every field that the definitions have, written by protobufjs, is read or passed over', () => {
  const attribute = (key: string, value: object) => ({ key, value })
  const nanos = (micros: number): string => `${micros}999`
  const extra = [attribute('passed over', { boolValue: true })]
  const counts = { droppedAttributesCount: 7, droppedEventsCount: 8, droppedLinksCount: 9 }
  const span = {
    traceId: Buffer.from(TRACE, 'hex'),
    spanId: Buffer.from(SPAN, 'hex'),
    traceState: 'vendor=state',
    parentSpanId: Buffer.from('00f067aa0ba902b7', 'hex'),
    name: 'name',
    kind: 3,
    startTimeUnixNano: nanos(MICROS),
    endTimeUnixNano: nanos(MICROS + 1_000),
    attributes: [
      attribute('text', { stringValue: 'ü' }),
      attribute('yes', { boolValue: true }),
      attribute('negative', { intValue: '-9007199254740991' }),
      attribute('large', { intValue: '9007199254740991' }),
      attribute('double', { doubleValue: -0.125 }),
      attribute('array', { arrayValue: { values: [{ intValue: 1 }, { stringValue: 'b' }] } }),
      attribute('list', { kvlistValue: { values: [attribute('a', { intValue: 1 })] } }),
      attribute('bytes', { bytesValue: Buffer.from([1, 2, 255]) }),
    ],
    events: [
      {
        timeUnixNano: nanos(MICROS + 5),
        name: 'event',
        attributes: [attribute('n', { intValue: 5 })],
        droppedAttributesCount: 1,
      },
    ],
    links: [
      {
        traceId: Buffer.from(TRACE, 'hex'),
        spanId: Buffer.from(SPAN, 'hex'),
        traceState: 'x=y',
        attributes: extra,
        droppedAttributesCount: 2,
        flags: 257,
      },
    ],
    status: { message: 'why', code: 2 },
    flags: 769,
    ...counts,
  }
  const resource = {
    attributes: [
      attribute('service.name', { stringValue: 'shardkv' }),
      attribute('service.instance.id', { stringValue: 'kv1a' }),
      attribute('shardglass.group', { intValue: 4 }),
    ],
    droppedAttributesCount: 3,
  }
  const scope = { name: 's', version: '1', attributes: extra, droppedAttributesCount: 4 }
  const body = encodeRequest({
    resourceSpans: [
      { resource, scopeSpans: [{ scope, spans: [span], schemaUrl: 'u' }], schemaUrl: 'v' },
    ],
  })
  assert.equal(decoder.decode(body), {
    spans: [
      {
        ...{ traceId: TRACE, spanId: SPAN, parentSpanId: '00f067aa0ba902b7', name: 'name' },
        ...{ kind: 3, startMicros: MICROS, durationMicros: 1_000, status: 2, statusMessage: 'why' },
        attributes: [
          ...['text', 'ü', 'yes', true, 'negative', -9_007_199_254_740_991],
          ...['large', 9_007_199_254_740_991, 'double', -0.125, 'array', [1, 'b']],
          ...['list', '{"a":1}', 'bytes', 'AQL/'],
        ],
        events: [{ name: 'event', atMicros: MICROS + 5, attributes: ['n', 5] }],
        links: [{ traceId: TRACE, spanId: SPAN }],
        author: { node: 'kv1a', service: 'shardkv', namespace: '', gid: 4, replica: null },
      },
    ],
    rejected: 0,
    reason: '',
    eventsLeft: EVENTS_OF_REQUEST_MAX - 1,
  })
})

test("nodes' bodies mean the same to protobufjs: read and written again, they are read alike", () => {
  const body = protobufBody([
    ...Array.from({ length: 50 }, (_, slot) => instanceSpan({ slot, startMicros: MICROS + slot })),
    ...handoffSpans({ config: 3, shard: 17, from: 1, to: 2, startMicros: MICROS }),
  ])
  const again = encodeRequest(decodeRequest(body))
  const found = decoder.decode(again)
  assert.is(found.spans.length, 52)
  assert.equal(found, decoder.decode(body))
})

test('the answer is what the definitions say', () => {
  const partial = decodeResponse(
    Buffer.from(exportAnswer('protobuf', { rejected: 300, reason: 'wĥy' })),
  )
  assert.equal(JSON.parse(JSON.stringify(partial)), {
    partialSuccess: { rejectedSpans: '300', errorMessage: 'wĥy' },
  })
  const whole = decodeResponse(Buffer.from(exportAnswer('protobuf', { rejected: 0, reason: '' })))
  assert.equal(JSON.parse(JSON.stringify(whole)), {})
})

test.run()
