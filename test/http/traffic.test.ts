// What the HTTP side counts, against requests that a real server was sent.

import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Traffic } from '../../server/http/traffic.ts'
import { KvNode, rawExchange, TOKENS, withServer } from '../support/kv-node.ts'
import { ShardmasterNode } from '../support/shardmaster-node.ts'
import { until } from '../support/wal-run.ts'

const test = suite('traffic')

function counts(traffic: Traffic): Record<string, number> {
  const all = [...traffic.answered()].map(({ op, code, count }) => [`${op} ${code}`, count])
  return Object.fromEntries(all)
}

function shardsOf(counted: Traffic['shardOps']): number {
  return [...counted.entries()].reduce((sum, [, count]) => sum + count, 0)
}

async function ask(port: number, method: string, path: string, more: RequestInit = {}) {
  const headers = { authorization: `Bearer ${TOKENS.admin}`, ...more.headers }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...more, headers })
  return { status: response.status, body: await response.text() }
}

test('requests count by operation and outcome, and each ends once', async () => {
  const node = new KvNode({ traffic: new Traffic(1) })
  const { traffic } = node.app
  await withServer(node.app, async ({ port }) => {
    await ask(port, 'PUT', '/v1/kv/a', { body: 'four' })
    await ask(port, 'PUT', '/v1/kv/a', { body: 'x', headers: { 'if-match': '"99"' } })
    await ask(port, 'GET', '/v1/kv/a')
    await ask(port, 'GET', '/v1/kv/a?consistency=stale')
    await ask(port, 'GET', '/v1/kv/absent')
    await ask(port, 'GET', '/v1/kv?key=a', { headers: { authorization: 'Bearer nobody' } })
    await ask(port, 'POST', '/v1/puthash/a', { body: 'y' })
    await ask(port, 'DELETE', '/v1/kv/a')
    await ask(port, 'GET', '/healthz')
    await ask(port, 'GET', '/nowhere')
    await rawExchange(port, 'GET /v1/kv/a HTTP/1.1\r\nConnection: close\r\n\r\n')
    await rawExchange(port, 'no http at all\r\n\r\n')
  })
  assert.equal(counts(traffic), {
    'put ok': 1,
    'put condition-failed': 1,
    'get ok': 2,
    'get no-such-key': 1,
    'get unauthorized': 1,
    'puthash ok': 1,
    'delete ok': 1,
    'other ok': 1,
    'other not-found': 1,
    'other bad-request': 2,
  })
  assert.is(traffic.begun, 12)
  assert.is(traffic.ended, 12)
  assert.is(traffic.bytesIn, 4 + 1 + 1)
  assert.ok(traffic.bytesOut > 4 + 4 + 4)
  assert.is(shardsOf(traffic.shardOps), 7)
  assert.equal([traffic.reads, traffic.writes, traffic.staleReads], [3, 4, 1])
})

test('the time is that of operations that were run, marked with the slot of writes', async () => {
  const node = new KvNode({ traffic: new Traffic(1) })
  const { traffic } = node.app
  await withServer(node.app, async ({ port }) => {
    await ask(port, 'PUT', '/v1/kv/a', { body: 'v' })
    await ask(port, 'GET', '/v1/kv/a')
    await ask(port, 'GET', '/v1/kv/absent')
    await ask(port, 'GET', '/v1/kv/a', { headers: { authorization: 'Bearer nobody' } })
  })
  const total = (op: 'put' | 'get') =>
    traffic.durations.get(op)?.counts.reduce((sum, count) => sum + count, 0)
  assert.is(total('put'), 1)
  assert.is(total('get'), 2)
  const marks = (op: 'put' | 'get') => [...(traffic.durations.get(op)?.marks ?? [])]
  assert.equal(
    marks('put').filter(mark => mark > 0),
    [1],
  )
  assert.equal(
    marks('get').filter(mark => mark > 0),
    [],
  )
  const { sum } = traffic.durations.get('put') ?? { sum: 0 }
  assert.ok(sum > 0 && sum < 5, `${sum} s`)
})

test("another group's slot marks nothing: its log has another name", async () => {
  const node = new KvNode({ traffic: new Traffic(2) })
  const { traffic } = node.app
  await withServer(node.app, async ({ port }) => {
    await ask(port, 'PUT', '/v1/kv/a', { body: 'v' })
  })
  assert.equal(
    [...(traffic.durations.get('put')?.marks ?? [])].filter(mark => mark > 0),
    [],
  )
})

test('operations of a batch count on their own, those that are left out too', async () => {
  const node = new KvNode()
  const { traffic } = node.app
  const ops = [
    { op: 'put', key: 'a', value: '1' },
    { op: 'cas', key: 'a', value: '2', version: 99 },
    { op: 'get', key: 'a' },
    { op: 'get', key: 'absent' },
    { op: 'delete', key: 'absent' },
  ]
  await withServer(node.app, async ({ port }) => {
    await ask(port, 'POST', '/v1/batch', {
      body: JSON.stringify({ ops }),
      headers: { 'content-type': 'application/json' },
    })
    node.backend.script = () => ({ type: 'unknown' })
    const twice = [ops[0], ops[0]]
    await ask(port, 'POST', '/v1/batch', {
      body: JSON.stringify({ ops: twice }),
      headers: { 'content-type': 'application/json', 'shardglass-timeout-ms': '60' },
    })
  })
  const found = [...traffic.batchOps()].map(({ op, code, count }) => [`${op} ${code}`, count])
  assert.equal(Object.fromEntries(found), {
    'get ok': 1,
    'get no-such-key': 1,
    'put ok': 1,
    'put timeout': 2,
    'delete no-such-key': 1,
    'cas condition-failed': 1,
  })
  assert.equal(counts(traffic), { 'batch ok': 2 })
  assert.is(shardsOf(traffic.shardOps), 5)
  assert.equal([traffic.reads, traffic.writes], [2, 3])
})

test('a request is in flight until its answer, or until its client goes away', async () => {
  const node = new KvNode()
  const { traffic } = node.app
  const inFlight = () => traffic.begun - traffic.ended
  const head = `PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.admin}\r\n`
  await withServer(node.app, async ({ port }) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`${head}Content-Length: 100\r\n\r\nhalf`)
    await until(() => inFlight() === 1)
    socket.destroy()
    await until(() => inFlight() === 0)
  })
  assert.equal(counts(traffic), {})
})

test('an error that nobody expected ends its request, too', async () => {
  const node = new KvNode()
  const { traffic } = node.app
  node.backend.script = () => {
    throw new Error('planted')
  }
  await withServer(node.app, async ({ port }) => {
    assert.is((await ask(port, 'GET', '/v1/kv/a')).status, 500)
    assert.is((await ask(port, 'GET', '/v1/kv?key=a')).status, 500)
  })
  assert.is(node.faults.length, 2)
  assert.is(traffic.begun - traffic.ended, 0)
  assert.equal(counts(traffic), { 'get internal': 2 })
})

test('shardmasters count their own operations', async () => {
  const node = new ShardmasterNode()
  const { traffic } = node.app
  await withServer(node.app, async ({ port }) => {
    await ask(port, 'GET', '/v1/config')
    await ask(port, 'GET', '/v1/config/0')
    await ask(port, 'GET', '/v1/config/history')
    await ask(port, 'POST', '/v1/config/leave', {
      body: JSON.stringify({ gid: 77 }),
      headers: { 'content-type': 'application/json' },
    })
  })
  const found = counts(traffic)
  assert.is(found['config ok'], 2)
  assert.is(found['history ok'], 1)
  assert.is(found['leave not-found'], 1)
})

test.run()
