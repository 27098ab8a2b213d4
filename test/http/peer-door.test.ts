import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KvNode, rawExchange, TOKENS, withServer } from '../support/kv-node.ts'

const test = suite('peer door')

const auth = (token: string | null) => (token === null ? '' : `Authorization: Bearer ${token}\r\n`)

function post(type: string, token: string | null, body: string, method = 'POST'): string {
  const head = `${method} /peer/${type} HTTP/1.1\r\nHost: x\r\nShardglass-Gid: 2\r\n${auth(token)}`
  return `${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}

function upgrade(token: string | null, path = '/peer/channel'): string {
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\n${auth(token)}`
  return `${head}Connection: Upgrade\r\nUpgrade: shardglass-peer\r\n\r\nearly`
}

const statusOf = (received: string) => Number(received.slice(9, 12))

test('a message is passed on with its headers, and its answer goes back', async () => {
  const node = new KvNode()
  const seen: unknown[] = []
  const onPeerPost = (type: string, headers: { [name: string]: unknown }, body: Buffer) => {
    seen.push([type, headers['shardglass-gid'], body.toString()])
    return Promise.resolve({ status: type === 'hello' ? 200 : 204, body: '{"ok":true}' })
  }
  await withServer(
    node.app,
    async ({ port }) => {
      const received = await rawExchange(port, post('hello', TOKENS.peer, '{"a":1}'))
      assert.match(received, /^HTTP\/1.1 200 .*application\/json.*\{"ok":true\}$/s)
      assert.is(statusOf(await rawExchange(port, post('bye', TOKENS.peer, ''))), 204)
      assert.equal(seen, [
        ['hello', '2', '{"a":1}'],
        ['bye', '2', ''],
      ])
    },
    { onPeerPost },
  )
})

test('nobody but a peer gets in, and a peer gets in nowhere else', async () => {
  const node = new KvNode()
  let calls = 0
  const more = {
    onPeerPost: () => {
      calls += 1
      return Promise.resolve({ status: 204, body: '' })
    },
    onUpgrade: (_: unknown, socket: { destroy(): void }) => {
      calls += 1
      socket.destroy()
    },
  }
  const work = async ({ port }: { port: number }) => {
    for (const token of [null, TOKENS.admin, TOKENS.reader, 'guess']) {
      assert.is(statusOf(await rawExchange(port, post('hello', token, '{}'))), 401)
      const received = await rawExchange(port, upgrade(token))
      assert.match(received, /^HTTP\/1.1 401 .*problem\+json/s)
    }
    const elsewhere = `GET /v1/status HTTP/1.1\r\nHost: x\r\n${auth(TOKENS.peer)}`
    const received = await rawExchange(port, `${elsewhere}Connection: close\r\n\r\n`)
    assert.is(statusOf(received), 401)
    assert.is(statusOf(await rawExchange(port, upgrade(TOKENS.peer, '/peer/other'))), 405)
    assert.is(calls, 0)
  }
  await withServer(node.app, work, more)
})

test('odd types and methods are refused, a failing transport is a 500', async () => {
  const node = new KvNode()
  let throws = false
  const onPeerPost = () => {
    if (throws) throw new Error('SECRET')
    return Promise.reject(new Error('SECRET'))
  }
  const onUpgrade = () => {
    throw new Error('SECRET')
  }
  const work = async ({ port }: { port: number }) => {
    for (const type of ['', 'a/b', '%61', 'a?b', 'x'.repeat(50)]) {
      const received = await rawExchange(port, post(type, TOKENS.peer, '{}'))
      assert.is(statusOf(received), 404, type)
    }
    assert.is(statusOf(await rawExchange(port, post('hello', TOKENS.peer, '', 'GET'))), 405)
    throws = true
    assert.is(statusOf(await rawExchange(port, post('hello', TOKENS.peer, '{}'))), 500)
    throws = false
    const failed = await rawExchange(port, post('hello', TOKENS.peer, '{}'))
    assert.is(statusOf(failed), 500)
    assert.not.match(failed, 'SECRET')
    assert.is(node.faults.length, 2)
    assert.is(await rawExchange(port, upgrade(TOKENS.peer)), '')
    assert.is(node.faults.length, 3)
  }
  await withServer(node.app, work, { onPeerPost, onUpgrade })
})

test('the channel gets the socket and what came early; closing the server ends it', async () => {
  const node = new KvNode()
  let early = ''
  const onUpgrade = (_: unknown, socket: { write(text: string): unknown }, head: Buffer): void => {
    early = head.toString()
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  }
  await withServer(
    node.app,
    async server => {
      const socket = rawExchange(server.port, upgrade(TOKENS.peer))
      while (early === '') await new Promise(resolve => setTimeout(resolve, 5))
      const startedAt = performance.now()
      await server.close({ graceMs: 10_000 })
      assert.ok(performance.now() - startedAt < 5_000, 'it did not wait for the channel')
      assert.match(await socket, /^HTTP\/1.1 101 /)
      assert.is(early, 'early')
    },
    { onUpgrade },
  )
})

test('a message may have the size of the largest, and no more', async () => {
  const node = new KvNode()
  let length = 0
  const onPeerPost = (_: string, __: unknown, body: Buffer) => {
    length = body.length
    return Promise.resolve({ status: 204, body: '' })
  }
  const work = async ({ port }: { port: number }) => {
    const max = 16 * 1024 * 1024 + 64 * 1024
    const body = 'x'.repeat(max)
    assert.is(statusOf(await rawExchange(port, post('accept', TOKENS.peer, body))), 204)
    assert.is(length, max)
    const more = await rawExchange(port, post('accept', TOKENS.peer, `${body}x`), text =>
      text.includes('\r\n\r\n'),
    )
    assert.is(statusOf(more), 413)
  }
  await withServer(node.app, work, { onPeerPost })
})

test.run()
