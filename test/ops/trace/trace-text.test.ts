import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ArchivedSpan } from '../../../ops/archive/answers.ts'
import { archivedSpan, handoffLine, instanceLine } from '../../../ops/archive/lines.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import type { OtlpSpan } from '../../../ops/archive/otlp-span.ts'
import { bytesText, durationText, timeText } from '../../../ops/trace/figures.ts'
import { ATTR, EVENT, SPAN } from '../../../ops/trace/span-model.ts'
import {
  handoffText,
  instanceText,
  requestText,
  slowestPart,
} from '../../../ops/trace/trace-text.ts'
import { waterfall } from '../../../ops/trace/waterfall.ts'
import {
  event,
  handoffSpans,
  instanceSpan,
  nodeResource,
  protobufBody,
  readableSpan,
} from '../../support/archive-spans.ts'

const test = suite('trace text')
const MICROS = Date.UTC(2026, 10, 25, 10, 42, 1) * 1000 + 123_456

function stored(...spans: Parameters<typeof protobufBody>[0]): readonly OtlpSpan[] {
  return new ProtobufDecoder().decode(protobufBody(spans)).spans
}

function archived(...spans: Parameters<typeof protobufBody>[0]): readonly ArchivedSpan[] {
  return stored(...spans).map(archivedSpan)
}

/** An instance with round times: queued, 3 ms later sent, a quorum, one late. */
function plainInstance(more: object = {}) {
  const accepted = (acceptor: number, at: number, durable: number, isQuorum: boolean) =>
    event(EVENT.accepted, MICROS + at, {
      [ATTR.acceptor]: acceptor,
      [ATTR.durable]: durable,
      [ATTR.answered]: durable + 50,
      [ATTR.isQuorum]: isQuorum,
    })
  return readableSpan({
    name: SPAN.instance,
    ...{
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      startMicros: MICROS,
      durationMicros: 9_000,
    },
    resource: nodeResource(1, 0),
    attributes: {
      [ATTR.slot]: 4_711,
      [ATTR.ballot]: '3.0',
      [ATTR.origin]: 'own',
      [ATTR.path]: 'accept_only',
      [ATTR.commands]: 12,
      [ATTR.bytes]: 3_482,
      [ATTR.quorum]: 2,
      [ATTR.members]: 3,
      [ATTR.outcome]: 'ok',
    },
    events: [
      event(EVENT.queued, MICROS),
      event(EVENT.proposed, MICROS + 3_000),
      accepted(2, 5_000, 1_500, false),
      accepted(0, 6_000, 2_900, true),
      event(EVENT.decided, MICROS + 6_000),
      event(EVENT.applied, MICROS + 6_250),
      accepted(1, 9_000, 5_100, false),
    ],
    ...more,
  })
}

test('an instance is told step by step, in words and to scale', () => {
  const text = instanceText(1, 4_711, archived(plainInstance()), 100)
  assert.is(
    text,
    `slot 4711 of group 1: decided after 6.00 ms, applied after 6.25 ms
12 commands (3.40 KB), its own, ballot 3.0, phase 1 done before, quorum 2 of 3
2026-11-25 10:42:01.123456 UTC, led by kv1a (replica 0), trace ${'a'.repeat(32)}

   0 µs  the oldest command of the batch came in                                    |*             |
3.00 ms  accepts sent: a batch of 12 commands, gathered over 3.00 ms                |----*         |
5.00 ms  acceptor 2: durable in 1.50 ms, answered in 1.55 ms                        |    ---*      |
6.00 ms  acceptor 0 (leader): durable in 2.90 ms, answered in 2.95 ms; quorum of 2  |    -----*    |
6.00 ms  decided                                                                    |    -----*    |
6.25 ms  applied                                                                    |         *    |
9.00 ms  acceptor 1: durable in 5.10 ms, answered in 5.15 ms                        |    ---------*|`,
  )
})

test('an acceptor that wrote a span of its own stands among the steps', () => {
  const { traceId } = plainInstance().spanContext()
  const refusal = readableSpan({
    name: SPAN.accept,
    ...{ traceId, spanId: 'c'.repeat(16), startMicros: MICROS + 4_000, durationMicros: 0 },
    resource: nodeResource(1, 1),
    attributes: {
      [ATTR.slot]: 4_711,
      [ATTR.ballot]: '3.0',
      [ATTR.acceptor]: 1,
      [ATTR.outcome]: 'ballot',
      [ATTR.promised]: '4.1',
    },
  })
  const text = instanceText(1, 4_711, archived(plainInstance(), refusal), 120)
  assert.match(
    text,
    /4\.00 ms {2}acceptor 1 itself: refused ballot 3\.0 \(ballot, it had promised 4\.1\)/,
  )
  const alone = instanceText(1, 4_711, archived(refusal), 120)
  assert.match(alone, /no leader's span, only acceptors' own/)
})

test('an acceptance that the leader tells after the decision is not told as a refusal', () => {
  const { traceId } = plainInstance().spanContext()
  const late = readableSpan({
    name: SPAN.accept,
    ...{ traceId, spanId: 'd'.repeat(16), startMicros: MICROS + 3_000, durationMicros: 9_000 },
    resource: nodeResource(1, 0),
    attributes: {
      [ATTR.slot]: 4_711,
      [ATTR.ballot]: '3.0',
      [ATTR.acceptor]: 1,
      [ATTR.outcome]: 'late',
      [ATTR.durable]: 5_100,
      [ATTR.answered]: 5_150,
    },
    events: [event(EVENT.accepted, MICROS + 12_000)],
  })
  const text = instanceText(1, 4_711, archived(plainInstance(), late), 120)
  assert.match(
    text,
    /12\.0 ms {2}acceptor 1 accepted after the decision: durable in 5\.10 ms, answered in 5\.15 ms/,
  )
  assert.not.match(text, /refused/)
})

test('every leader that proposed in a slot is told, and logs of other formations are named', () => {
  const first = instanceSpan({ slot: 9, startMicros: MICROS, ballot: '3.0' })
  const second = instanceSpan({
    slot: 9,
    startMicros: MICROS + 9,
    ballot: '4.1',
    origin: 'inherited',
  })
  const other = instanceSpan({ slot: 9, startMicros: MICROS - 9e9, formation: 'f0' })
  const text = instanceText(1, 9, archived(first, second, other), 100)
  assert.match(text, /ballot 3\.0[\s\S]*inherited from an earlier leader, ballot 4\.1/)
  assert.match(text, /an older log of group 1, slot 9/)
  assert.match(text, /2 formations/)
})

test('lines stay within the width, whatever the span says, and nothing escapes to the terminal', () => {
  const hostile = `\u001b[31m${'x'.repeat(3_000)}`
  const span = readableSpan({
    name: hostile,
    ...{
      traceId: 'd'.repeat(32),
      spanId: 'e'.repeat(16),
      startMicros: MICROS,
      durationMicros: 5e9,
    },
    resource: nodeResource(2, 1),
    attributes: { [ATTR.outcome]: hostile },
    events: [event(hostile, MICROS + 1, { [hostile]: hostile })],
  })
  for (const width of [undefined, 10, 72, 100, 5_000]) {
    const answer = {
      traceId: 'd'.repeat(32),
      spans: [...archived(span)],
      instances: [],
      isPartial: true,
    }
    const text = requestText(answer, width)
    assert.match(text, /no time to look for all instances/)
    assert.not(text.includes('\u001b'))
    const picture = text.split('\n').slice(4)
    const longest = Math.max(...picture.map(line => line.length))
    assert.ok(longest <= Math.min(160, Math.max(72, width ?? 110)), `${longest} at ${width}`)
  }
})

test('a picture of no length, or of far too many steps, is one all the same', () => {
  const step = (atMicros: number) => ({ atMicros, sinceMicros: atMicros, who: 'x', text: 'y' })
  assert.match(waterfall([step(5)], { isWhoShown: true }), /^0 µs {2}x {2}y {2}\|\* +\|$/)
  const many = waterfall(
    Array.from({ length: 1_000 }, (_, at) => step(at)),
    { isWhoShown: false },
  )
  assert.is(many.split('\n').length, 401)
  assert.match(many, /… and 600 more$/)
})

test("a handoff is one story of both sides, and says which side's span is missing", () => {
  const spans = stored(
    ...handoffSpans({ config: 3, shard: 17, from: 1, to: 2, startMicros: MICROS }),
  )
  const line = handoffLine(3, 17, spans)
  const text = handoffText(line, spans.map(archivedSpan), 110)
  assert.match(
    text,
    /^shard 17 from group 1 to group 2 at configuration 3: ok, clients waited 21\.0 ms/,
  )
  const order = ['froze shard 17', 'part 1 sent', 'part 1 in its log', 'serves the shard', 'let go']
  const places = order.map(words => text.indexOf(words))
  assert.equal(
    places,
    [...places].sort((one, other) => one - other),
  )
  assert.ok(places.every(place => place > 0))
  const [giver] = spans
  const half = handoffText(handoffLine(3, 17, [giver!]), [archivedSpan(giver!)], 110)
  assert.match(half, /no span of the taker/)
})

test('what took most of an instance is named', () => {
  const of = (...events: ReturnType<typeof event>[]) =>
    slowestPart(instanceLine(stored(plainInstance({ events }))[0]!))
  const answer = (acceptor: number, at: number, durable: number, isQuorum = false) =>
    event(EVENT.accepted, MICROS + at, {
      [ATTR.acceptor]: acceptor,
      [ATTR.durable]: durable,
      [ATTR.isQuorum]: isQuorum,
    })
  const decided = (at: number) => event(EVENT.decided, MICROS + at)
  const applied = (at: number) => event(EVENT.applied, MICROS + at)
  assert.match(
    of(answer(1, 8_000, 7_500, true), decided(8_000), applied(8_100)),
    /acceptor 1, .*its disk 7\.50 ms/,
  )
  assert.match(of(answer(1, 8_000, 500, true), decided(8_000), applied(8_100)), /not its disk/)
  assert.match(of(answer(1, 100, 50, true), decided(100), applied(8_900)), /^applying, 8\.80 ms/)
  assert.match(
    of(answer(1, 100, 50, true), decided(100), applied(200), answer(2, 9_000, 1)),
    /late answer, of acceptor 2; decided after 100 µs/,
  )
  const sent = event(EVENT.proposed, MICROS + 7_000)
  assert.match(
    of(sent, answer(1, 8_000, 900, true), decided(8_000), applied(9_000)),
    /^waiting for a slot, 7\.00 ms/,
  )
  assert.match(of(event(EVENT.abandoned, MICROS + 9)), /^not decided/)
})

test('figures have a unit and three digits that matter', () => {
  const rows: readonly (readonly [number, string])[] = [
    [0, '0 µs'],
    [734, '734 µs'],
    [1_234, '1.23 ms'],
    [63_700, '63.7 ms'],
    [871_000, '871 ms'],
    [12_340_000, '12.3 s'],
    [312e6, '5 min 12 s'],
    [7 * 86_400e6, '7 days'],
  ]
  for (const [micros, text] of rows) assert.is(durationText(micros), text)
  assert.is(bytesText(512), '512 B')
  assert.is(bytesText(2 * 1024 ** 3), '2.00 GB')
  assert.is(timeText(MICROS), '2026-11-25 10:42:01.123456 UTC')
})

test.run()
