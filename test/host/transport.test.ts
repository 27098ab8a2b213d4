import type { Duplex } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { encodeFrame } from '../../server/host/frame.ts'
import { PeerQueue } from '../../server/host/peer-queue.ts'
import {
  MESSAGE_BYTES_MAX,
  PEER_CHANNELS_PER_PEER_MAX,
  PEER_QUEUE_FRAMES_MAX,
  PEER_WINDOW_BYTES,
} from '../../server/limits.ts'
import {
  introduce,
  type PeerNode,
  type PeerNodeOptions,
  startPeer,
  until,
} from '../support/peer-node.ts'
import { closed, dialAndWrite, dialRaw, type Raw, rawFrame, startRaw } from '../support/raw-peer.ts'

const test = suite('transport by channels')

const BALLOT = { round: 3, replica: 0, incarnation: 'aa' }
const GET = { type: 'get', key: 'k\u00ff', consistency: 'linearizable' } as const
const open: { close(): Promise<void> }[] = []

test.after.each(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function start(options: PeerNodeOptions): Promise<PeerNode> {
  const node = await startPeer(options)
  open.push(node)
  return node
}

async function startStub(...kind: Parameters<typeof startRaw>): Promise<Raw> {
  const raw = await startRaw(...kind)
  open.push(raw)
  return raw
}

const beat = (decided: number): Message => ({
  type: 'heartbeat',
  ballot: BALLOT,
  decided,
  confirm: 0,
  sentAt: 0,
})
const entriesOf = (value: Buffer): Message => ({
  type: 'entries',
  from: 1,
  entries: [{ slot: 1, value }],
  first: 1,
  decided: 1,
})
const decidedOf = (node: PeerNode) =>
  node.received.map(({ message }) => ('decided' in message ? message.decided : null))

test('a message arrives once, whole, with its sender', async () => {
  const [a, b] = [await start({ replica: 0, incarnation: 'a0' }), await start({ replica: 1 })]
  introduce(a, b)
  const value = Buffer.alloc(300_000, 'value')
  const accept: Message = {
    type: 'accept',
    ballot: BALLOT,
    slot: 1,
    value,
    decided: 0,
    confirm: 0,
    sentAt: 0,
  }
  a.transport.send([b.self], accept)
  a.transport.send([b.self], beat(1))
  await until(() => b.received.length === 2, 'both messages')
  assert.equal(b.received[0]?.from, a.self)
  assert.ok(
    value.equals(
      b.received[0]?.message.type === 'accept' ? b.received[0].message.value : value.subarray(1),
    ),
  )
  assert.equal(b.received[1]?.message, beat(1))
  assert.equal(
    [a.transport.counters.sent, a.transport.counters.dials],
    [{ accept: 1, heartbeat: 1 }, 1],
  )
  assert.equal(b.transport.counters.received, { accept: 1, heartbeat: 1 })
  assert.ok(a.transport.counters.sentBytes > value.length)
})

test('three replicas talk to each other and to themselves', async () => {
  const nodes = [
    await start({ replica: 0 }),
    await start({ replica: 1 }),
    await start({ replica: 2 }),
  ]
  introduce(...nodes)
  const all = nodes.map(node => node.self)
  for (const [index, node] of nodes.entries()) node.transport.send(all, beat(index))
  assert.equal(decidedOf(nodes[0]!), [0], 'to itself at once')
  await until(() => nodes.every(node => node.received.length === 3), 'all messages')
  for (const node of nodes) assert.equal(decidedOf(node).sort(), [0, 1, 2])
  assert.is(nodes[0]!.transport.counters.dials, 2)
})

test('the frames of one turn leave in one piece, in order', async () => {
  const a = await start({ replica: 0 })
  const { url, chunks } = await startStub('open')
  a.urls.set('1/1', url)
  a.transport.send([{ gid: 1, replica: 1 }], beat(0))
  await until(() => chunks.length === 1, 'the first')
  for (let count = 1; count <= 50; count++) a.transport.send([{ gid: 1, replica: 1 }], beat(count))
  await until(() => chunks.length >= 2, 'the rest')
  const expected = Array.from({ length: 50 }, (_, index) => encodeFrame(beat(index + 1)))
  assert.ok(Buffer.concat(expected).equals(chunks[1]!))
})

test('frames that come together with the handshake are not lost', async () => {
  const a = await start({ replica: 0 })
  const socket = dialAndWrite(a, encodeFrame(beat(1)))
  await until(() => a.received.length === 1, 'the frame behind the request')
  socket.destroy()
  const stub = await startStub('open', 1, encodeFrame(beat(2)))
  a.urls.set('1/1', stub.url)
  a.transport.send([{ gid: 1, replica: 1 }], beat(0))
  await until(() => a.received.length === 2, 'the frame behind the answer')
  assert.equal(a.received[1]?.from, { gid: 1, replica: 1, incarnation: 'ff' })
})

test('a peer may have a few channels open to us; then the oldest is closed', async () => {
  const a = await start({ replica: 0 })
  const first = await dialRaw(a)
  const rest: Duplex[] = []
  while (rest.length < PEER_CHANNELS_PER_PEER_MAX) rest.push(await dialRaw(a))
  await closed(first)
  for (const [index, socket] of rest.entries()) socket.write(encodeFrame(beat(index)))
  await until(() => a.received.length === rest.length, 'messages on all others')
  for (const socket of rest) socket.destroy()
})

test('what is flushed has left before the turn ends', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  a.transport.send([b.self], beat(1))
  await until(() => b.received.length === 1, 'the channel')
  const { sent } = a.transport.counters
  a.transport.send([b.self], beat(2))
  assert.is(sent.heartbeat, 1)
  a.transport.flush()
  assert.is(sent.heartbeat, 2)
})

test('a replica that comes back is reached again, on the same channel object', async () => {
  const a = await start({ replica: 0 })
  const first = await start({ replica: 1 })
  introduce(a, first)
  a.transport.send([first.self], beat(1))
  await until(() => first.received.length === 1, 'the first life')
  await first.kill()
  const repeated = setInterval(() => a.transport.send([first.self], beat(2)), 10)
  await until(() => a.transport.counters.failures.refused > 1, 'failed dials')
  const second = await start({ replica: 1, port: first.port, incarnation: 'bb' })
  await until(() => second.received.length > 0, 'the second life')
  clearInterval(repeated)
  assert.equal(second.received[0]?.message, beat(2))
})

test('a replica that has moved is reached at its new URL', async () => {
  const a = await start({ replica: 0 })
  const [before, after] = [await start({ replica: 1 }), await start({ replica: 1 })]
  for (const [index, node] of [before, after].entries()) {
    a.urls.set('1/1', node.url)
    a.transport.send([node.self], beat(index))
    await until(() => node.received.length === 1, 'the message')
  }
  assert.equal([decidedOf(before), decidedOf(after)], [[0], [1]])
})

test('dials to a dead replica grow rare', async () => {
  const a = await start({ replica: 0 })
  a.urls.set('1/1', 'http://127.0.0.1:1')
  const repeated = setInterval(() => a.transport.send([{ gid: 1, replica: 1 }], beat(2)), 5)
  await new Promise(resolve => setTimeout(resolve, 700))
  clearInterval(repeated)
  const { dials } = a.transport.counters
  assert.ok(dials >= 4 && dials <= 7, `${dials} dials: after 0, 20, 60, 140, 300, 620 ms`)
  assert.ok(a.transport.counters.failures.unreachable > 0)
})

for (const kind of ['mute', 'open'] as const) {
  const what = kind === 'mute' ? 'accepts and never answers' : 'opens a channel and never answers'
  test(`a peer that ${what} is given up, and delays nobody`, async () => {
    const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
    introduce(a, b)
    const hole = await startStub(kind, 2)
    a.urls.set('1/2', hole.url)
    const target = { gid: 1, replica: 2 }
    a.transport.send([b.self], beat(0))
    await until(() => b.received.length === 1, 'the channel')
    const startedAt = performance.now()
    for (let count = 1; count <= 20; count++) a.transport.send([target, b.self], beat(count))
    await until(() => b.received.length === 21, 'the others')
    assert.ok(performance.now() - startedAt < 500, `${performance.now() - startedAt} ms`)
    const failure = kind === 'mute' ? 'timeout' : 'silent'
    await until(() => a.transport.counters.failures[failure] > 0, `a ${failure}`)
    a.transport.send([target], beat(99))
    await until(() => a.transport.counters.dials > 2, 'another dial')
  })
}

test('an idle channel is not pinged, a used one is', async () => {
  const trips: number[] = []
  const a = await start({ replica: 0, onRoundTrip: (_, micros) => trips.push(micros) })
  const b = await start({ replica: 1 })
  introduce(a, b)
  a.transport.send([b.self], beat(1))
  await until(() => trips.length === 1, 'a round trip')
  assert.ok(trips[0]! > 0 && trips[0]! < 2_000_000)
  assert.is(a.transport.peers()[0]?.roundTripMicros, trips[0])
  await new Promise(resolve => setTimeout(resolve, 1_200))
  assert.is(a.transport.counters.sent.ping, 1)
  assert.is(b.transport.counters.sent.ping, undefined)
  assert.is(a.transport.counters.roundTrips, 1)
})

test('what waits for a peer that does not read is bounded, and the oldest go', async () => {
  const a = await start({ replica: 0 })
  const hole = await startStub('deaf')
  a.urls.set('1/1', hole.url)
  const target = { gid: 1, replica: 1 }
  for (let count = 0; count < PEER_QUEUE_FRAMES_MAX + 5; count++) {
    a.transport.send([target], beat(count))
  }
  assert.is(a.transport.counters.failures.queueFull, 5)
  await until(() => a.transport.peers()[0]?.isConnected === true, 'the channel')
  for (let count = 0; count < 10; count++) {
    a.transport.send([target], entriesOf(Buffer.alloc(8 * 1024 * 1024)))
    a.transport.flush()
  }
  assert.ok(a.transport.counters.failures.queueFull > 8, 'the socket does not take it all')
  const { queuedBytes } = a.transport.peers()[0]!
  assert.ok(queuedBytes <= 2 * MESSAGE_BYTES_MAX, `${queuedBytes} bytes`)
})

test('what is more than a window goes out as the peer reads', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  for (let count = 0; count < 40; count++) {
    a.transport.send([b.self], entriesOf(Buffer.alloc(PEER_WINDOW_BYTES / 2)))
  }
  await until(() => b.received.length === 40, 'all of it')
  assert.is(a.transport.counters.failures.queueFull, 0)
})

test('a queue drops its oldest, and never its newest', () => {
  const queue = new PeerQueue<{ size: number; name: string }>({ bytesMax: 10, countMax: 3 })
  const names = (items: readonly { name: string }[]) => items.map(item => item.name).join('')
  assert.is(names(queue.push({ size: 4, name: 'a' })), '')
  assert.is(names(queue.push({ size: 4, name: 'b' })), '')
  assert.is(names(queue.push({ size: 4, name: 'c' })), 'a')
  assert.is(names(queue.push({ size: 1, name: 'd' })), '')
  assert.is(names(queue.push({ size: 1, name: 'e' })), 'b')
  assert.is(names(queue.push({ size: 50, name: 'f' })), 'cde')
  assert.equal([queue.length, queue.bytes], [1, 50])
  assert.is(queue.shift()?.name, 'f')
  assert.is(queue.shift(), undefined)
  for (let count = 0; count < 5_000; count++) {
    queue.push({ size: 0, name: String(count) })
    if (count > 0) assert.is(queue.shift()?.name, String(count - 1))
  }
  assert.is(names(queue.clear()), '4999')
  assert.equal([queue.length, queue.bytes], [0, 0])
})

const STRANGERS: readonly (readonly [string, PeerNodeOptions])[] = [
  ['another token', { replica: 0, token: 'guess' }],
  ['another cluster', { replica: 0, cluster: 'other' }],
  ["the receiver's own address", { replica: 1, incarnation: 'cc' }],
  ['an incarnation that is not hex', { replica: 0, incarnation: 'x' }],
  ['no incarnation', { replica: 0, incarnation: '' }],
]

for (const [what, options] of STRANGERS) {
  test(`a sender with ${what} is turned away by both ways`, async () => {
    const b = await start({ replica: 1 })
    for (const mode of ['channel', 'post'] as const) {
      const stranger = await start({ ...options, mode })
      stranger.urls.set('1/1', b.url)
      const isOwn = stranger.self.replica === 1
      if (isOwn) stranger.urls.set('1/7', b.url)
      stranger.transport.send([{ gid: 1, replica: isOwn ? 7 : 1 }], beat(1))
      await until(() => stranger.transport.counters.failures.status === 1, 'the refusal')
      const reply = await stranger.transport.call({ url: b.url }, GET, 500)
      assert.is(reply.type, 'unreachable')
    }
    assert.is(b.received.length, 0)
    assert.is(b.requests.length, 0)
    assert.ok(b.transport.counters.failures.stranger >= 2)
  })
}

test('a URL that leads to another replica is noticed by both ways', async () => {
  const b = await start({ replica: 1 })
  for (const mode of ['channel', 'post'] as const) {
    const a = await start({ replica: 0, mode })
    a.urls.set('1/2', b.url)
    a.transport.send([{ gid: 1, replica: 2 }], beat(1))
    await until(() => a.transport.counters.failures.status === 1, 'the refusal')
  }
  assert.is(b.received.length, 0)
})

test('a listener that is no replica of the cluster is not talked to', async () => {
  const a = await start({ replica: 0 })
  const liar = await startStub('open', 5)
  a.urls.set('1/1', liar.url)
  a.transport.send([{ gid: 1, replica: 1 }], beat(1))
  await until(() => a.transport.counters.failures.stranger > 0, 'the mismatch')
  assert.is(liar.chunks.length, 0)
})

const GARBAGE: readonly (readonly [string, Buffer])[] = [
  ['a length above the maximum', Buffer.from([255, 255, 255, 255])],
  ['no JSON', Buffer.from([8, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4])],
  ['an unknown type', rawFrame('{"type":"gossip"}')],
  ['an invalid ballot', rawFrame('{"type":"handOver","ballot":{"round":-1}}')],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
]

for (const [what, bytes] of GARBAGE) {
  test(`a channel that carries ${what} is closed and counted`, async () => {
    const b = await start({ replica: 1 })
    const socket = await dialRaw(b)
    socket.write(Buffer.concat([encodeFrame(beat(1)), bytes, encodeFrame(beat(2))]))
    await closed(socket)
    assert.equal(decidedOf(b), [1], 'only what came before')
    assert.is(b.transport.counters.failures.invalid, 1)
  })
}

test('a message that is too large is not sent, and counted', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  a.transport.send([b.self], entriesOf(Buffer.alloc(MESSAGE_BYTES_MAX)))
  a.transport.send([b.self], beat(1))
  await until(() => b.received.length === 1, 'the next message')
  assert.equal([a.transport.counters.failures.tooLarge, decidedOf(b)], [1, [1]])
})

for (const url of [null, 'http://127.0.0.1:1']) {
  const what = url === null ? 'whose URL is not known' : 'that cannot be dialled'
  test(`a peer ${what} is answered on its own channel`, async () => {
    const [a, b] = [await start({ replica: 0 }), await start({ gid: 2, replica: 1 })]
    a.urls.set('2/1', b.url)
    if (url !== null) b.urls.set('1/0', url)
    b.onMessage = from => b.transport.send([from], beat(7))
    a.transport.send([b.self], beat(1))
    await until(() => a.received.length === 1, 'the answer')
    assert.equal(a.received[0], { from: b.self, message: beat(7) })
    assert.is(b.transport.counters.sent.heartbeat, 1)
    assert.is(b.transport.counters.dials, url === null ? 0 : 1, 'a dial is tried all the same')
  })
}

test('a message for whom there is no way is counted', async () => {
  const a = await start({ replica: 0 })
  a.transport.send([{ gid: 9, replica: 0 }], beat(1))
  assert.is(a.transport.counters.failures.noRoute, 1)
})

test('nonsense as a URL harms nobody', async () => {
  for (const mode of ['channel', 'post'] as const) {
    const a = await start({ replica: 0, mode })
    for (const [index, url] of [
      '',
      'x',
      'ftp://a',
      'http://',
      'http://nowhere.invalid',
    ].entries()) {
      a.urls.set(`1/${index + 1}`, url)
      a.transport.send([{ gid: 1, replica: index + 1 }], beat(1))
    }
    await until(() => a.transport.counters.failures.refused === 5, 'five refusals')
  }
})

test.run()
