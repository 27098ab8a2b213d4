// Which requests leave a trace, what it says, and how it joins the caller's and the instance's.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keySecretOf, RequestSpans } from '../../ops/telemetry/request-spans.ts'
import { instanceIds } from '../../ops/trace/span-model.ts'
import type { AnsweredRequest } from '../../server/http/request-trace.ts'
import { SpanCollector } from '../support/span-collector.ts'

const test = suite('spans of requests')

const BALLOT = { round: 1, replica: 1, incarnation: 'a1' }
const CALLER = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

function tracer(random: () => number = () => 1, peerToken = 'p') {
  const collector = new SpanCollector(1, 0)
  const { context } = collector
  context.formed({ id: 'f', members: [] })
  collector.tell([{ type: 'leaderChanged', leader: 1, ballot: BALLOT }])
  const requests = new RequestSpans({
    context,
    instances: collector.events.instances,
    ratio: 0.01,
    slowMs: 250,
    reads: 'lease',
    keySecret: keySecretOf(peerToken),
    random,
  })
  return { collector, requests }
}

function answered(more: Partial<AnsweredRequest> = {}): AnsweredRequest {
  return {
    op: 'put',
    startedAt: performance.now() - 10,
    traceParent: null,
    outcome: 'ok',
    isFailed: false,
    key: 'k',
    shard: 3,
    config: 2,
    gid: 1,
    slot: 17,
    read: null,
    attempts: [],
    tries: 1,
    ...more,
  }
}

test('kept are those drawn, slow, failed, and asked for by their caller; no others', () => {
  const { requests } = tracer(() => 0.01)
  const now = performance.now()
  assert.not(requests.isKept(now, false, null))
  assert.not(requests.isKept(now - 200, false, null))
  assert.not(requests.isKept(now, false, CALLER.replace(/1$/, '0')), 'the caller does not keep it')
  assert.ok(requests.isKept(now, false, CALLER))
  assert.ok(requests.isKept(now, true, null))
  assert.ok(requests.isKept(now - 251, false, null))
  const drawn = tracer(() => 0.009_99)
  assert.ok(drawn.requests.isKept(now, false, null))
})

test('where all are slow, a hundred a second are told, and the drawn ones besides', () => {
  let now = 1_000
  const { requests } = tracer()
  requests.now = () => now
  const kept = () => Array.from({ length: 500 }, () => requests.isKept(now - 300, false, null))
  assert.is(kept().filter(Boolean).length, 100)
  assert.not(requests.isKept(now, true, null))
  assert.ok(requests.isKept(now - 300, false, CALLER), 'its caller keeps it')
  now += 1_000
  assert.is(kept().filter(Boolean).length, 100)
})

test('what it decided is linked, and named for those who cannot compute the link', () => {
  const { collector, requests } = tracer()
  const traceParent = requests.keep(answered())
  const [span] = collector.spans
  assert.is(traceParent, `00-${span?.traceId}-${span?.spanId}-01`)
  const log = { cluster: 'test', gid: 1, formation: 'f' }
  assert.equal(span?.links, [instanceIds(log, 17, '1.1')], "the leader's span, by its ballot")
  assert.is(span?.attributes['shardglass.decided.slot'], 17)
  assert.is(span?.attributes['shardglass.decided.group'], 1)
  requests.keep(answered({ gid: 2 }))
  requests.keep(answered({ op: 'get', read: 'linearizable' }))
  assert.equal(collector.spans[1]?.links, [], 'another group has another log')
  assert.equal(collector.spans[2]?.links, [], 'a read is decided nowhere')
  assert.is(collector.spans[2]?.attributes['shardglass.read_path'], 'lease')
})

test("the caller's trace goes on: same trace, below its span", () => {
  const { collector, requests } = tracer()
  const traceParent = requests.keep(answered({ traceParent: CALLER }))
  const [span] = collector.spans
  assert.is(span?.traceId, 'a'.repeat(32))
  assert.is(span?.parentSpanId, 'b'.repeat(16))
  assert.is(traceParent, `00-${'a'.repeat(32)}-${span?.spanId}-01`)
})

test('a key is there as a hash that only those with the peer credential can make', () => {
  const { collector, requests } = tracer()
  requests.keep(answered({ key: 'secret-key' }))
  requests.keep(answered({ key: 'secret-key' }))
  const [first, second] = collector.spans
  assert.not.match(JSON.stringify(first), /secret-key/)
  assert.match(String(first?.attributes['shardglass.key_hash']), /^[0-9a-f]{16}$/)
  assert.is(first?.attributes['shardglass.key_hash'], second?.attributes['shardglass.key_hash'])
  const other = tracer(() => 1, 'another')
  other.requests.keep(answered({ key: 'secret-key' }))
  const [foreign] = other.collector.spans
  assert.is.not(
    foreign?.attributes['shardglass.key_hash'],
    first?.attributes['shardglass.key_hash'],
  )
})

test('the way of a failed one is told attempt by attempt', () => {
  const { collector, requests } = tracer()
  const attempts = [
    { afterMs: 1, tookMs: 2, gid: 1, replica: 0, outcome: 'notLeader' },
    { afterMs: 4, tookMs: 900, gid: 1, replica: 2, outcome: 'unreachable' },
  ]
  requests.keep(answered({ outcome: 'timeout', isFailed: true, attempts, tries: 3, slot: null }))
  const [span] = collector.spans
  assert.is(span?.attributes['shardglass.attempts'], 3, 'the last one was cut off')
  assert.is(span?.status, 'error')
  assert.equal(
    span?.events.map(({ at, attributes }) => [
      at - (span?.start ?? 0),
      attributes['shardglass.peer'],
      attributes['shardglass.outcome'],
      attributes['shardglass.took_us'],
    ]),
    [
      [1_000, 0, 'notLeader', 2_000],
      [4_000, 2, 'unreachable', 900_000],
    ],
  )
})

test.run()
