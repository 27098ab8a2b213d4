import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { PeerCalls } from '../../server/host/peer-calls.ts'
import { PEER_CALLS_MAX } from '../../server/limits.ts'
import {
  introduce,
  type PeerNode,
  type PeerNodeOptions,
  startPeer,
  until,
} from '../support/peer-node.ts'
import { dialRaw, type Raw, rawFrame, startRaw } from '../support/raw-peer.ts'

const test = suite('transport of calls')

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
test('a request is passed on and answered', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  b.onCall = (request, done) =>
    done({ type: 'ok', version: 4, value: Buffer.from(request.type), slot: 3 })
  for (const target of [b.self, { url: b.url }]) {
    const reply = await a.transport.call(target, GET, 2_000)
    assert.is(reply.type === 'ok' ? Buffer.from(reply.value).toString() : reply.type, 'get')
  }
  assert.equal(b.requests, [GET, GET])
  a.onCall = (_, done) => done({ type: 'overloaded' })
  assert.equal(await a.transport.call(a.self, GET, 100), { type: 'overloaded' })
})

test('many requests under way at once get their own answers', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  const dones: (() => void)[] = []
  b.onCall = (request, done) => {
    const { key } = request
    dones.push(() => done({ type: 'ok', version: 1, value: Buffer.from(key), slot: 1 }))
    if (dones.length === 200) for (const each of dones.reverse()) each()
  }
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      a.transport.call(b.self, { ...GET, key: `k${index}` }, 2_000),
    ),
  )
  for (const [index, reply] of replies.entries()) {
    assert.is(reply.type === 'ok' ? Buffer.from(reply.value).toString() : '', `k${index}`)
  }
})

test('a request that never left is definite, one that did is not', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  a.urls.set('1/2', 'http://127.0.0.1:1')
  const dead = { gid: 1, replica: 2 }
  const definite = { type: 'unreachable', isDefinite: true }
  const indefinite = { type: 'unreachable', isDefinite: false }
  assert.equal(await a.transport.call(dead, GET, 1_000), definite, 'refused')
  const startedAt = performance.now()
  assert.equal(await a.transport.call(dead, GET, 1_000), definite, 'known to be away')
  assert.ok(performance.now() - startedAt < 15)
  assert.equal(await a.transport.call({ gid: 8, replica: 8 }, GET, 1_000), definite, 'no URL')
  assert.equal(await a.transport.call(b.self, GET, 60), indefinite, 'no answer in time')
  const hole = await startStub('mute')
  assert.equal(await a.transport.call({ url: hole.url }, GET, 60), definite, 'not open in time')
  const waiting = a.transport.call(b.self, GET, 5_000)
  await until(() => b.requests.length === 2, 'the request')
  const brokenAt = performance.now()
  await b.kill()
  assert.equal(await waiting, indefinite, 'the connection broke')
  assert.ok(performance.now() - brokenAt < 1_000, 'known at once')
})

test('a reply to a call comes from whom was asked, once', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  b.onCall = (_, done) => {
    done({ type: 'overloaded' })
    done({ type: 'unknown' })
  }
  assert.equal(await a.transport.call(b.self, GET, 1_000), { type: 'overloaded' })
  const intruder = await dialRaw(a, { gid: 1, replica: 5 })
  const waiting = new Promise<string>(resolve => {
    b.onCall = () => {
      intruder.write(rawFrame('{"type":"callReply","id":2,"reply":{"type":"unknown"}}'))
      setTimeout(resolve, 50, 'not taken')
    }
  })
  const call = a.transport.call(b.self, GET, 3_000).then(reply => reply.type)
  assert.is(await Promise.race([call, waiting]), 'not taken')
})

test('more calls than can be remembered are refused, and have no effect', async () => {
  const calls = new PeerCalls<string>()
  let started = 0
  const start = () => {
    started += 1
  }
  const first = calls.open(60_000, id => calls.onWritten(id, 'self'), start)
  for (let count = 1; count < PEER_CALLS_MAX; count++) void calls.open(60_000, () => {}, start)
  const refused = await calls.open(60_000, start, start)
  assert.equal([refused, started], [{ type: 'unreachable', isDefinite: true }, 0])
  calls.close()
  assert.equal(await first, { type: 'unreachable', isDefinite: false })
})

test('closing sends what waits, ends calls, and leaves nothing open', async () => {
  const [a, b] = [await start({ replica: 0 }), await start({ replica: 1 })]
  introduce(a, b)
  a.transport.send([b.self], beat(1))
  await until(() => b.received.length === 1, 'the channel')
  const call = a.transport.call(b.self, GET, 60_000)
  a.transport.send([b.self], { type: 'handOver', ballot: BALLOT })
  a.transport.close()
  assert.equal(await call, { type: 'unreachable', isDefinite: false })
  await until(() => b.received.length === 2, 'the last message')
  a.transport.send([b.self], beat(3))
  assert.equal(await a.transport.call(b.self, GET, 60_000), {
    type: 'unreachable',
    isDefinite: true,
  })
})

test.run()
