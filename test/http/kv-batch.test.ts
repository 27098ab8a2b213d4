import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KvNode, type RequestOptions, TOKENS } from '../support/kv-node.ts'

const test = suite('kv batch')

function send(node: KvNode, body: unknown, more: RequestOptions = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...more.headers }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return node.request('POST', '/v1/batch', { ...more, headers, body: text })
}

async function results(node: KvNode, ops: readonly object[], more: RequestOptions = {}) {
  const response = await send(node, { ops }, more)
  assert.is(response.status, 200, await response.clone().text())
  const { results } = (await response.json()) as { results: Result[] }
  return results
}

type Result = {
  readonly status: number
  readonly outcome?: string
  readonly type?: string
  readonly version?: number
  readonly slot?: number
  readonly value?: unknown
  readonly isValueOmitted?: boolean
}

test('each operation has the outcome that it would have had alone', async () => {
  const node = new KvNode()
  const found = await results(node, [
    { op: 'put', key: 'a', value: 'one' },
    { op: 'get', key: 'a' },
    { op: 'puthash', key: 'h', value: 'hello' },
    { op: 'puthash', key: 'h', value: 'x' },
    { op: 'cas', key: 'a', value: 'two', version: 1 },
    { op: 'cas', key: 'a', value: 'three', version: 1 },
    { op: 'cas', key: 'new', value: '', version: 0 },
    { op: 'put', key: 'b', value: { base64: '/wA=' } },
    { op: 'get', key: 'b' },
    { op: 'delete', key: 'b' },
    { op: 'get', key: 'b' },
    { op: 'delete', key: 'b' },
  ])
  const brief = found.map(result => [result.status, result.outcome, result.value ?? result.type])
  assert.equal(brief, [
    [204, 'applied', undefined],
    [200, undefined, 'one'],
    [200, 'applied', ''],
    [200, 'applied', '1335831723'],
    [204, 'applied', undefined],
    [412, 'not_applied', 'urn:shardglass:condition-failed'],
    [204, 'applied', undefined],
    [204, 'applied', undefined],
    [200, undefined, { base64: '/wA=' }],
    [204, 'applied', undefined],
    [404, undefined, 'urn:shardglass:no-such-key'],
    [404, 'not_applied', 'urn:shardglass:no-such-key'],
  ])
  assert.type(found[0]!.version, 'number')
  assert.type(found[0]!.slot, 'number')
})

test('operation i has the number N + i, and a repeated batch changes nothing', async () => {
  const node = new KvNode()
  const headers = { 'idempotency-key': 'c/10' }
  const ops = [
    { op: 'puthash', key: 'h', value: 'hello' },
    { op: 'get', key: 'h' },
    { op: 'puthash', key: 'h', value: 'x' },
  ]
  const first = await results(node, ops, { headers })
  const numbers = node.backend.seen.flatMap(seen => (seen.type === 'write' ? [seen.session] : []))
  assert.equal(numbers, [
    { client: 'c', number: 10, acked: 0 },
    { client: 'c', number: 12, acked: 0 },
  ])
  const second = await results(node, ops, { headers })
  assert.equal([second[0]!.value, second[2]!.value], [first[0]!.value, first[2]!.value])
  assert.is(node.backend.runs, 2)
})

test('operations on one key keep their order; those on others do not wait', async () => {
  const node = new KvNode()
  const waiting: (() => void)[] = []
  const started: string[] = []
  node.backend.submit = (request, done) => {
    const value = request.type === 'write' && request.write.op === 'put' ? request.write.value : ''
    started.push(`${request.key}=${Buffer.from(value).toString()}`)
    waiting.push(() => done(node.backend.run(request)))
  }
  const sent = results(node, [
    { op: 'put', key: 'a', value: '1' },
    { op: 'put', key: 'b', value: '1' },
    { op: 'put', key: 'a', value: '2' },
  ])
  while (waiting.length < 2) await new Promise(resolve => setImmediate(resolve))
  assert.equal(started, ['a=1', 'b=1'])
  waiting[1]!()
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(started, ['a=1', 'b=1'], 'b has nothing to do with a')
  waiting[0]!()
  while (waiting.length < 3) await new Promise(resolve => setImmediate(resolve))
  waiting[2]!()
  assert.is((await sent).length, 3)
  assert.equal(started, ['a=1', 'b=1', 'a=2'])
})

test('after an unknown outcome nothing more is done to the key', async () => {
  const node = new KvNode()
  node.backend.script = request => (request.key === 'a' ? { type: 'unknown' } : 'run')
  const found = await results(
    node,
    [
      { op: 'put', key: 'a', value: '1' },
      { op: 'put', key: 'a', value: '2' },
      { op: 'put', key: 'b', value: '1' },
    ],
    { headers: { 'shardglass-direct': '1' } },
  )
  const outcomes = found.map(result => result.outcome)
  assert.equal(outcomes, ['unknown', 'not_applied', 'applied'])
  assert.is(node.backend.seen.length, 2)
})

test('a batch has failed for its trace when the system owes one of its operations', async () => {
  const kept: [string, boolean][] = []
  const node = new KvNode({
    trace: {
      now: () => 0,
      isKept: () => true,
      keep: ({ outcome, isFailed }) => {
        kept.push([outcome, isFailed])
        return `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
      },
    },
  })
  node.backend.script = ({ key }) => (key === 'busy' ? { type: 'overloaded' } : 'run')
  const headers = { 'shardglass-direct': '1' }
  const mine = [
    { op: 'get', key: 'absent' },
    { op: 'cas', key: 'absent', value: '', version: 7 },
    { op: 'put', key: 'a', value: '{"type":"t","title":"t","status":500}' },
    { op: 'get', key: 'a' },
  ]
  await results(node, mine, { headers })
  await results(node, [{ op: 'get', key: 'busy' }, ...mine], { headers })
  assert.equal(kept, [
    ['ok', false],
    ['partial', true],
  ])
})

test('what is not a batch is refused as a whole', async () => {
  const node = new KvNode()
  const get = { op: 'get', key: 'a' }
  const bad: readonly unknown[] = [
    '',
    'null',
    '[]',
    '{}',
    '{"ops":[],"ops":[{"op":"get","key":"a"}]}',
    '{"ops":[{"op":"get","key":"a","key":"b"}]}',
    { ops: [] },
    { ops: Array.from({ length: 1001 }, () => get) },
    { ops: [get], more: 1 },
    { ops: [{ ...get, value: 'x' }] },
    { ops: [{ op: 'get' }] },
    { ops: [{ op: 'get', key: '' }] },
    { ops: [{ op: 'get', key: 7 }] },
    { ops: [{ op: 'get', key: 'é'.repeat(513) }] },
    '{"ops":[{"op":"get","key":"\\ud800"}]}',
    '{"ops":[{"op":"put","key":"a","value":"\\udc00"}]}',
    { ops: [{ op: 'put', key: 'a' }] },
    { ops: [{ op: 'put', key: 'a', value: null }] },
    { ops: [{ op: 'put', key: 'a', value: { base64: '%%%' } }] },
    { ops: [{ op: 'put', key: 'a', value: { base64: '', text: '' } }] },
    { ops: [{ op: 'cas', key: 'a', value: 'x' }] },
    { ops: [{ op: 'cas', key: 'a', value: 'x', version: -1 }] },
    { ops: [{ op: 'cas', key: 'a', value: 'x', version: 1.5 }] },
    { ops: [{ op: 'drop', key: 'a' }] },
  ]
  for (const body of bad) {
    const response = await send(node, body)
    const text = JSON.stringify(body).slice(0, 60)
    assert.is(response.status, 400, text)
    const found = (await response.json()) as Result
    assert.is(found.outcome, 'not_applied', text)
  }
  const large = { ops: [{ op: 'put', key: 'a', value: 'v'.repeat(1024 * 1024 + 1) }] }
  assert.is((await send(node, large)).status, 413)
  assert.is((await send(node, `"${'v'.repeat(8 * 1024 * 1024)}"`)).status, 413)
  const plain = { headers: { 'content-type': 'text/plain' } }
  assert.is((await send(node, { ops: [get] }, plain)).status, 415)
  const last = { headers: { 'idempotency-key': 'c/9007199254740990' } }
  assert.is((await send(node, { ops: [get, get] }, last)).status, 400)
  assert.equal(node.backend.seen, [])
  assert.equal(node.faults, [])
})

test('a batch needs the right for each of its operations', async () => {
  const node = new KvNode()
  const read = { ops: [{ op: 'get', key: 'tenant/a' }] }
  const write = { ops: [...read.ops, { op: 'put', key: 'tenant/a', value: 'v' }] }
  const elsewhere = { ops: [...read.ops, { op: 'get', key: 'other' }] }
  const status = async (body: unknown, token: string | null) =>
    (await send(node, body, { token })).status
  assert.is(await status(read, TOKENS.reader), 200)
  assert.is(await status(write, TOKENS.reader), 403)
  assert.is(await status(write, TOKENS.prefixed), 200)
  assert.is(await status(elsewhere, TOKENS.prefixed), 403)
  assert.is(await status(read, null), 401)
  assert.is(node.backend.seen.length, 3)
})

test('values beyond one answer are left out, and said to be', async () => {
  const node = new KvNode()
  const value = 'v'.repeat(1024 * 1024)
  node.backend.script = () => ({ type: 'ok', version: 1, value: Buffer.from(value), slot: 1 })
  const gets = Array.from({ length: 33 }, (_, index) => ({ op: 'get', key: `k${index}` }))
  const found = await results(node, [...gets, { op: 'puthash', key: 'h', value: 'x' }])
  assert.equal([found[31]!.status, String(found[31]!.value).length], [200, value.length])
  assert.equal([found[32]!.status, found[32]!.value], [413, undefined])
  assert.equal(
    [found[33]!.status, found[33]!.outcome, found[33]!.isValueOmitted],
    [200, 'applied', true],
  )
})

test('a thousand operations of a node without a number of the client all run', async () => {
  const node = new KvNode()
  const ops = Array.from({ length: 1000 }, (_, index) => ({
    op: 'put',
    key: `k${index}`,
    value: String(index),
  }))
  const found = await results(node, ops)
  assert.ok(found.every(result => result.outcome === 'applied'))
  assert.is(node.backend.data.size, 1000)
  await results(node, [{ op: 'put', key: 'last', value: '' }])
  const last = node.backend.seen.at(-1)
  const { number, acked } = last?.type === 'write' ? last.session : { number: 0, acked: -1 }
  assert.is(acked, number - 1, 'the thousand numbers are given back')
})

test.run()
