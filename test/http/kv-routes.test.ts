import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KvNode, type RequestOptions, SERVERS, TOKENS } from '../support/kv-node.ts'

const test = suite('kv routes')

type Found = { readonly [member: string]: unknown; readonly type: string }

async function problemOf(response: Response): Promise<Found & { readonly code: string }> {
  assert.is(response.headers.get('content-type'), 'application/problem+json')
  const found = (await response.json()) as Found
  assert.match(found.type, /^urn:shardglass:/)
  assert.is(found.status, response.status)
  for (const name of ['title', 'detail', 'instance']) assert.type(found[name], 'string')
  return { ...found, code: found.type.slice('urn:shardglass:'.length) }
}

async function codeOf(node: KvNode, method: string, path: string, init?: RequestOptions) {
  const found = await problemOf(await node.request(method, path, init))
  return [found.status, found.code, found.outcome]
}

test('a value comes back byte by byte, with its version and place', async () => {
  const node = new KvNode()
  const value = Buffer.from([0, 255, 128, 10, 13])
  const put = await node.request('PUT', '/v1/kv/a/b', { body: value })
  assert.is(put.status, 204)
  assert.is(put.headers.get('etag'), '"1"')
  const get = await node.request('GET', '/v1/kv?key=a%2Fb')
  assert.equal(Buffer.from(await get.arrayBuffer()), value)
  const expected = {
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'content-disposition': 'attachment',
    'cache-control': 'no-store',
    etag: '"1"',
    'shardglass-config': '3',
    'shardglass-group': '1',
    'shardglass-slot': '2',
  }
  for (const [name, header] of Object.entries(expected)) {
    assert.is(get.headers.get(name), header, name)
  }
  assert.match(get.headers.get('shardglass-shard') ?? '', /^\d+$/)
  assert.is(get.headers.get('shardglass-stale-ms'), null)
})

test('an absent key is 404 for get and delete, and a deleted one is absent', async () => {
  const node = new KvNode()
  assert.equal(await codeOf(node, 'GET', '/v1/kv/x'), [404, 'no-such-key', undefined])
  assert.equal(await codeOf(node, 'DELETE', '/v1/kv/x'), [404, 'no-such-key', 'not_applied'])
  await node.request('PUT', '/v1/kv/x', { body: '' })
  assert.is(await (await node.request('GET', '/v1/kv/x')).text(), '')
  assert.is((await node.request('DELETE', '/v1/kv/x')).status, 204)
  assert.is((await node.request('GET', '/v1/kv/x')).status, 404)
})

test('puthash answers the previous value and hashes as the course does', async () => {
  const node = new KvNode()
  const first = await node.request('POST', '/v1/puthash/h', { body: 'hello' })
  assert.equal([first.status, await first.text()], [200, ''])
  const second = await node.request('POST', '/v1/puthash?key=h', { body: 'x' })
  assert.equal([await second.text(), second.headers.get('etag')], ['1335831723', '"2"'])
})

test('conditions hold or give 412 with the present version', async () => {
  const node = new KvNode()
  const put = (headers: Record<string, string>) =>
    node.request('PUT', '/v1/kv/c', { body: 'v', headers })
  assert.is((await put({ 'if-match': '*' })).status, 412)
  assert.is((await put({ 'if-none-match': '*' })).status, 204)
  assert.is((await put({ 'if-none-match': '*' })).status, 412)
  assert.is((await put({ 'if-match': '"1"' })).status, 204)
  const refused = await put({ 'if-match': '"1"' })
  assert.is(refused.headers.get('etag'), '"2"')
  const { code, version, outcome } = await problemOf(refused)
  assert.equal([code, version, outcome], ['condition-failed', 2, 'not_applied'])
  const gone = await node.request('DELETE', '/v1/kv/c', { headers: { 'if-match': '"2"' } })
  assert.is(gone.status, 204)
})

test('a repeated number answers as before and changes nothing', async () => {
  const node = new KvNode()
  const send = (key: string, body = 'hello', more = {}) =>
    node.request('POST', '/v1/puthash/h', { body, headers: { 'idempotency-key': key, ...more } })
  assert.is(await (await send('c/1')).text(), '')
  const repeated = await send('c/1')
  assert.equal([repeated.status, await repeated.text()], [200, ''])
  assert.is(node.backend.runs, 1)
  const other = await problemOf(await send('c/1', 'other'))
  assert.equal([other.status, other.code, other.outcome], [422, 'request-mismatch', 'not_applied'])
  assert.is((await send('c/66')).status, 200)
  const expired = await problemOf(await send('c/1'))
  assert.equal([expired.status, expired.code, expired.outcome], [410, 'session-expired', 'unknown'])
  assert.is((await send('c/67', 'hello', { 'shardglass-acked': '66' })).status, 200)
  assert.is((await send('c/66')).status, 410)
})

test('writes without a number get distinct ones of the node', async () => {
  const node = new KvNode()
  for (let count = 0; count < 3; count++) {
    assert.is((await node.request('PUT', '/v1/kv/a', { body: 'v' })).status, 204)
  }
  const ids = node.backend.seen.flatMap(seen => (seen.type === 'write' ? [seen.session] : []))
  assert.equal(
    ids.map(({ number, acked }) => [number, acked]),
    [
      [1, 0],
      [2, 1],
      [3, 2],
    ],
  )
  assert.is(node.backend.runs, 3)
})

test('bad requests are refused before the replica sees them', async () => {
  const node = new KvNode()
  const long = 'k'.repeat(1025)
  const h = (headers: Record<string, string>) => ({ headers, body: 'v' })
  const table: readonly (readonly [string, string, RequestOptions, number])[] = [
    ['GET', '/v1/kv/', {}, 400],
    ['GET', '/v1/kv', {}, 400],
    ['GET', '/v1/kv?key=', {}, 400],
    ['GET', `/v1/kv/${long}`, {}, 400],
    ['PUT', `/v1/kv/${long}`, { body: 'v' }, 400],
    ['GET', '/v1/kv/%zz', {}, 400],
    ['PUT', '/v1/kv/a%ffb', { body: 'v' }, 400],
    ['GET', '/v1/kv/a?token=secret', {}, 400],
    ['PUT', '/v1/kv/a?b', { body: 'v' }, 400],
    ['GET', '/v1/kv?key=a&key=b', {}, 400],
    ['GET', '/v1/kv/a?consistency=eventual', {}, 400],
    ['PUT', '/v1/kv/a?consistency=stale', { body: 'v' }, 400],
    ['GET', '/v1/kv/a', { headers: { 'if-match': '"1"' } }, 400],
    ['PUT', '/v1/kv/a', h({ 'if-match': 'x' }), 400],
    ['PUT', '/v1/kv/a', h({ 'idempotency-key': 'x' }), 400],
    ['PUT', '/v1/kv/a', h({ 'idempotency-key': 'c/9007199254740992' }), 400],
    ['PUT', '/v1/kv/a', h({ 'shardglass-direct': '2' }), 400],
    ['PUT', '/v1/kv/a', h({ 'shardglass-timeout-ms': '0' }), 400],
    ['PUT', '/v1/kv/a', h({ 'content-encoding': 'gzip' }), 415],
    ['PUT', '/v1/kv/a', h({ 'sec-fetch-site': 'cross-site' }), 403],
    ['PUT', '/v1/kv/a', { body: Buffer.alloc(1024 * 1024 + 1) }, 413],
    ['DELETE', '/v1/kv/a', { body: 'what for' }, 413],
    ['PATCH', '/v1/kv/a', { body: 'v' }, 405],
    ['POST', '/v1/kv/a', { body: 'v' }, 405],
    ['GET', '/v1/puthash/a', {}, 405],
    ['OPTIONS', '/v1/kv/a', {}, 405],
    ['GET', '/v1/kvx', {}, 404],
    ['GET', '/v1', {}, 404],
    ['GET', '/peer/request', {}, 404],
  ]
  for (const [method, path, init, status] of table) {
    const response = await node.request(method, path, init)
    const found = await problemOf(response)
    assert.is(found.status, status, `${method} ${path.slice(0, 40)}: ${found.detail}`)
    assert.is(found.outcome, method === 'GET' ? undefined : 'not_applied', `${method} ${path}`)
    assert.not.match(JSON.stringify(found), /secret|stack/)
  }
  assert.equal(node.backend.seen, [])
  assert.equal(node.faults, [])
})

test('a wrong method says which are right, and grants nothing to other origins', async () => {
  const node = new KvNode()
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' }
  const response = await node.request('OPTIONS', '/v1/kv/a', { headers, token: null })
  assert.is(response.headers.get('allow'), 'GET, PUT, DELETE, HEAD')
  for (const name of response.headers.keys()) assert.not.match(name, /^access-control/)
})

test('every key is data, whatever it means elsewhere', async () => {
  const node = new KvNode()
  const keys = [
    '__proto__',
    'constructor',
    'toString',
    '../../etc/passwd',
    'a\r\nX-Y: z',
    '\0',
    '?',
  ]
  keys.push('a b', '%61', '😀', '//', 'a/', '<script>', 'k'.repeat(1024), '.', '..', '#', '\\')
  for (const key of keys) {
    const path = `/v1/kv?key=${encodeURIComponent(key)}`
    const put = await node.request('PUT', path, { body: `value of ${key}` })
    assert.is(put.status, 204, key)
  }
  for (const key of keys) {
    const get = await node.request('GET', `/v1/kv?key=${encodeURIComponent(key)}`)
    assert.is(await get.text(), `value of ${key}`)
  }
  assert.is(node.backend.data.size, keys.length)
})

test('a stale read says how old it may be, and an unchanged value is not sent again', async () => {
  const node = new KvNode()
  await node.request('PUT', '/v1/kv/a', { body: 'v' })
  const stale = await node.request('GET', '/v1/kv/a?consistency=stale')
  assert.is(stale.headers.get('shardglass-stale-ms'), '2')
  const known = await node.request('GET', '/v1/kv/a', { headers: { 'if-none-match': '"1"' } })
  assert.equal([known.status, await known.text()], [304, ''])
  const changed = await node.request('GET', '/v1/kv/a', { headers: { 'if-none-match': '"0"' } })
  assert.is(changed.status, 200)
})

test('a valid trace parent is given back, an invalid one ignored', async () => {
  const node = new KvNode()
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const put = (header: string) =>
    node.request('PUT', '/v1/kv/a', { body: 'v', headers: { traceparent: header } })
  assert.is((await put(traceparent)).headers.get('traceparent'), traceparent)
  assert.is((await put('x')).headers.get('traceparent'), null)
})

test('a client that routes by itself is told where to go, any other is served or told to wait', async () => {
  const node = new KvNode()
  const direct = { 'shardglass-direct': '1' }
  const put = async (headers: Record<string, string>): Promise<Found & { code: string }> => {
    const soon = { 'shardglass-timeout-ms': '40', ...headers }
    const response = await node.request('PUT', '/v1/kv/a', { body: 'v', headers: soon })
    return { retryAfter: response.headers.get('retry-after'), ...(await problemOf(response)) }
  }
  node.backend.script = () => ({ type: 'wrongGroup', config: 7, gid: 2, servers: ['http://x'] })
  const wrong = await put(direct)
  assert.equal([wrong.status, wrong.code, wrong.outcome], [421, 'wrong-group', 'not_applied'])
  assert.equal([wrong.config, wrong.gid, wrong.servers, wrong.leader], [7, 2, ['http://x'], null])
  const alive = setInterval(() => {}, 1_000)
  assert.is((await put({})).code, 'no-leader')
  clearInterval(alive)

  node.backend.script = () => ({ type: 'notLeader', leader: 2 })
  const led = await put(direct)
  assert.equal(
    [led.code, led.config, led.gid, led.servers, led.leader],
    ['wrong-group', 3, 1, SERVERS, 2],
  )

  const refusals = [
    [{ type: 'notLeader', leader: null }, 503, 'no-leader', 'not_applied'],
    [{ type: 'overloaded' }, 503, 'overloaded', 'not_applied'],
    [{ type: 'shardMoving', config: 4 }, 503, 'shard-moving', 'not_applied'],
    [{ type: 'noGroup', config: 0 }, 503, 'no-group', 'not_applied'],
    [{ type: 'unknown' }, 504, 'timeout', 'unknown'],
  ] as const
  for (const [reply, status, code, outcome] of refusals) {
    node.backend.script = () => reply
    const found = await put(direct)
    assert.equal([found.status, found.code, found.outcome], [status, code, outcome])
    assert.is(found.retryAfter, status === 503 ? '1' : null)
  }
})

test('a write without an answer is 504 and unknown; a read has no outcome', async () => {
  const node = new KvNode()
  node.backend.script = () => 'silence'
  const alive = setInterval(() => {}, 1_000)
  const init = { headers: { 'shardglass-timeout-ms': '30' }, body: 'v' }
  assert.equal(await codeOf(node, 'PUT', '/v1/kv/a', init), [504, 'timeout', 'unknown'])
  const read = { headers: { 'shardglass-timeout-ms': '30' } }
  assert.equal(await codeOf(node, 'GET', '/v1/kv/a', read), [504, 'timeout', undefined])
  clearInterval(alive)
})

test('a token with a prefix opens its keys, no others, and nothing else', async () => {
  const node = new KvNode()
  const token = TOKENS.prefixed
  const put = (path: string) => node.request('PUT', path, { token, body: 'v' })
  assert.is((await put('/v1/kv/tenant/a')).status, 204)
  assert.is((await put('/v1/kv?key=tenant%2Fb')).status, 204)
  for (const path of ['/v1/kv/tenant', '/v1/kv/other', '/v1/kv//tenant/a']) {
    assert.equal(await codeOf(node, 'PUT', path, { token, body: 'v' }), [
      403,
      'forbidden',
      'not_applied',
    ])
  }
  assert.is((await node.request('GET', '/v1/status', { token })).status, 403)
})

test('an unexpected error is a 500 without a word of it, and the fault is reported', async () => {
  const node = new KvNode()
  node.backend.submit = () => {
    throw new Error('SECRET')
  }
  const found = await problemOf(await node.request('PUT', '/v1/kv/a', { body: 'v' }))
  assert.equal([found.status, found.code, found.outcome], [500, 'internal', 'unknown'])
  assert.not.match(JSON.stringify(found), 'SECRET')
  assert.is(node.faults.length, 1)
  assert.is((await node.request('GET', '/v1/kv/a')).status, 500)
})

test.run()
