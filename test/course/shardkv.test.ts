// The course's cases for sharded groups: 3 shardmasters, 3 groups of 3, 10 shards by first byte.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Outcome } from '../../ops/history/history.ts'
import { randomAction } from '../simulation/clerk.ts'
import type { NetworkWeather } from '../simulation/network.ts'
import { type Client, overSeeds, Scenario, UNRELIABLE } from './scenario.ts'

const SEEDS = 6
/** One key per shard. */
const KEYS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

const test = suite('course: sharded key/value')

function cluster(seed: number, weather?: NetworkWeather): Scenario {
  const options = { seed, kind: 'sharded' as const, replicas: 3, groups: 3 }
  return new Scenario(weather === undefined ? options : { ...options, weather })
}

function writeAll(client: Client, text: string): void {
  for (const key of KEYS) client.put(key, `${key} ${text}`)
}

function readAll(client: Client, text: string): void {
  for (const key of KEYS) assert.is(client.get(key), `${key} ${text}`)
}

/** All shards are where the latest configuration wants them. */
function isSettled(scenario: Scenario): boolean {
  const configs = [...scenario.cluster.shards.configs.values()]
  const latest = configs.reduce((a, b) => (b.num > a.num ? b : a))
  return latest.shards.every((gid, shard) => scenario.cluster.shards.serving.get(shard) === gid)
}

test('keys survive joins and leaves, read and written after each', () => {
  overSeeds(SEEDS, seed => {
    const scenario = cluster(seed)
    const client = scenario.client()
    scenario.join(1)
    writeAll(client, 'one')
    const steps = [
      () => scenario.join(2),
      () => scenario.join(3),
      () => scenario.leave(1),
      () => scenario.leave(2),
    ]
    let text = 'one'
    for (const [index, step] of steps.entries()) {
      step()
      readAll(client, text)
      text = `step ${index}`
      writeAll(client, text)
      readAll(client, text)
    }
    scenario.finish()
  })
})

test('shards really move: without the first group exactly the moved keys are there', () => {
  overSeeds(SEEDS, seed => {
    const scenario = cluster(seed)
    scenario.join(1)
    const client = scenario.client()
    writeAll(client, 'x')
    const config = scenario.join(2)
    scenario.run(5_000)
    readAll(client, 'x')
    for (const node of scenario.cluster.group(1)) node.crash()
    const readers = KEYS.map(key => {
      const reader = scenario.client()
      reader.start(key, { op: 'get' })
      return reader
    })
    scenario.run(3_000)
    const answered = readers.map(reader => !reader.isBusy)
    const moved = KEYS.map(key => config.shards[key.charCodeAt(0) % 10] === 2)
    assert.equal(answered, moved)
    assert.is(moved.filter(Boolean).length, 5)
    for (const node of scenario.cluster.group(1)) node.start()
    scenario.within(10_000, 'all are answered', () => readers.every(reader => !reader.isBusy))
    scenario.finish()
  })
})

test('with one replica of each group dead, a leave is complete within 2 s', () => {
  overSeeds(SEEDS, seed => {
    const scenario = cluster(seed)
    scenario.join(1)
    const client = scenario.client()
    for (const gid of scenario.gids()) scenario.random.pick(scenario.cluster.group(gid)).crash()
    writeAll(client, 'limping')
    scenario.join(2)
    readAll(client, 'limping')
    writeAll(client, 'both')
    scenario.leave(1)
    scenario.within(2_000, 'the handoff is complete', () => isSettled(scenario))
    for (const node of scenario.cluster.group(1)) node.crash()
    readAll(client, 'both')
    scenario.finish()
  })
})

/** 11 clients at once, and moves, for 8 s. */
function concurrently(seed: number, weather: NetworkWeather | undefined): void {
  const scenario = cluster(seed, weather)
  for (const gid of scenario.gids()) scenario.join(gid)
  const { random, cluster: all } = scenario
  const clients = Array.from({ length: 11 }, () => scenario.client())
  let isOver = false
  let written = 0
  for (const client of clients) {
    client.keepDoing((last: Outcome | null) => {
      written += 1
      const version = last?.type === 'ok' ? last.version : 1
      const action = randomAction(random, { value: `v${written}`, version })
      return isOver ? null : { key: random.pick(KEYS), action }
    })
  }
  const admin = scenario.newAdmin()
  const move = () => {
    if (isOver) return
    const change = { op: 'move' as const, shard: random.between(0, 9), gid: random.between(1, 3) }
    admin.change(change, () => all.world.after(random.between(0, 200_000), move))
  }
  move()
  scenario.run(8_000)
  isOver = true
  scenario.within(10_000, 'all end', () => clients.every(client => !client.isBusy))
  scenario.within(10_000, 'all shards are where they belong', () => isSettled(scenario))
  const moves = all.world.counters.get('handoffReleased') ?? 0
  assert.ok(moves > 20, `${moves} releases`)
  scenario.finish()
}

test('concurrent clients and moves: every value is exact', () => {
  overSeeds(SEEDS, seed => concurrently(seed, undefined))
})

test('concurrent clients and moves on an unreliable network: every value is exact', () => {
  overSeeds(SEEDS, seed => concurrently(seed, UNRELIABLE))
})

test.run()
