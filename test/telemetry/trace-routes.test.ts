// A node's own view of its traces over HTTP, and requests whose trace is kept.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  archivedSpan,
  instanceAnswer,
  instanceLine,
  instancesAnswer,
} from '../../ops/archive/answers.ts'
import { RequestSpans } from '../../ops/telemetry/request-spans.ts'
import { traceRoutes } from '../../ops/telemetry/trace-routes.ts'
import { instanceIds } from '../../ops/trace/span-model.ts'
import type { Event } from '../../server/contract.ts'
import { KvNode, TOKENS } from '../support/kv-node.ts'
import { SpanCollector } from '../support/span-collector.ts'

const test = suite("a node's traces over HTTP")

const BALLOT = { round: 1, replica: 0, incarnation: 'a0' }
const RESOURCE = {
  cluster: 'test',
  kind: 'shardkv',
  name: 'kv1a',
  gid: 1,
  replica: 0,
  version: '1',
} as const

function decided(slot: number): Event {
  const timing = (replica: number) => {
    return { replica, at: 1_000_900, durableMicros: 300, answeredMicros: 320 }
  }
  const facts = { slot, ballot: BALLOT, origin: 'own', commands: 1, bytes: 9, resends: [] } as const
  const times = { queuedAt: 1_000_100, proposedAt: 1_000_200, decidedAt: 1_000_900 }
  const acceptors = [timing(0), timing(1)]
  return { type: 'slotDecided', ...facts, ...times, acceptors, isLearned: false }
}

function node(ratio = 0) {
  const collector = new SpanCollector()
  const { context, events } = collector
  const members = [0, 1, 2].map(replica => ({ replica, incarnation: `a${replica}` }))
  context.formed({ id: 'f', members })
  const deep: number[] = []
  const lookDeep = (seconds: number) => deep.push(seconds)
  const trace = new RequestSpans({
    context,
    instances: events.instances,
    ratio,
    slowMs: 10_000,
    reads: 'quorum',
    keySecret: 's',
  })
  const moreRoutes = traceRoutes({ events, resource: RESOURCE, lookDeep })
  return { collector, deep, kv: new KvNode({ moreRoutes, trace }) }
}

test("the last instances are shown in the archive's own shapes", async () => {
  const { collector, kv } = node()
  for (const slot of [5, 6, 7]) collector.tell([decided(slot)], 1_001_000)
  const list = await kv.request('GET', '/v1/instances?limit=2', { token: TOKENS.reader })
  assert.is(list.status, 200)
  const { instances } = instancesAnswer.parse(await list.json())
  assert.equal(
    instances.map(({ slot, decidedMicros }) => [slot, decidedMicros]),
    [
      [7, 800],
      [6, 800],
    ],
  )
  assert.equal(
    instanceLine.parse(instances[0]).acceptors.map(({ madeQuorum }) => madeQuorum),
    [false, true],
  )
  const one = await kv.request('GET', '/v1/instances/6', { token: TOKENS.reader })
  const { spans } = instanceAnswer.parse(await one.json())
  const [span] = spans
  const log = { cluster: 'test', gid: 1, formation: 'f' }
  assert.is(archivedSpan.parse(span).traceId, instanceIds(log, 6, '1.0').traceId)
  assert.is(span?.node, 'kv1a')
})

test('what is not there, or no number, is said so; and a deeper look takes an admin', async () => {
  const { deep, kv } = node()
  const status = async (method: string, path: string, token: string = TOKENS.reader) =>
    (await kv.request(method, path, { token })).status
  assert.is(await status('GET', '/v1/instances/9'), 404)
  for (const path of ['/v1/instances/x', '/v1/instances/0', '/v1/instances?limit=0']) {
    assert.is(await status('GET', path), 400, path)
  }
  assert.is(await status('POST', '/v1/deep-trace?seconds=60'), 403)
  assert.is(await status('POST', '/v1/deep-trace?seconds=4000', TOKENS.admin), 400)
  assert.equal(deep, [])
  assert.is(await status('POST', '/v1/deep-trace?seconds=60', TOKENS.admin), 200)
  assert.equal(deep, [60])
})

test('a request that is kept carries the traceparent of its span, any other what it came with', async () => {
  const { collector, kv } = node()
  const plain = await kv.request('PUT', '/v1/kv/a', { body: 'v' })
  assert.is(plain.headers.get('traceparent'), null)
  assert.equal(collector.spans, [])
  const caller = (flag: string) => `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flag}`
  const send = (flag: string) =>
    kv.request('PUT', '/v1/kv/a', { body: 'v', headers: { traceparent: caller(flag) } })
  assert.is((await send('00')).headers.get('traceparent'), caller('00'))
  assert.equal(collector.spans, [])
  const kept = (await send('01')).headers.get('traceparent')
  const [span] = collector.named('request')
  assert.is(kept, `00-${'a'.repeat(32)}-${span?.spanId}-01`)
  assert.is(span?.parentSpanId, 'b'.repeat(16))
  assert.is(span?.attributes['shardglass.op'], 'put')
  assert.is(span?.attributes['shardglass.outcome'], 'ok')
})

test('of all requests, reads and batches too, as many are kept as were drawn', async () => {
  const { collector, kv } = node(1)
  await kv.request('PUT', '/v1/kv/a', { body: 'v' })
  await kv.request('GET', '/v1/kv/a')
  await kv.request('GET', '/v1/kv/absent')
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ ops: [{ op: 'get', key: 'a' }] })
  const batch = await kv.request('POST', '/v1/batch', { headers, body })
  assert.match(batch.headers.get('traceparent') ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  assert.equal(
    collector
      .named('request')
      .map(({ attributes, status }) => [
        attributes['shardglass.op'],
        attributes['shardglass.outcome'],
        status,
      ]),
    [
      ['put', 'ok', 'ok'],
      ['get', 'ok', 'ok'],
      ['get', 'noSuchKey', 'ok'],
      ['batch', 'ok', 'ok'],
    ],
  )
})

test.run()
