// Requests that are repeated, forgotten, mixed up or answered wrongly.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Numbering } from '../../server/client/numbering.ts'
import { hashToken } from '../../server/http/auth.ts'
import { Lanes } from '../../server/http/lanes.ts'
import {
  CLIENT_ID_LENGTH_MAX,
  SESSION_EXPIRY_INTERVAL_MS,
  SESSION_FORGET_MS,
  SESSION_IDLE_MS,
} from '../../server/limits.ts'
import { DirectedGroup } from '../support/directed-group.ts'
import { DirectedShards, type Session } from '../support/directed-shards.ts'
import { KvNode, TOKENS } from '../support/kv-node.ts'

const test = suite('pitfalls of clients')

function served(groups = 1): DirectedShards {
  const world = new DirectedShards(groups)
  world.configure(1, 1, groups, groups)
  world.settle()
  return world
}

function put(world: DirectedShards, gid: number, value: string, session: Session): string {
  const id = world.put(gid, 'd', value, session)
  world.settle()
  return world.said(id)
}

test('R1: each request of a batch is run once and gets its own answer, in order', () => {
  for (const batchOps of [1, 2, 3, 100]) {
    const group = new DirectedGroup(3, { batchOps })
    group.campaign(0)
    group.settle()
    const requests = [...'abcdefg'].map((request, index) => ({
      type: 'request' as const,
      id: index + 100,
      request,
    }))
    group.step(0, ...requests)
    group.settle()
    const answers = requests.map(({ id }) => group.replies.get(id)?.log)
    assert.equal(answers, ['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg'])
  }
})

test('R1: an answer that was lost with its leader is given again, from the log or the store', () => {
  for (const isFlushed of [false, true]) {
    const world = served()
    const session = { client: 'c', number: 1 }
    world.put(1, 'd', 'before')
    world.settle()
    const first = world.puthash(1, 'd', 'x', session)
    world.settle()
    const value = world.read(1, 'd')
    if (isFlushed) world.flush(1)
    world.restart(1)
    const again = world.puthash(1, 'd', 'x', session)
    world.settle()
    assert.is(world.said(again), 'ok(before)')
    assert.is(world.said(again), world.said(first))
    assert.is(world.read(1, 'd'), value)
  }
})

test('R1: the same request that stands in the log twice is run once', () => {
  const world = served()
  const session = { client: 'c', number: 1 }
  // Taken on twice before either is decided: neither can know of the other yet.
  const ids = [world.puthash(1, 'd', 'x', session), world.puthash(1, 'd', 'x', session)]
  world.settle()
  assert.equal(
    ids.map(id => world.said(id)),
    ['ok()', 'ok()'],
  )
  const next = world.puthash(1, 'd', 'y')
  world.settle()
  const reply = world.replies.get(next)
  assert.ok(reply?.type === 'ok' && reply.version === 2)
})

/** The leader has looked through its sessions since the clock stood at what it is now. */
function expire(world: DirectedShards): void {
  world.micros += SESSION_EXPIRY_INTERVAL_MS * 1000
  world.pass(100)
  world.micros += SESSION_EXPIRY_INTERVAL_MS * 1000
  world.pass(100)
}

test('R3: by the time in the log, an idle session refuses what it ran, then is forgotten', () => {
  const world = served()
  assert.is(put(world, 1, 'a', { client: 'c', number: 1 }), 'ok()')
  expire(world)
  assert.is(put(world, 1, 'a', { client: 'c', number: 1 }), 'ok()', 'it is not idle yet')
  const held = world.held(1, 0)
  world.wallMs += SESSION_IDLE_MS
  expire(world)
  assert.is(put(world, 1, 'a', { client: 'c', number: 1 }), 'sessionExpired')
  assert.is(world.held(1, 0), held)
  world.wallMs += SESSION_FORGET_MS
  expire(world)
  assert.is(world.held(1, 0), held - 1)
  assert.is(world.read(1, 'd'), 'ok(a)')
})

test('R3: sessions of a shard that is being given away stay as they are', () => {
  const world = served(2)
  const session = { client: 'c', number: 1 }
  const first = put(world, 1, 'a', session)
  world.configure(2, 1, 2, 2)
  world.tell(1)
  world.sync(1)
  assert.is(world.phases(1)[0], 'leaving')
  const held = world.held(1, 0)
  world.wallMs += 2 * SESSION_FORGET_MS
  world.decide(1, { type: 'expire', shard: 0, after: '' })
  assert.is(world.held(1, 0), held)
  world.pass(1_000)
  assert.is(put(world, 2, 'a', session), first)
})

test('R6: client ids hold 128 random bits, within the length that the contract allows', () => {
  const clients = Array.from({ length: 100 }, () => [
    new Numbering().take(1).client,
    new Lanes().begin()?.session.client ?? '',
  ]).flat()
  assert.is(new Set(clients).size, clients.length)
  for (const client of clients) {
    assert.match(client, /[0-9a-f]{32}/)
    assert.ok(client.length <= CLIENT_ID_LENGTH_MAX)
  }
})

test('R8: of what waits at a leader that is none any more, only what was proposed is uncertain', () => {
  const group = new DirectedGroup(3, { pipelineSlots: 1 })
  group.campaign(0)
  group.settle()
  const read = group.request(0, 'read')
  const proposed = group.request(0, 'x')
  const queued = group.request(0, 'y')
  const later = group.request(0, 'read')
  group.drop(() => true)
  group.pass(21_000, [0])
  const said = [read, proposed, queued, later].map(id => group.replies.get(id)?.type)
  assert.equal(said, ['notLeader', 'unknown', 'notLeader', 'notLeader'])
})

test('G8: what waits at a leader is bounded, what is more is refused, and there is room again', () => {
  const bounds = [{ queueOps: 3 }, { queueBytes: 300 }]
  for (const bound of bounds) {
    const group = new DirectedGroup(3, { ...bound, reads: 2, pipelineSlots: 1, batchOps: 1 })
    group.campaign(0)
    group.settle()
    for (let round = 0; round < 3; round++) {
      // The first goes into a slot, three wait.
      const writes = Array.from({ length: 6 }, () => group.request(0, 'x'.repeat(100)))
      const reads = Array.from({ length: 5 }, () => group.request(0, 'read'))
      const refused = (ids: readonly number[]) =>
        ids.filter(id => group.replies.get(id)?.type === 'overloaded').length
      assert.is(refused(writes), 2)
      assert.is(refused(reads), 2, 'one leaves with its confirmation, two wait')
      group.settle()
      const answered = [...writes, ...reads].filter(id => group.replies.get(id)?.type === 'ok')
      assert.is(answered.length, 7)
    }
  }
})

test('S14: no token gets behind the HTTP edge, so none can stand in a log or a store', async () => {
  const node = new KvNode()
  const options = { token: TOKENS.writer, body: 'value' }
  await node.request('PUT', '/v1/kv/key', options)
  await node.request('POST', '/v1/puthash/key', options)
  assert.is(node.backend.seen.length, 2)
  const seen = JSON.stringify(node.backend.seen)
  assert.not.ok(seen.includes(TOKENS.writer) || seen.includes(hashToken(TOKENS.writer)))
})

test.run()
