// The number of sessions that a group tells is that of its store, whatever happened.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SESSION_FORGET_MS } from '../../server/limits.ts'
import { sessionRangeAfter } from '../../server/shardkv/keyspace.ts'
import { DirectedShards, KEYS } from '../support/directed-shards.ts'

const test = suite('session counts')

function inStore(world: DirectedShards, gid: number): number {
  const { store } = world.life(gid)
  return KEYS.reduce((sum, _, shard) => {
    return sum + [...store.range(sessionRangeAfter(shard, ''))].length
  }, 0)
}

function assertTold(world: DirectedShards, wanted: readonly number[]): void {
  const told = world.gids.map(gid => world.life(gid).machine.status().sessions)
  assert.equal(told, wanted)
  assert.equal(
    world.gids.map(gid => inStore(world, gid)),
    wanted,
  )
}

test('clients count once per shard; repeats and refusals do not count', () => {
  const world = new DirectedShards(1)
  world.configure(1, 1, 1, 1)
  world.settle()
  world.put(1, 'd', 'x', { client: 'a', number: 1 })
  world.put(1, 'd', 'y', { client: 'a', number: 2 })
  world.put(1, 'e', 'y', { client: 'a', number: 3 })
  world.put(1, 'd', 'x', { client: 'b', number: 1 })
  world.settle()
  world.put(1, 'd', 'x', { client: 'b', number: 1 })
  world.settle()
  assertTold(world, [3])
})

test('they go with their shard, and are gone when it is swept', () => {
  const world = new DirectedShards(2)
  world.configure(1, 1, 2, 2)
  world.settle()
  for (const client of ['a', 'b', 'c']) world.put(1, 'd', 'x', { client, number: 1 })
  world.put(1, 'e', 'x', { client: 'a', number: 2 })
  world.settle()
  assertTold(world, [4, 0])
  world.configure(2, 1, 2, 2)
  world.pass(1_000)
  assertTold(world, [1, 3])
})

test('a restart counts what is there', () => {
  const world = new DirectedShards(1)
  world.configure(1, 1, 1, 1)
  world.settle()
  for (const client of ['a', 'b']) world.put(1, 'd', 'x', { client, number: 1 })
  world.settle()
  world.flush(1)
  world.put(1, 'd', 'x', { client: 'c', number: 1 })
  world.settle()
  world.restart(1)
  world.settle()
  assertTold(world, [3])
})

test('forgotten ones are gone', () => {
  const world = new DirectedShards(1)
  world.configure(1, 1, 1, 1)
  world.settle()
  world.put(1, 'd', 'x', { client: 'a', number: 1 })
  world.settle()
  world.wallMs += SESSION_FORGET_MS
  world.put(1, 'd', 'x', { client: 'b', number: 1 })
  world.settle()
  world.decide(1, { type: 'expire', shard: 0, after: '' })
  world.settle()
  assertTold(world, [1])
})

test.run()
