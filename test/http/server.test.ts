import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KvNode, rawExchange, TOKENS, withServer } from '../support/kv-node.ts'
import { ShardmasterNode } from '../support/shardmaster-node.ts'

const test = suite('server')

const AUTH = `Authorization: Bearer ${TOKENS.admin}`
const HEAD = `HTTP/1.1\r\nHost: 127.0.0.1\r\n${AUTH}\r\n`
const END = 'Connection: close\r\n\r\n'

/** Status, headers and body of the last answer in what came. */
function parsed(received: string) {
  const start = received.lastIndexOf('HTTP/1.1 ')
  const text = received.slice(start)
  const end = text.indexOf('\r\n\r\n')
  const status = Number(text.slice(9, 12))
  return { status, head: text.slice(0, end), body: text.slice(end + 4) }
}

function problemIn(received: string) {
  const { status, head, body } = parsed(received)
  assert.match(head, /content-type: application\/problem\+json/i, received)
  const found = JSON.parse(body) as { type: string; status: number; outcome?: string }
  assert.is(found.status, status)
  return { status, code: found.type.slice('urn:shardglass:'.length), outcome: found.outcome }
}

async function isAlive(node: KvNode, port: number): Promise<void> {
  const received = await rawExchange(port, `GET /healthz HTTP/1.1\r\nHost: x\r\n${END}`)
  assert.is(parsed(received).status, 200)
  assert.equal(node.faults, [])
}

test('raw targets name keys exactly, and what others would rewrite is refused', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const taken = { '/v1/kv//a//': '/a//', '/v1/kv/%2561': '%61', '/v1/kv/%0d%0a': '\r\n' }
    for (const [target, key] of Object.entries({ ...taken, '/v1/kv/..%2fx': '../x' })) {
      const bytes = `PUT ${target} ${HEAD}Content-Length: 1\r\n${END}v`
      assert.is(parsed(await rawExchange(port, bytes)).status, 204, target)
      assert.ok(node.backend.data.has(key), target)
    }
    const utf8 = Buffer.from(`PUT /v1/kv/é ${HEAD}Content-Length: 1\r\n${END}v`, 'utf8')
    assert.is(
      problemIn(await rawExchange(port, utf8)).status,
      400,
      'bytes of UTF-8 must be escaped',
    )
    const absolute = `GET http://127.0.0.1:${port}/v1/kv/%2561 ${HEAD}${END}`
    assert.is(parsed(await rawExchange(port, absolute)).status, 200)
    const before = node.backend.seen.length
    const refused = ['/v1/kv/../x', '/v1/kv/%2e%2E/x', '/v1/kv/x#y', '/v1/kv/x\\y', '/v1/kv/%ff']
    for (const target of [...refused, 'http://evil.example/v1/kv/x', '*', 'x']) {
      const received = await rawExchange(port, `PUT ${target} ${HEAD}Content-Length: 0\r\n${END}`)
      assert.equal(problemIn(received), { status: 400, ...REFUSED }, target)
    }
    assert.is(node.backend.seen.length, before)
    await isAlive(node, port)
  })
})

const REFUSED = { code: 'bad-request', outcome: 'not_applied' }

test("what Node's parser refuses is problem+json too, and nothing is lost", async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const put = `PUT /v1/kv/a ${HEAD}`
    const table: readonly (readonly [string, string, number])[] = [
      [
        'both lengths',
        `${put}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['two lengths', `${put}Content-Length: 1\r\nContent-Length: 2\r\n\r\nvv`, 400],
      ['negative', `${put}Content-Length: -1\r\n\r\n`, 400],
      ['astronomic', `${put}Content-Length: 1${'0'.repeat(23)}\r\n\r\n`, 400],
      ['bad chunk', `${put}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
      ['bad version', 'GET / HTTP/9.9\r\n\r\n', 400],
      ['no HTTP', 'hello\r\n\r\n', 400],
      ['bad header', `GET /v1/kv/a ${HEAD}Bad Header: x\r\n\r\n`, 400],
      ['no host', `GET /v1/kv/a HTTP/1.1\r\n${AUTH}\r\n${END}`, 400],
      ['bad host', `GET /v1/kv/a HTTP/1.1\r\nHost: a b\r\n${AUTH}\r\n${END}`, 400],
      ['long target', `GET /v1/kv/${'k'.repeat(20_000)} ${HEAD}${END}`, 431],
      ['long header', `GET /v1/kv/a ${HEAD}X: ${'x'.repeat(20_000)}\r\n${END}`, 431],
      ['many headers', `GET /v1/kv/a ${HEAD}${'X: y\r\n'.repeat(120)}${END}`, 431],
      ['key of 8 KB', `GET /v1/kv/${'k'.repeat(8_000)} ${HEAD}${END}`, 400],
      ['expectation', `${put}Expect: miracles\r\nContent-Length: 1\r\n${END}v`, 417],
    ]
    for (const [name, bytes, status] of table) {
      assert.is(problemIn(await rawExchange(port, bytes)).status, status, name)
    }
    assert.equal(node.backend.seen, [])
    await isAlive(node, port)
  })
})

test('a body over the limit is 413, declared or chunked, and the connection goes on', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const size = 1024 * 1024 + 1
    const next = `GET /healthz HTTP/1.1\r\nHost: x\r\n${END}`
    const declared = `PUT /v1/kv/a ${HEAD}Content-Length: ${size}\r\n\r\n${'v'.repeat(size)}${next}`
    const chunked = `PUT /v1/kv/a ${HEAD}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${'v'.repeat(size)}\r\n0\r\n\r\n${next}`
    for (const bytes of [declared, chunked]) {
      const received = await rawExchange(port, bytes)
      assert.match(received, /^HTTP\/1.1 413 /)
      assert.is(parsed(received).status, 200)
    }
    const exact = 1024 * 1024
    const fits = `PUT /v1/kv/a ${HEAD}Content-Length: ${exact}\r\n${END}${'v'.repeat(exact)}`
    assert.is(parsed(await rawExchange(port, fits)).status, 204)
    assert.is(node.backend.data.get('a')?.value.length, exact)
    assert.is(node.backend.seen.length, 1)
  })
})

test('a client that asks before it sends a body is told not to, or to go on', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const put = (length: number) =>
      `PUT /v1/kv/a ${HEAD}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`
    const refused = await rawExchange(port, put(1024 * 1024 + 1))
    assert.match(refused, /^HTTP\/1.1 413 /)
    assert.match(refused, /connection: close/i)
    const received = await new Promise<string>(resolve => {
      const socket = connect(port, '127.0.0.1', () => socket.write(put(2)))
      let text = ''
      socket.on('data', chunk => {
        text += chunk
        if (text.endsWith('Continue\r\n\r\n')) socket.write('ok')
        if (text.includes('204')) socket.destroy()
      })
      socket.on('close', () => resolve(text))
    })
    assert.match(received, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 204 /)
  })
})

test('requests sent without waiting run one after the other', async () => {
  const node = new KvNode()
  const late: (() => void)[] = []
  node.backend.submit = (request, done) => {
    late.push(() => done(node.backend.run(request)))
    setImmediate(() => late.shift()?.())
  }
  await withServer(node.app, async ({ port }) => {
    const put = (value: string) => `PUT /v1/kv/a ${HEAD}Content-Length: 1\r\n\r\n${value}`
    const bytes = `${put('1')}${put('2')}GET /v1/kv/a ${HEAD}${END}`
    const received = await rawExchange(port, bytes)
    assert.equal(received.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 204', 'HTTP/1.1 204', 'HTTP/1.1 200'])
    assert.is(parsed(received).body, '2')
  })
})

test('garbage after a request that is under way is never taken for its answer', async () => {
  const node = new KvNode()
  const waiting: (() => void)[] = []
  node.backend.submit = (request, done) => {
    waiting.push(() => done(node.backend.run(request)))
  }
  await withServer(node.app, async ({ port }) => {
    const bytes = `PUT /v1/kv/a ${HEAD}Content-Length: 1\r\n\r\nvGARBAGE\r\n\r\n`
    assert.is(await rawExchange(port, bytes), '', 'closed without a word: the outcome is open')
    assert.is(waiting.length, 1)
  })
})

test('half a request ends with 408, and others are served meanwhile', async () => {
  const node = new KvNode()
  const bounds = { headersTimeoutMs: 150, bodyTimeoutMs: 300, checkMs: 30 }
  const work = async ({ port }: { port: number }) => {
    const startedAt = performance.now()
    const slow = [
      rawExchange(port, 'GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nX'),
      rawExchange(port, `PUT /v1/kv/a ${HEAD}Content-Length: 5\r\n\r\nab`),
    ]
    await isAlive(node, port)
    for (const received of await Promise.all(slow)) {
      assert.equal(problemIn(received), { ...TIMED_OUT, outcome: 'not_applied' })
    }
    assert.ok(performance.now() - startedAt < 2_000)
    assert.equal(node.backend.seen, [])
    await isAlive(node, port)
  }
  await withServer(node.app, work, { bounds })
})

const TIMED_OUT = { status: 408, code: 'request-timeout' }

test('connections beyond the bound are closed, and come back when there is room', async () => {
  const node = new KvNode()
  const work = async ({ port }: { port: number }) => {
    const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    await Promise.all(held.map(socket => new Promise(resolve => socket.on('connect', resolve))))
    const request = `GET /healthz HTTP/1.1\r\nHost: x\r\n${END}`
    assert.is(await rawExchange(port, request), '')
    for (const socket of held) socket.destroy()
    let received = ''
    while (received === '') received = await rawExchange(port, request)
    assert.is(parsed(received).status, 200)
  }
  await withServer(node.app, work, { bounds: { connectionsMax: 2 } })
})

test('an upgrade to something else is ignored', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n'
    await rawExchange(port, `PUT /v1/kv/a ${HEAD}Content-Length: 1\r\n${END}v`)
    const received = await rawExchange(port, `GET /v1/kv/a ${HEAD}${upgrade}\r\n`)
    assert.equal([parsed(received).status, parsed(received).body], [200, 'v'])
    const put = `PUT /v1/kv/a ${HEAD}${upgrade}Content-Length: 1\r\n\r\nw`
    assert.is(problemIn(await rawExchange(port, put)).status, 400)
    assert.is(Buffer.from(node.backend.data.get('a')!.value).toString(), 'v')
  })
})

test('wrong tokens from one address get 429 in the end, and the right one passes', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const get = (token: string) =>
      `GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${END}`
    const codes = new Set<string>()
    for (let count = 0; count < 25; count++) {
      codes.add(problemIn(await rawExchange(port, get(`guess-${count}`))).code)
    }
    assert.equal([...codes], ['unauthorized', 'too-many-requests'])
    assert.is(problemIn(await rawExchange(port, get(TOKENS.reader))).code, 'no-such-key')
  })
})

test('a client that goes away in the middle of a body leaves nothing behind', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    await new Promise<void>(resolve => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`PUT /v1/kv/a ${HEAD}Content-Length: 100\r\n\r\nabc`, () => socket.destroy())
      })
      socket.on('close', () => resolve())
    })
    await isAlive(node, port)
    assert.equal(node.backend.seen, [])
  })
})

test('HEAD is GET without the body, on a connection that goes on', async () => {
  const node = new KvNode()
  const { error } = console
  const printed: unknown[] = []
  console.error = (...values: unknown[]) => printed.push(values)
  await withServer(node.app, async ({ port }) => {
    await rawExchange(port, `PUT /v1/kv/a ${HEAD}Content-Length: 5\r\n${END}value`)
    const both = `HEAD /v1/kv/a ${HEAD}\r\nGET /v1/kv/a ${HEAD}${END}`
    const received = await rawExchange(port, both)
    const [head = '', get = ''] = received.split(/(?=HTTP\/1.1 200)/)
    assert.match(head, /Content-Length: 5/)
    assert.ok(head.endsWith('\r\n\r\n'))
    assert.ok(get.endsWith('\r\n\r\nvalue'))
  })
  console.error = error
  assert.equal(printed, [], 'the adapter did not try to answer once more')
})

test('closing ends event streams, waits for requests under way, then cuts', async () => {
  const masters = new ShardmasterNode()
  await withServer(masters.app, async server => {
    const path = '/v1/config/watch?after=0'
    const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      const options = { port: server.port, path, headers: { authorization: AUTH.slice(15) } }
      httpRequest(options, resolve).on('error', reject).end()
    })
    const ended = new Promise(resolve => stream.on('end', resolve))
    stream.resume()
    const startedAt = performance.now()
    await server.close({ graceMs: 5_000 })
    await ended
    assert.ok(performance.now() - startedAt < 2_000)
  })

  const node = new KvNode()
  const waiting: (() => void)[] = []
  node.backend.submit = (request, done) => {
    waiting.push(() => done(node.backend.run(request)))
  }
  await withServer(node.app, async server => {
    const answered = rawExchange(server.port, `GET /v1/kv/a ${HEAD}\r\n`)
    while (waiting.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    const closing = server.close({ graceMs: 5_000 })
    waiting[0]!()
    assert.is(parsed(await answered).status, 404)
    await closing
  })
  await withServer(node.app, async server => {
    const cut = rawExchange(server.port, `GET /v1/kv/a ${HEAD}\r\n`)
    while (waiting.length < 2) await new Promise(resolve => setTimeout(resolve, 5))
    await server.close({ graceMs: 50 })
    assert.is(await cut, '')
  })
})

test('an answer that is not read ends its connection', async () => {
  const large = { ...LARGE, handle: () => ({ status: 200, headers: [], body: 'x'.repeat(SIZE) }) }
  const node = new KvNode({ answerTimeoutMs: 100, moreRoutes: [large] })
  await withServer(node.app, async ({ port }) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET /large ${HEAD}\r\n`))
    socket.pause()
    await new Promise(resolve => setTimeout(resolve, 400))
    let received = 0
    socket.on('data', chunk => {
      received += chunk.length
    })
    socket.on('error', () => {}) // reset, as it should be
    const closed = new Promise(resolve => socket.on('close', resolve))
    socket.resume()
    await closed
    assert.ok(received < SIZE, `${received} bytes came`)
    await isAlive(node, port)
  })
})

const SIZE = 64 * 1024 * 1024
const LARGE = {
  method: 'GET',
  path: '/large',
  role: 'reader',
  scope: 'node',
  mayChange: false,
  query: [],
  doc: { summary: 'a large answer' },
} as const

test('an upgrade whose client resets the connection does no harm', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    for (const credential of [TOKENS.admin, TOKENS.peer]) {
      await new Promise<void>(resolve => {
        const socket = connect(port, '127.0.0.1', () => {
          const head = `GET /peer/channel HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${credential}\r\n`
          const bytes = `${head}Connection: Upgrade\r\nUpgrade: shardglass-peer\r\n\r\n`
          socket.write(bytes, () => socket.resetAndDestroy())
        })
        socket.on('error', () => {}) // its own reset
        socket.on('close', () => resolve())
      })
    }
    await isAlive(node, port)
  })
})

test('a port that is taken is an error', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    let code = ''
    await withServer(node.app, async () => {}, { port }).catch(error => {
      code = error.code
    })
    assert.is(code, 'EADDRINUSE')
  })
})

test.run()
