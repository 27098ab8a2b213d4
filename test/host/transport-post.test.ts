import { createServer, request, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { POST_BODY_BYTES_MAX } from '../../server/host/peer-post.ts'
import { PEER_CONNECT_MS, PEER_POST_ANSWER_MS, PEER_POSTS_MAX } from '../../server/limits.ts'
import {
  introduce,
  keepSockets,
  listen,
  type PeerNode,
  type PeerNodeOptions,
  startPeer,
  until,
} from '../support/peer-node.ts'

const test = suite('transport by posts')

const BALLOT = { round: 3, replica: 0, incarnation: 'aa' }
const GET = { type: 'get', key: 'k\u00ff', consistency: 'linearizable' } as const
const PREPARE: Message = { type: 'prepare', ballot: BALLOT, from: 1 }
const PROMISE: Message = { type: 'promise', ballot: BALLOT, from: 1, accepted: [], decided: 0 }
const HAND_OVER: Message = { type: 'handOver', ballot: BALLOT }
const open: { close(): Promise<void> }[] = []

test.after.each(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function start(options: PeerNodeOptions): Promise<PeerNode> {
  const node = await startPeer({ mode: 'post', ...options })
  open.push(node)
  return node
}

async function startPair(): Promise<readonly [PeerNode, PeerNode]> {
  const nodes = [
    await start({ replica: 0 }),
    await start({ replica: 1, incarnation: 'b1' }),
  ] as const
  introduce(...nodes)
  return nodes
}

const accept = (slot: number): Message => ({
  type: 'accept',
  ballot: BALLOT,
  slot,
  value: Buffer.from([0, 255, slot]),
  decided: 0,
  confirm: 0,
  sentAt: 0,
})
const accepted = (slot: number): Message => ({
  type: 'accepted',
  ballot: BALLOT,
  slot,
  confirm: 0,
  sentAt: 0,
  applied: 0,
  durableMicros: 1,
  answeredMicros: 1,
})

test('the answer to a message comes in the response of its POST', async () => {
  const [a, b] = await startPair()
  b.onMessage = from => b.transport.send([from], PROMISE)
  a.transport.send([b.self], PREPARE)
  await until(() => a.received.length === 1, 'the promise')
  assert.equal(b.received, [{ from: a.self, message: PREPARE }])
  assert.equal(a.received, [{ from: b.self, message: PROMISE }])
  assert.equal(b.transport.counters.sent, { promise: 1 })
  assert.is(a.transport.counters.roundTrips, 1)
  assert.is(a.transport.counters.dials + b.transport.counters.dials, 0, 'no channels')
})

test('an answer may come later, as long as it is one', async () => {
  const [a, b] = await startPair()
  b.urls.clear()
  a.transport.send([b.self], accept(1))
  await until(() => b.received.length === 1, 'the accept')
  b.transport.send([a.self], PROMISE)
  assert.is(b.transport.counters.failures.noRoute, 1, 'a promise answers no accept')
  b.transport.send([a.self], accepted(1))
  b.transport.send([a.self], accepted(2))
  await until(() => a.received.length === 1, 'the answer')
  assert.equal(a.received[0]?.message, accepted(1))
  assert.is(b.transport.counters.failures.noRoute, 2, 'the POST was answered already')
})

test('several POSTs are answered in their order', async () => {
  const [a, b] = await startPair()
  for (let slot = 1; slot <= 3; slot++) a.transport.send([b.self], accept(slot))
  await until(() => b.received.length === 3, 'the accepts')
  for (let slot = 1; slot <= 3; slot++) b.transport.send([a.self], accepted(slot))
  await until(() => a.received.length === 3, 'the answers')
  assert.is(b.transport.counters.failures.noRoute, 0)
})

test('a message that has no answer is acknowledged at once', async () => {
  const b = await start({ replica: 1 })
  const startedAt = performance.now()
  assert.equal((await curl(b, 'handOver', HAND_OVER)).status, 204)
  assert.ok(performance.now() - startedAt < PEER_POST_ANSWER_MS / 2)
  assert.is(b.received.length, 1)
})

test('a core that says nothing leaves the POST without content, in time', async () => {
  const b = await start({ replica: 1 })
  const startedAt = performance.now()
  assert.equal((await curl(b, 'prepare', PREPARE)).status, 204)
  const took = performance.now() - startedAt
  assert.ok(took >= PEER_POST_ANSWER_MS - 5 && took < PEER_CONNECT_MS, `${took} ms`)
})

test('a person can send a message and read the answer', async () => {
  const b = await start({ replica: 1 })
  b.onMessage = from => b.transport.send([from], accepted(7))
  const body = JSON.stringify({ ...accept(7), value: 'text' })
  const { status, text } = await curl(b, 'accept', body)
  assert.is(status, 200)
  assert.equal(JSON.parse(text), { from: b.self, message: accepted(7) })
  const message = b.received[0]?.message
  assert.is(message?.type === 'accept' ? Buffer.from(message.value).toString() : '', 'text')
})

test('each request and each reply can be lost by itself', async () => {
  const [a, b] = await startPair()
  b.onMessage = (from, message) => {
    if (message.type === 'accept') b.transport.send([from], accepted(message.slot))
  }
  const lost = new Set(['request 2', 'reply 3'])
  a.urls.set('1/1', await startProxy(b.port, lost))
  for (let slot = 1; slot <= 4; slot++) {
    a.transport.send([b.self], accept(slot))
    await until(() => passed(a) >= slot, `accept ${slot}`)
  }
  const slots = (node: PeerNode) =>
    node.received.map(({ message }) => ('slot' in message ? message.slot : 0))
  assert.equal(slots(b), [1, 3, 4])
  assert.equal(slots(a), [1, 4])
  assert.is(a.transport.counters.failures.reset, 2)
})

test('an answer in the name of another replica is not believed, nor is nonsense', async () => {
  const a = await start({ replica: 0 })
  const from = { gid: 1, replica: 2, incarnation: 'bb' }
  const answers = [JSON.stringify({ from, message: PROMISE }), '{"from":', '']
  const server = createServer((_, response) => response.end(answers.shift()))
  const sockets = keepSockets(server)
  const port = await listen(server)
  closeLater(server, sockets)
  a.urls.set('1/1', `http://127.0.0.1:${port}`)
  const { failures } = a.transport.counters
  for (let count = 1; count <= 3; count++) {
    a.transport.send([{ gid: 1, replica: 1 }], PREPARE)
    await until(() => failures.stranger + failures.invalid === count, `failure ${count}`)
  }
  assert.equal([failures.stranger, failures.invalid, a.received.length], [1, 2, 0])
})

test('both modes go together', async () => {
  const a = await start({ replica: 0 })
  const b = await start({ replica: 1, mode: 'channel' })
  introduce(a, b)
  b.onMessage = from => b.transport.send([from], PROMISE)
  a.transport.send([b.self], PREPARE)
  await until(() => a.received.length === 1, 'the answer in the response')
  b.onMessage = () => {}
  b.transport.send([a.self], HAND_OVER)
  await until(() => a.received.length === 2, 'a message by channel')
  assert.is(b.transport.counters.dials, 1)
})

test('a peer that never answers delays nobody, and a bounded number of posts wait', async () => {
  const [a, b] = await startPair()
  const server = createServer(() => {})
  const sockets = keepSockets(server)
  const port = await listen(server)
  closeLater(server, sockets)
  a.urls.set('1/2', `http://127.0.0.1:${port}`)
  const startedAt = performance.now()
  for (let count = 0; count < 100; count++) {
    a.transport.send([{ gid: 1, replica: 2 }, b.self], HAND_OVER)
  }
  await until(() => b.received.length === 100, 'the others')
  assert.ok(performance.now() - startedAt < 900)
  assert.is(a.transport.counters.sent.handOver, 100 + PEER_POSTS_MAX)
  assert.ok(sockets.size <= PEER_POSTS_MAX)
  await until(() => a.transport.counters.failures.timeout >= PEER_POSTS_MAX, 'timeouts')
})

test('a request is passed on and answered', async () => {
  const [a, b] = await startPair()
  b.onCall = (_, done) => done({ type: 'ok', version: 1, value: Buffer.from([0, 255]), slot: 9 })
  for (const target of [b.self, { url: b.url }]) {
    const reply = await a.transport.call(target, GET, 1_000)
    assert.equal(reply.type === 'ok' ? [...reply.value] : [], [0, 255])
  }
  assert.equal(b.requests, [GET, GET])
})

test('a request that never left is definite, one that did is not', async () => {
  const [a, b] = await startPair()
  const definite = { type: 'unreachable', isDefinite: true }
  const indefinite = { type: 'unreachable', isDefinite: false }
  assert.equal(await a.transport.call({ url: 'http://127.0.0.1:1' }, GET, 500), definite)
  assert.equal(await a.transport.call({ gid: 8, replica: 8 }, GET, 500), definite)
  assert.equal(await a.transport.call(b.self, GET, 60), indefinite)
  const waiting = a.transport.call(b.self, GET, 5_000)
  await until(() => b.requests.length === 2, 'the request')
  await b.kill()
  assert.equal(await waiting, indefinite)
})

const BAD: readonly (readonly [string, number, string, string, Record<string, string>])[] = [
  ['an unknown type', 400, 'gossip', '{"type":"gossip"}', {}],
  ['a type that is not that of its route', 400, 'prepare', JSON.stringify(HAND_OVER), {}],
  ['no JSON', 400, 'prepare', '{', {}],
  ['no body', 400, 'prepare', '', {}],
  ['a field too many', 400, 'fetch', '{"type":"fetch","from":1,"x":1}', {}],
  ['a request of another kind of replica', 400, 'request', '{"type":"query","num":1}', {}],
  ['no token', 401, 'fetch', '{"type":"fetch","from":1}', { authorization: '' }],
  ['a wrong token', 401, 'fetch', '{"type":"fetch","from":1}', { authorization: 'Bearer x' }],
  ['another cluster', 403, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-cluster': 'x' }],
  [
    'a gid that is no number',
    400,
    'fetch',
    '{"type":"fetch","from":1}',
    { 'shardglass-gid': '1x' },
  ],
  ['a negative replica', 400, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-replica': '-1' }],
  ['a large replica', 400, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-replica': '65536' }],
  ['no hex', 400, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-incarnation': 'zz' }],
  ['our own address', 409, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-replica': '1' }],
  ['another receiver', 421, 'fetch', '{"type":"fetch","from":1}', { 'shardglass-to': '1/2' }],
]

for (const [what, status, type, body, headers] of BAD) {
  test(`a POST with ${what} is refused with a problem`, async () => {
    const b = await start({ replica: 1 })
    const answer = await curl(b, type, body, headers)
    assert.is(answer.status, status)
    assert.is(answer.contentType, 'application/problem+json')
    const problem = JSON.parse(answer.text)
    assert.equal([problem.status, problem.outcome], [status, 'not_applied'])
    assert.equal([b.received.length, b.requests.length], [0, 0])
    const { invalid, stranger } = b.transport.counters.failures
    assert.is(invalid + stranger, 1)
  })
}

test('a POST that is too large is refused', async () => {
  const b = await start({ replica: 1 })
  const headers = {
    authorization: 'Bearer secret',
    'shardglass-cluster': 'test',
    'shardglass-gid': '1',
    'shardglass-replica': '0',
    'shardglass-incarnation': 'aa',
  }
  const answer = await b.transport.handlePost(
    'fetch',
    headers,
    Buffer.alloc(POST_BODY_BYTES_MAX + 1),
  )
  assert.equal([answer.status, b.transport.counters.failures.tooLarge], [413, 1])
})

test('a request without a reply in time may have taken effect', async () => {
  const b = await start({ replica: 1 })
  const answer = await curl(b, 'request', GET, { 'shardglass-timeout': '50' })
  assert.is(answer.status, 504)
  assert.is(JSON.parse(answer.text).outcome, 'unknown')
})

test('closing answers the POSTs that wait, and takes no more', async () => {
  const b = await start({ replica: 1 })
  const waiting = curl(b, 'prepare', PREPARE)
  await until(() => b.received.length === 1, 'the message')
  b.transport.close()
  assert.is((await waiting).status, 204)
  assert.is((await curl(b, 'prepare', PREPARE)).status, 503)
  assert.is(b.received.length, 1)
})

/** How many of a's accepts have come to an end, one way or the other. */
function passed(a: PeerNode): number {
  return a.received.length + a.transport.counters.failures.reset
}

/** Passes POSTs on; `request N` and `reply N` of the N-th are lost by breaking the connection. */
async function startProxy(port: number, lost: ReadonlySet<string>): Promise<string> {
  let count = 0
  const server = createServer((incoming, response) => {
    count += 1
    const number = count
    if (lost.has(`request ${number}`)) {
      incoming.socket.destroy()
      return
    }
    const { method, url: path, headers } = incoming
    const onward = request({ host: '127.0.0.1', port, method, path, headers, agent: false })
    incoming.pipe(onward)
    onward.on('response', answer => {
      if (lost.has(`reply ${number}`)) incoming.socket.destroy()
      else answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers))
    })
  })
  const sockets = keepSockets(server)
  const own = await listen(server)
  closeLater(server, sockets)
  return `http://127.0.0.1:${own}`
}

function closeLater(server: Server, sockets: ReadonlySet<Socket>): void {
  open.push({
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  })
}

type Answer = { readonly status: number; readonly text: string; readonly contentType: string }

function curl(
  node: PeerNode,
  type: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const post = request(`${node.url}/peer/${type}`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: 'Bearer secret',
        'shardglass-cluster': 'test',
        'shardglass-gid': '1',
        'shardglass-replica': '0',
        'shardglass-incarnation': 'aa',
        ...headers,
      },
    })
    post.on('error', reject)
    post.on('response', response => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('end', () => {
        const contentType = response.headers['content-type'] ?? ''
        resolve({ status: response.statusCode ?? 0, text, contentType })
      })
    })
    post.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

test.run()
