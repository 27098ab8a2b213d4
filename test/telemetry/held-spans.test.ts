import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { HELD_MAX, HELD_MICROS, HeldSpans } from '../../ops/telemetry/held-spans.ts'
import { made, type Span, type SpanSource } from '../../ops/telemetry/span.ts'
import { SpanContext } from '../../ops/telemetry/span-context.ts'
import { SPAN } from '../../ops/trace/span-model.ts'

const test = suite('spans held by followers')

function spanAt(start: number): Span {
  const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: null }
  const rest = { status: 'ok', attributes: {}, events: [], links: [] } as const
  return { name: SPAN.handoff, kind: 'internal', start, end: start, ...ids, ...rest }
}

/** A follower that holds this many spans, told one µs apart, and what it writes. */
function holding(count: number): { context: SpanContext; held: HeldSpans; written: number[] } {
  const written: number[] = []
  const spans = (source: SpanSource): void => void written.push(source.span(false).start)
  const context = new SpanContext({ cluster: 'test', gid: 1, replica: 0, spans })
  const held = new HeldSpans(context)
  for (let at = 1; at <= count; at++) {
    context.now = at
    held.tell(made(spanAt(at)))
  }
  return { context, held, written }
}

test('where there are too many, the newest are kept', () => {
  const { held, written } = holding(HELD_MAX + 3)
  assert.equal(written, [])
  held.release()
  assert.is(written.length, HELD_MAX)
  assert.equal([written[0], written.at(-1)], [4, HELD_MAX + 3])
})

test('old ones are forgotten: whoever led then has written them', () => {
  const { context, held, written } = holding(3)
  context.now = HELD_MICROS + 2
  held.release()
  assert.equal(written, [2, 3])
})

test.run()
