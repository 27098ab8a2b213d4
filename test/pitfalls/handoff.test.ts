// Moving shards between groups, step by step: each way in which a shard was lost, doubled or served
// by two groups somewhere.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CONFIG_POLL_TIMEOUT_MS, HANDOFF_CHUNK_BYTES } from '../../server/limits.ts'
import type { Command } from '../../server/shardkv/command.ts'
import { DirectedShards, KEYS, ofKind, type Passing } from '../support/directed-shards.ts'

const test = suite('pitfalls of handoffs')

/** Shards 0 and 1 in group 1, 2 and 3 in group 2, each with a value of its key. */
function settled(groups = 2): DirectedShards {
  const world = new DirectedShards(groups)
  world.configure(1, 1, 2, 2)
  world.settle()
  for (const [shard, key] of KEYS.entries()) world.put(shard < 2 ? 1 : 2, key, `${key} old`)
  world.settle()
  return world
}

function isMoved(world: DirectedShards): void {
  assert.equal(world.phases(1), ['absent', 'serving', 'absent', 'absent'])
  assert.equal(world.phases(2), ['serving', 'absent', 'serving', 'serving'])
  assert.is(world.held(1, 0), 0)
}

/** The command that a part on the wire becomes. */
function received({ message }: Passing): Extract<Command, { type: 'receive' }> {
  if (message.type !== 'receiveShard') throw new Error('no part of a shard')
  const { config, shard, after, entries, total } = message
  return { type: 'receive', config, shard, after, entries, total }
}

test('H1: a retry after the shard has moved gets the first answer, and runs once', () => {
  const world = settled()
  const session = { client: 'c', number: 1 }
  const first = world.puthash(1, 'd', 'a', session)
  world.settle()
  world.configure(2, 1, 2, 2)
  world.settle()
  isMoved(world)
  const value = world.read(2, 'd')
  const again = world.puthash(2, 'd', 'a', session)
  world.settle()
  assert.equal(world.replies.get(again), world.replies.get(first))
  assert.is(world.read(2, 'd'), value)
  const next = world.put(2, 'd', 'next')
  world.settle()
  const reply = world.replies.get(next)
  assert.ok(reply?.type === 'ok' && reply.version === 3, 'versions go on where they were')
})

test('H2: a write that is in the log behind the freeze has no effect', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.tell(1)
  const late = world.put(1, 'd', 'late')
  assert.is(world.said(late), 'nothing', 'it is taken on, while the shard is served')
  world.settle([1])
  assert.is(world.said(late), 'wrongGroup')
  world.pass(1_000)
  assert.is(world.read(2, 'd'), 'ok(d old)')
})

/** One small step of everything, in a fixed order; false when nothing was left to do. */
function* stepsOf(world: DirectedShards): Generator<void> {
  for (let quiet = 0; quiet < 4; ) {
    for (const gid of world.gids) {
      world.sync(gid)
      yield
      world.tell(gid)
      yield
    }
    const [next] = world.wire
    quiet = next === undefined ? quiet + 1 : 0
    if (next !== undefined) world.deliver(item => item === next)
    yield
  }
}

test('H3: whoever crashes at whatever step of a move, one group serves at most, and one in the end', () => {
  for (const crashing of [1, 2]) {
    for (let at = 0; ; at++) {
      const world = settled()
      for (const letter of ['h', 'l', 'p']) world.put(1, letter, letter.repeat(100_000))
      world.settle()
      if (at % 2 === 1) world.flush(crashing)
      world.configure(2, 1, 2, 2)
      let step = 0
      for (const _ of stepsOf(world)) {
        if (step === at) world.restart(crashing)
        const serving = world.gids.filter(gid => world.phases(gid)[0] === 'serving')
        assert.ok(serving.length <= 1, `group ${crashing} crashed at ${at}: both serve at ${step}`)
        step += 1
      }
      world.pass(3_000)
      isMoved(world)
      assert.is(world.read(2, 'd'), 'ok(d old)')
      assert.is(world.read(2, 'p'), `ok(${'p'.repeat(100_000)})`)
      if (at > step) break
    }
  }
})

test('H4: nothing is deleted before the log of the new owner holds the shard', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.settle([1])
  world.tell(2)
  world.sync(2)
  const before = world.held(1, 0)
  world.pass(50, [1])
  world.deliver(ofKind('receiveShard'))
  // The part is in the new owner's memory, and not on its disk.
  world.settle([1])
  world.deliver(ofKind('receiveShardReply'))
  world.settle([1])
  assert.is(world.phases(1)[0], 'leaving')
  assert.is(world.held(1, 0), before)
  world.restart(2)
  assert.is(world.read(2, 'd'), 'shardMoving')
  world.pass(3_000)
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d old)')
})

test('H5: configurations are adopted one by one, each when the shards it moves are there', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.configure(1, 1, 2, 2)
  world.configure(2, 1, 2, 2)
  for (const gid of [1, 2]) {
    for (let turn = 0; turn < 5; turn++) {
      world.tell(gid)
      world.sync(gid)
    }
  }
  assert.equal([world.adopted(1), world.adopted(2)], [2, 2], 'the first move is under way')
  world.pass(3_000)
  for (const gid of [1, 2]) assert.equal(world.adoptions(gid), [0, 1, 2, 3, 4])
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d old)')
})

test('H5: a configuration that leaves one out is not adopted', () => {
  const world = settled()
  world.configure(1, 1, 2, 2)
  const skipping = world.configure(1, 1, 1, 1)
  world.decide(1, { type: 'config', config: skipping })
  assert.is(world.adopted(1), 1)
})

test('H6: parts and releases of an earlier move change nothing when they come late', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.settle([1])
  const [old] = world.wire.filter(ofKind('receiveShard'))
  assert.ok(old)
  world.pass(1_000)
  isMoved(world)
  world.put(2, 'd', 'd new')
  world.settle()
  world.configure(1, 1, 2, 2)
  world.pass(1_000)
  world.configure(2, 1, 2, 2)
  world.settle([1])
  const parts = world.drop(ofKind('receiveShard'))
  world.decide(1, { type: 'release', config: 2, shard: 0 })
  assert.is(world.phases(1)[0], 'leaving', 'a release of the first move')
  world.tell(2)
  world.sync(2)
  assert.is(world.phases(2)[0], 'awaited')
  world.inject(old)
  world.decide(2, received(old))
  assert.is(world.phases(2)[0], 'awaited', 'a part of the first move')
  for (const part of parts) world.inject(part)
  world.pass(3_000)
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d new)')
  world.inject(old)
  world.settle()
  assert.is(world.read(2, 'd'), 'ok(d new)')
})

test('H6: a part that comes twice is taken once', () => {
  const world = settled()
  world.put(1, 'h', 'x'.repeat(HANDOFF_CHUNK_BYTES))
  world.settle()
  world.configure(2, 1, 2, 2)
  world.settle([1])
  world.tell(2)
  world.sync(2)
  const [part] = world.drop(ofKind('receiveShard'))
  assert.ok(part)
  world.decide(2, received(part), received(part))
  world.inject(part)
  world.pass(3_000)
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d old)')
})

test('H6: a shard that has arrived is acknowledged again, and released', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.settle([1])
  world.tell(2)
  world.sync(2)
  world.deliver(ofKind('receiveShard'))
  world.sync(2)
  assert.is(world.drop(ofKind('receiveShardReply')).length, 1, 'the answer that is lost')
  world.pass(3_000)
  isMoved(world)
})

test('H6: the late answer to an earlier move releases nothing', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.settle([1])
  world.tell(2)
  world.sync(2)
  world.deliver(ofKind('receiveShard'))
  world.sync(2)
  const late = world.wire.filter(ofKind('receiveShardReply'))
  assert.ok(late.some(({ message }) => 'result' in message && message.result.type === 'installed'))
  world.pass(1_000)
  world.configure(1, 1, 2, 2)
  world.pass(1_000)
  world.configure(2, 1, 2, 2)
  world.settle([1])
  world.drop()
  for (const item of late) world.inject(item)
  world.settle([1])
  assert.is(world.phases(1)[0], 'leaving')
  world.pass(3_000)
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d old)')
})

test('H7: a group that decides nothing holds up no other shard, and the move ends once it does', () => {
  for (const stuck of [1, 2]) {
    const world = settled()
    const other = 3 - stuck
    world.configure(2, 1, 2, 2)
    world.pass(5_000, [other])
    const key = other === 1 ? 'e' : 'f'
    const write = world.put(other, key, 'meanwhile')
    world.settle([other])
    assert.is(world.said(write), 'ok()')
    assert.is(world.read(other, key), 'ok(meanwhile)')
    world.pass(3_000)
    isMoved(world)
    assert.is(world.read(2, 'd'), 'ok(d old)')
  }
})

test('H8: two groups that swap shards do not wait for each other', () => {
  const world = settled()
  world.configure(2, 1, 1, 2)
  world.pass(1_000)
  assert.equal(world.phases(1), ['absent', 'serving', 'serving', 'absent'])
  assert.equal(world.phases(2), ['serving', 'absent', 'absent', 'serving'])
  assert.is(world.read(2, 'd'), 'ok(d old)')
  assert.is(world.read(1, 'f'), 'ok(f old)')
})

test('H9: without shardmasters keys are served, and news arrives within two polls of their return', () => {
  const world = settled()
  world.areMastersSilent = true
  world.configure(2, 1, 2, 2)
  world.pass(60_000)
  const write = world.put(1, 'd', 'd new')
  world.settle()
  assert.is(world.said(write), 'ok()')
  assert.is(world.read(2, 'f'), 'ok(f old)')
  world.areMastersSilent = false
  world.pass(2 * CONFIG_POLL_TIMEOUT_MS)
  isMoved(world)
  assert.is(world.read(2, 'd'), 'ok(d new)')
})

test('H10: an older configuration, and the same one again, change nothing', () => {
  const world = settled()
  const [, first] = world.configs
  assert.ok(first)
  const second = world.configure(2, 1, 2, 2)
  world.settle()
  isMoved(world)
  world.decide(1, { type: 'config', config: first }, { type: 'config', config: second })
  assert.is(world.adopted(1), 2)
  isMoved(world)
})

test('H13: while no group is there data stays where it was, and goes to the next that comes', () => {
  for (const next of [1, 2]) {
    const world = settled()
    world.configure(0, 0, 0, 0)
    world.pass(500)
    for (const gid of [1, 2]) assert.is(world.read(gid, 'd'), 'noGroup')
    const refused = world.put(1, 'd', 'nowhere')
    world.settle()
    assert.is(world.said(refused), 'noGroup')
    assert.ok(world.held(1, 0) > 0)
    world.configure(next, next, next, next)
    world.pass(3_000)
    for (const key of KEYS) assert.is(world.read(next, key), `ok(${key} old)`)
    assert.equal(world.phases(next), ['serving', 'serving', 'serving', 'serving'])
    assert.equal(world.phases(3 - next), ['absent', 'absent', 'absent', 'absent'])
  }
})

test('H14: shards that a configuration does not move are served at every step of it', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  for (const _ of stepsOf(world)) {
    assert.is(world.read(1, 'e'), 'ok(e old)')
    assert.is(world.read(2, 'f'), 'ok(f old)')
  }
  isMoved(world)
})

test('H15: a large shard comes in bounded parts, and goes on where it was when its giver crashed', () => {
  const world = settled()
  const value = 'x'.repeat(HANDOFF_CHUNK_BYTES / 2)
  for (let count = 0; count < 12; count++) {
    world.put(1, `d${count}`, value)
    world.settle()
  }
  world.configure(2, 1, 2, 2)
  const parts: Passing[] = []
  const move = (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      for (const gid of [1, 2]) {
        world.tell(gid)
        world.sync(gid)
      }
      parts.push(...world.wire.filter(ofKind('receiveShard')))
      world.deliver()
    }
  }
  move(8)
  const before = parts.splice(0).length
  assert.ok(before >= 2)
  world.restart(1)
  world.pass(100, [1, 2])
  move(40)
  world.pass(3_000)
  isMoved(world)
  for (const { message } of parts) {
    if (message.type !== 'receiveShard') continue
    const bytes = message.entries.reduce((sum, [key, data]) => sum + key.length + data.length, 0)
    assert.ok(bytes <= HANDOFF_CHUNK_BYTES + value.length + 100)
  }
  assert.is(world.read(2, 'd11'), `ok(${value})`)
})

test('H16: a group that owned the shard once says who does, and as of which configuration', () => {
  const world = settled()
  world.configure(2, 1, 2, 2)
  world.settle()
  const reply = world.replies.get(world.get(1, 'd'))
  assert.equal(reply, { type: 'wrongGroup', config: 2, gid: 2, servers: ['http://group-2:1'] })
})

test('T5: a read that was taken on before the shard left is not answered after it', () => {
  const world = new DirectedShards(2, { readPath: 'lease' })
  world.configure(1, 1, 2, 2)
  world.settle()
  world.put(1, 'd', 'd old')
  world.settle()
  world.configure(2, 1, 2, 2)
  world.tell(1)
  const life = world.life(1)
  life.durable = life.records.length
  const request = { type: 'get', key: 'd', consistency: 'linearizable' } as const
  const upTo = life.durable - life.base
  world.step(1, { type: 'request', id: 99, request }, { type: 'durable', upTo })
  assert.is(world.said('1/99'), 'wrongGroup')
})

test.run()
