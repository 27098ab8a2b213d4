import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { archivedSpan, instanceLine, timelineLine } from '../../../ops/archive/lines.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import { ATTR, EVENT, SPAN } from '../../../ops/trace/span-model.ts'
import {
  event,
  instanceSpan,
  nodeResource,
  protobufBody,
  readableSpan,
} from '../../support/archive-spans.ts'

const test = suite('lines')
const MICROS = 1_795_571_764_613_457

function decoded(...spans: Parameters<typeof protobufBody>[0]) {
  return new ProtobufDecoder().decode(protobufBody(spans)).spans
}

test('an instance that was thinned has the same line, and the same events, as a whole one', () => {
  const whole = instanceSpan({ slot: 7, startMicros: MICROS })
  const after = (at: [number, number]): number => Math.round(at[0] * 1e6 + at[1] / 1000) - MICROS
  const accepted = whole.events.filter(({ name }) => name === EVENT.accepted)
  const gist = accepted.map(({ time, attributes: of }) => {
    const timings = [after(time), of?.[ATTR.durable], of?.[ATTR.answered]]
    return `${of?.[ATTR.acceptor]}:${timings.join('/')}`
  })
  const at = (name: string): number =>
    after(whole.events.find(found => found.name === name)?.time ?? [0, 0])
  const thin = {
    ...whole,
    events: [],
    attributes: {
      ...whole.attributes,
      [ATTR.acceptors]: gist.join(','),
      [ATTR.proposedAfter]: at(EVENT.proposed),
      [ATTR.decidedAfter]: at(EVENT.decided),
      [ATTR.appliedAfter]: at(EVENT.applied),
    },
  }
  const [one, other] = decoded(whole, thin)
  assert.is(other?.events.length, 0)
  assert.equal(instanceLine(other!), instanceLine(one!))
  const plain = (span: typeof one) =>
    archivedSpan(span!).events.map(({ name, atMicros, attributes: of }) => {
      return { name, atMicros, acceptor: of[ATTR.acceptor], made: of[ATTR.isQuorum] === true }
    })
  assert.equal(plain(other), plain(one))
  assert.is(plain(one).filter(({ made }) => made).length, 1)
})

test('a gist that is none is no error', () => {
  for (const acceptors of ['', 'x', '1:2/3', '1:2/3/4,;', '9'.repeat(400)]) {
    const span = readableSpan({
      name: SPAN.instance,
      ...{
        traceId: 'a'.repeat(32),
        spanId: 'b'.repeat(16),
        startMicros: MICROS,
        durationMicros: 1,
      },
      resource: nodeResource(1, 0),
      attributes: { [ATTR.acceptors]: acceptors },
    })
    const [line] = decoded(span).map(instanceLine)
    assert.ok((line?.acceptors.length ?? 9) <= 1)
  }
})

test('the timeline says in words what happened', () => {
  const rows: readonly (readonly [string, Record<string, string | number>, string])[] = [
    [
      SPAN.election,
      { [ATTR.ballot]: '4.2', [ATTR.outcome]: 'won', [ATTR.inherited]: 3, [ATTR.noops]: 1 },
      'replica 2, ballot 4.2, leads, inherited 3, no-ops 1',
    ],
    [
      SPAN.election,
      { [ATTR.ballot]: '5.2', [ATTR.outcome]: 'timeout', [ATTR.attempts]: 9 },
      'replica 2, ballot 5.2, did not become leader: timeout, attempt 9',
    ],
    [
      SPAN.leadership,
      { [ATTR.ballot]: '4.2', [ATTR.outcome]: 'ballot' },
      'replica 2 ceased to lead with ballot 4.2: ballot',
    ],
    [
      SPAN.change,
      { [ATTR.op]: 'join', [ATTR.config]: 4, [ATTR.moved]: 16, [ATTR.actor]: 'admin' },
      'join made configuration 4, 16 shards move, by admin',
    ],
    [
      SPAN.change,
      { [ATTR.op]: 'join', [ATTR.outcome]: 'conflict', [ATTR.reason]: 'it left' },
      'join was refused: conflict, it left',
    ],
    [
      SPAN.reconfiguration,
      { [ATTR.config]: 4, [ATTR.gained]: 16, [ATTR.lost]: 0 },
      'group 1 settled configuration 4, gained 16, lost 0',
    ],
    [SPAN.catchUp, { [ATTR.slotFrom]: 5, [ATTR.slotTo]: 9 }, 'learned slots 5 to 9'],
    ['something else', {}, 'something else'],
  ]
  for (const [name, attributes, text] of rows) {
    const span = readableSpan({
      name,
      ...{
        traceId: 'a'.repeat(32),
        spanId: 'b'.repeat(16),
        startMicros: MICROS,
        durationMicros: 1,
      },
      resource: nodeResource(1, 2),
      attributes,
      events: [event('x', MICROS)],
    })
    assert.is(decoded(span).map(timelineLine)[0]?.text, text)
  }
})

test.run()
