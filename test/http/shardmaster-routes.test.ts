import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isAllowedHost } from '../../server/http/shardmaster-routes.ts'
import { TOKENS } from '../support/kv-node.ts'
import { ShardmasterNode } from '../support/shardmaster-node.ts'

const test = suite('shardmaster routes')

type Json = { readonly [member: string]: unknown }

const SERVERS = ['http://127.0.0.1:4211', 'http://localhost:4212/']
const JOIN = { gid: 1, servers: SERVERS }

async function post(node: ShardmasterNode, op: string, json: unknown, headers = {}) {
  const response = await node.request('POST', `/v1/config/${op}`, { json, headers })
  return { response, body: (await response.json()) as Json }
}

async function get(node: ShardmasterNode, path: string) {
  const response = await node.request('GET', path)
  return { response, body: (await response.json()) as Json }
}

test('join, move and leave answer the new configuration, its number and who asked why', async () => {
  const node = new ShardmasterNode()
  const joined = await post(node, 'join', { ...JOIN, reason: 'first' })
  assert.is(joined.response.status, 200)
  assert.is(joined.response.headers.get('etag'), '"config-1"')
  const { at, ...config } = joined.body
  assert.type(at, 'number')
  assert.equal(config, {
    num: 1,
    shards: new Array(10).fill(1),
    groups: { 1: ['http://127.0.0.1:4211', 'http://localhost:4212'] },
    partitioner: 'hash',
    cause: {
      op: 'join',
      gid: 1,
      servers: ['http://127.0.0.1:4211', 'http://localhost:4212'],
      actor: 'boss',
      reason: 'first',
    },
  })
  await post(node, 'join', { gid: 2, servers: ['http://[::1]:4221'] })
  const moved = await post(node, 'move', { shard: 0, gid: 2 })
  assert.is((moved.body.shards as number[])[0], 2)
  const left = await post(node, 'leave', { gid: 2 })
  assert.equal(left.body.shards, new Array(10).fill(1))
  assert.equal(left.body.cause, { op: 'leave', gid: 2, actor: 'boss', reason: '' })
})

test('a plan changes nothing, and applies with its If-Match', async () => {
  const node = new ShardmasterNode()
  await post(node, 'join', JOIN)
  const planned = await post(node, 'join?dryRun=true', { gid: 2, servers: ['http://127.0.0.1:1'] })
  assert.is(planned.response.status, 200)
  assert.is((planned.body.moves as unknown[]).length, 5)
  const etag = planned.response.headers.get('etag')!
  assert.is(etag, '"config-1"')
  assert.is((await get(node, '/v1/config')).body.num, 1)
  const change = { gid: 2, servers: ['http://127.0.0.1:1'] }
  const applied = await post(node, 'join', change, { 'if-match': etag })
  assert.equal(applied.body.shards, planned.body.shards)
  const late = await post(node, 'leave', { gid: 2 }, { 'if-match': etag })
  assert.equal([late.response.status, late.body.latest, late.body.outcome], [412, 2, 'not_applied'])
  assert.is(late.response.headers.get('etag'), '"config-2"')
})

test('a query gives the configuration of a number, or the latest', async () => {
  const node = new ShardmasterNode()
  await post(node, 'join', JOIN)
  const numbers = { '': 1, '/0': 0, '/1': 1, '/-1': 1, '/1000000000': 1 }
  for (const [path, num] of Object.entries(numbers)) {
    const { response, body } = await get(node, `/v1/config${path}`)
    assert.equal([response.status, body.num], [200, num], path)
    assert.is(response.headers.get('etag'), `"config-${num}"`)
    assert.not('holders' in body)
  }
  for (const path of ['/-2', '/x', '/1.5', '/', '/01x', '/1/2', '/%31']) {
    assert.is((await get(node, `/v1/config${path}`)).response.status, 400, path)
  }
  const known = await node.request('GET', '/v1/config', {
    headers: { 'if-none-match': '"config-1"' },
  })
  assert.equal([known.status, await known.text()], [304, ''])
})

test('the history is newest first', async () => {
  const node = new ShardmasterNode()
  await post(node, 'join', JOIN)
  await post(node, 'move', { shard: 0, gid: 1 })
  await post(node, 'leave', { gid: 1 })
  const nums = async (path: string) =>
    ((await get(node, path)).body.configs as Json[]).map(config => config.num)
  assert.equal(await nums('/v1/config/history'), [2, 1, 0])
  assert.equal(await nums('/v1/config/history?limit=1'), [2])
  for (const limit of ['0', '-1', 'x', '1001', '', '1e2']) {
    const { response } = await get(node, `/v1/config/history?limit=${limit}`)
    assert.is(response.status, 400, limit)
  }
})

test('what cannot be is refused, and the configuration stays', async () => {
  const node = new ShardmasterNode()
  await post(node, 'join', JOIN)
  const servers = (...urls: string[]) => ({ gid: 5, servers: urls })
  const table: readonly (readonly [string, unknown, number])[] = [
    ['join', {}, 400],
    ['join', { gid: 5 }, 400],
    ['join', servers(), 400],
    ['join', { ...servers('http://127.0.0.1:1'), force: true }, 400],
    ['join', { gid: '5', servers: SERVERS }, 400],
    ['join', { gid: 0, servers: SERVERS }, 400],
    ['join', { gid: 1.5, servers: SERVERS }, 400],
    ['join', { gid: 2 ** 31, servers: SERVERS }, 400],
    ['join', servers('ftp://127.0.0.1/'), 400],
    ['join', servers('http://169.254.169.254/'), 400],
    ['join', servers('http://2852039166/'), 400],
    ['join', servers('http://10.0.0.1:80'), 400],
    ['join', servers('http://evil.example'), 400],
    ['join', servers('http://localhost.evil.example'), 400],
    ['join', servers('http://127.0.0.1@evil.example'), 400],
    ['join', servers('http://127.0.0.1:1?x'), 400],
    ['join', servers('http://127.0.0.1:1', 'http://127.0.0.1:1/'), 400],
    ['join', { ...servers('http://127.0.0.1:1'), reason: 'r'.repeat(1001) }, 400],
    ['join', { gid: 1, servers: ['http://127.0.0.1:9'] }, 409],
    ['leave', { gid: 9 }, 404],
    ['leave', { gid: -1 }, 400],
    ['leave', null, 400],
    ['move', { shard: 10, gid: 1 }, 400],
    ['move', { shard: -1, gid: 1 }, 400],
    ['move', { shard: 1.5, gid: 1 }, 400],
    ['move', { shard: 0, gid: 9 }, 404],
    ['move?dryRun=yes', { shard: 0, gid: 1 }, 400],
    ['move?dryRun=true', { shard: 0, gid: 9 }, 404],
  ]
  for (const [op, json, status] of table) {
    const { response, body } = await post(node, op, json)
    const name = `${op} ${JSON.stringify(json)?.slice(0, 60)}: ${body.detail}`
    assert.is(response.status, status, name)
    assert.is(response.headers.get('content-type'), 'application/problem+json')
    assert.is(body.outcome, 'not_applied', name)
  }
  const config = await get(node, '/v1/config')
  assert.is(config.body.num, 1)
  assert.equal(node.faults, [])
})

test('servers may be on loopback, or where the operator allows', () => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]']) {
    assert.ok(isAllowedHost(host, []), host)
  }
  for (const host of ['example.org', '10.0.0.1', '128.0.0.1', '127.0.0.1.example.org']) {
    assert.not(isAllowedHost(host, []), host)
  }
  assert.ok(isAllowedHost('a.example.org', ['.example.org']))
  assert.not(isAllowedHost('aexample.org', ['.example.org']))
  assert.not(isAllowedHost('a.example.org.evil', ['.example.org']))
  assert.ok(isAllowedHost('10.0.0.1', ['10.0.0.1']))
  assert.ok(isAllowedHost('anything', ['*']))
})

test('only an admin changes the configuration; readers read it', async () => {
  const node = new ShardmasterNode()
  const status = async (method: string, path: string, token: string | null) =>
    (await node.request(method, path, { token, ...(method === 'POST' ? { json: JOIN } : {}) }))
      .status
  for (const op of ['join', 'leave', 'move']) {
    for (const token of [TOKENS.reader, TOKENS.writer, TOKENS.prefixed]) {
      assert.is(await status('POST', `/v1/config/${op}`, token), 403, `${op} by ${token}`)
      assert.is(await status('POST', `/v1/config/${op}?dryRun=true`, token), 403)
    }
    assert.is(await status('POST', `/v1/config/${op}`, null), 401)
    assert.is(await status('POST', `/v1/config/${op}`, TOKENS.peer), 401)
  }
  for (const path of ['/v1/config', '/v1/config/0', '/v1/config/history', '/v1/config/watch']) {
    assert.is(await status('GET', path, null), 401, path)
    const allowed = await node.request('GET', path, { token: TOKENS.reader })
    assert.is(allowed.status, 200, path)
    await allowed.body?.cancel()
  }
  assert.is(node.backend.seen.filter(seen => seen.type === 'change').length, 0)
})

test('a follower passes changes and queries to the leader', async () => {
  const node = new ShardmasterNode(2)
  const joined = await post(node, 'join', JOIN)
  assert.equal([joined.response.status, joined.body.num], [200, 1])
  assert.is((await get(node, '/v1/config')).body.num, 1)
  assert.is(node.backends[0]!.seen.length, 2)
  const direct = await post(node, 'leave', { gid: 1 }, { 'shardglass-direct': '1' })
  assert.equal([direct.response.status, direct.body.leader], [503, 0])
  assert.is(direct.body.outcome, 'not_applied')
})

test('a repeated number makes a change once, and mismatches are told', async () => {
  const node = new ShardmasterNode()
  const key = { 'idempotency-key': 'ops/1' }
  await post(node, 'join', JOIN, key)
  await post(node, 'leave', { gid: 1 }, { 'idempotency-key': 'ops/2' })
  const repeated = await post(node, 'join', JOIN, key)
  assert.equal([repeated.response.status, repeated.body.num], [200, 1])
  assert.is((await get(node, '/v1/config')).body.num, 2)
  const other = await post(node, 'leave', { gid: 1 }, key)
  assert.is(other.response.status, 422)
  await post(node, 'leave', { gid: 1 }, { 'idempotency-key': 'ops/70' })
  const expired = await post(node, 'join', JOIN, key)
  assert.equal([expired.response.status, expired.body.outcome], [410, 'unknown'])
})

test('a change whose outcome is lost says so', async () => {
  const node = new ShardmasterNode()
  node.backend.script = () => ({ type: 'unknown' })
  const lost = await post(node, 'join', JOIN, { 'shardglass-direct': '1' })
  assert.equal([lost.response.status, lost.body.outcome], [504, 'unknown'])
  node.backend.script = () => ({ type: 'overloaded' })
  const full = await post(node, 'join', JOIN, { 'shardglass-direct': '1' })
  assert.equal([full.response.status, full.body.outcome], [503, 'not_applied'])
})

test.run()
