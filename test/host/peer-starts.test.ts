// A data directory that was copied and started twice (C6): whoever is in touch with one of the two
// processes turns the other away.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message, Sender } from '../../server/contract.ts'
import { PeerStarts, type Presence } from '../../server/host/peer-starts.ts'
import { PEER_TWIN_MS } from '../../server/limits.ts'
import {
  introduce,
  type PeerNode,
  type PeerNodeOptions,
  startPeer,
  until,
} from '../support/peer-node.ts'

const test = suite('two processes with one life of a replica')

const ONE: Sender = { gid: 1, replica: 1, incarnation: 'aa' }
const open: PeerNode[] = []

test.after.each(async () => {
  for (const node of open.splice(0)) await node.close()
})

async function start(options: PeerNodeOptions): Promise<PeerNode> {
  const node = await startPeer(options)
  open.push(node)
  return node
}

const beat = (decided: number): Message => ({
  type: 'heartbeat',
  ballot: { round: 1, replica: 1, incarnation: 'aa' },
  decided,
  confirm: 0,
  sentAt: 0,
})
const decidedOf = (node: PeerNode) =>
  node.received.map(({ message }) => ('decided' in message ? message.decided : null))

function present(presence: Presence | null): Presence {
  if (presence === null) throw new Error('turned away')
  return presence
}

test('the one that was heard last keeps its place until it is silent', () => {
  let now = 0
  const starts = new PeerStarts(() => now)
  const first = present(starts.enter(ONE, 'first'))
  now = PEER_TWIN_MS - 1
  assert.is(starts.enter(ONE, 'second'), null)
  assert.is(starts.onHeard(first), true)
  now += PEER_TWIN_MS - 1
  assert.is(starts.enter(ONE, 'second'), null, 'it was heard meanwhile')
  now += 1
  const second = present(starts.enter(ONE, 'second'))
  assert.is(starts.onHeard(first), false, 'and comes too late now')
  starts.leave(first)
  assert.is(starts.onHeard(second), true)
  assert.is(starts.enter(ONE, 'first'), null)
})

test('a process that is gone makes room at once, when its last connection is closed', () => {
  const starts = new PeerStarts(() => 0)
  const first = present(starts.enter(ONE, 'first'))
  assert.is(starts.enter(ONE, 'first'), first, 'each process may have several')
  starts.leave(first)
  assert.is(starts.enter(ONE, 'second'), null)
  starts.leave(first)
  present(starts.enter(ONE, 'second'))
})

test('another life of the replica, and other replicas, are others', () => {
  const starts = new PeerStarts(() => 0)
  const first = present(starts.enter(ONE, 'first'))
  present(starts.enter({ ...ONE, replica: 2 }, 'second'))
  assert.is(starts.onHeard(first), true)
  present(starts.enter({ ...ONE, incarnation: 'bb' }, 'third'))
  assert.is(starts.onHeard(first), false, 'an emptied directory has no use for the former one')
})

test('the copy that starts later is turned away, and both are told who it is', async () => {
  const told: (Sender | null)[] = []
  const saidOfItself: (Sender | null)[] = []
  const a = await start({ replica: 0, onTwin: peer => told.push(peer) })
  const b = await start({ replica: 1, start: 'b1' })
  introduce(a, b)
  b.transport.send([a.self], beat(1))
  await until(() => a.received.length === 1, 'the first process')
  const copy = await start({ replica: 1, start: 'b2', onTwin: peer => saidOfItself.push(peer) })
  introduce(a, copy)
  copy.transport.send([a.self], beat(2))
  await until(() => saidOfItself.length > 0, 'a refusal')
  assert.equal([told[0], saidOfItself[0]], [b.self, null])
  assert.is(copy.transport.counters.failures.twin, saidOfItself.length)
  b.transport.send([a.self], beat(3))
  await until(() => a.received.length === 2, 'the first one goes on')
  assert.equal(decidedOf(a), [1, 3])
})

test('a restart is no copy: it is let in when the former process is gone', async () => {
  const a = await start({ replica: 0 })
  const b = await start({ replica: 1, start: 'b1' })
  introduce(a, b)
  b.transport.send([a.self], beat(1))
  await until(() => a.received.length === 1, 'the first process')
  await b.kill()
  const again = await start({ replica: 1, start: 'b2' })
  introduce(a, again)
  again.transport.send([a.self], beat(2))
  await until(() => a.received.length === 2, 'the second one')
  assert.is(a.transport.counters.failures.twin, 0)
})

test('a copy at the address of the first is not spoken to while that one is there', async () => {
  const told: (Sender | null)[] = []
  const a = await start({ replica: 0, onTwin: peer => told.push(peer) })
  const b = await start({ replica: 1, start: 'b1' })
  introduce(a, b)
  const copy = await start({ replica: 1, start: 'b2' })
  a.urls.set('1/1', copy.url)
  b.transport.send([a.self], beat(1))
  await until(() => a.received.length === 1, 'the first process')
  // Its own channel stays; a dial, begun because it is better, finds the other one.
  a.transport.send([b.self], beat(2))
  await until(() => told.length > 0, 'the copy')
  assert.equal(told[0], b.self)
  assert.equal(decidedOf(copy), [])
})

test.run()
