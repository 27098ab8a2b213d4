// The course's cases for a key/value store on one replicated group, here with the shardmasters that
// every cluster has. Histories are checked for linearizability at the end of each.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CALM, type NetworkWeather } from '../simulation/network.ts'
import {
  chains,
  endChains,
  hash,
  ONE_AWAY,
  QUICK_SPLITS,
  repartitioned,
  SLOW_SPLITS,
} from './repartition.ts'
import { type Client, overSeeds, Scenario, UNRELIABLE } from './scenario.ts'

const SEEDS = 4

const test = suite('course: replicated key/value')

function group(seed: number, replicas: number, weather?: NetworkWeather): Scenario {
  const options = { seed, kind: 'sharded' as const, replicas }
  const scenario = new Scenario(weather === undefined ? options : { ...options, weather })
  scenario.join(1)
  return scenario
}

test('put, puthash and get through any server make one history', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3)
    const client = scenario.client()
    assert.is(client.puthash('a', 'x'), '', 'a missing key hashes from nothing')
    assert.is(client.get('a'), hash('', 'x'))
    client.put('a', 'aa')
    assert.is(client.puthash('a', 'y'), 'aa')
    for (let count = 0; count < 5; count++) {
      assert.is(scenario.client().get('a'), hash('aa', 'y'))
    }
    assert.is(client.get('b'), '')
    scenario.finish()
  })
})

test('20 rounds of 15 concurrent clients leave all servers with the same answers', () => {
  overSeeds(2, seed => {
    const scenario = group(seed, 3)
    const clients = Array.from({ length: 15 }, () => scenario.client())
    for (let round = 0; round < 20; round++) {
      for (const client of clients) {
        if (scenario.random.chance(0.5)) client.startPut('b', String(scenario.random.word()))
        else client.start('b', { op: 'get' })
      }
      scenario.within(5_000, 'the round ends', () => clients.every(one => !one.isBusy))
    }
    const value = clients.map(client => client.get('b'))
    assert.is(new Set(value).size, 1)
    scenario.finish()
  })
})

test('the log is forgotten after 2 × 10 values of 1 MB', () => {
  const settings = { retainedBytes: 4 * 1024 * 1024 }
  const scenario = new Scenario({ seed: 1, kind: 'sharded', replicas: 3, settings })
  scenario.join(1)
  const client = scenario.client()
  for (let round = 0; round < 2; round++) {
    for (let key = 0; key < 10; key++) client.put(`k${key}`, `${key}`.repeat(1024 * 1024))
  }
  for (let count = 0; count < 20; count++) client.put('small', `${count}`)
  scenario.run(1_000)
  for (const node of scenario.cluster.group(1)) {
    assert.ok((node.status()?.log.bytes ?? 0) <= 5 * 1024 * 1024, node.name)
  }
  scenario.finish()
})

test('a minority makes no progress; what waits there ends within 3 s of healing, in order', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 5)
    const { network } = scenario.cluster
    const outside = scenario.client()
    outside.put('a', 'before')
    const [putter, getter] = [scenario.client(), scenario.client()]
    const minority = scenario.places(1, 0, 1)
    const majority = scenario.places(1, 2, 3, 4)
    network.split([[...minority, putter.place, getter.place], majority])
    putter.startPut('a', 'minority')
    getter.start('a', { op: 'get' })
    for (let count = 0; count < 10; count++) outside.put('a', `majority ${count}`)
    scenario.run(2_000)
    assert.ok(putter.isBusy && getter.isBusy, 'no progress in the minority')
    assert.is(outside.get('a'), 'majority 9')
    network.heal()
    scenario.within(3_000, 'the put ends', () => !putter.isBusy)
    scenario.within(10_000, 'the get ends', () => !getter.isBusy)
    assert.is(outside.get('a'), 'minority')
    scenario.finish()
  })
})

test('on an unreliable network every puthash runs exactly once', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3, UNRELIABLE)
    const all = chains(scenario, 5)
    scenario.within(20_000, 'six links each', () => all.every(({ length }) => length() >= 6))
    endChains(scenario, all, 5_000)
    scenario.finish()
  })
})

test('clients that hammer servers which are cut off do not hold up the majority', () => {
  overSeeds(2, seed => {
    const scenario = group(seed, 5)
    const { network } = scenario.cluster
    for (let turn = 0; turn < 5; turn++) {
      const clients = Array.from({ length: 10 }, () => scenario.client())
      const last = new Map<Client, string>()
      const keep = new Set(clients)
      for (const [index, client] of clients.entries()) {
        let count = 0
        client.keepDoing(() => {
          if (!keep.has(client)) return null
          count += 1
          last.set(client, `${turn}.${count}`)
          const value = `${turn}.${count}`
          const key = `${String.fromCharCode(97 + index)}hole`
          return { key, action: { op: 'put', value, condition: { type: 'none' } } }
        })
      }
      scenario.run(300)
      const sides = scenario.random.shuffled(scenario.places(1, 0, 1, 2, 3, 4))
      network.split([
        [...sides.slice(0, 2), ...clients.map(client => client.place)],
        sides.slice(2),
      ])
      const other = scenario.client()
      other.startPut('z', `${turn}`)
      scenario.within(3_000, 'the majority goes on', () => !other.isBusy)
      keep.clear()
      network.heal()
      scenario.within(5_000, 'all end', () => clients.every(client => !client.isBusy))
      for (const [index, client] of clients.entries()) {
        const key = `${String.fromCharCode(97 + index)}hole`
        assert.is(client.get(key), last.get(client), 'its own last value')
      }
    }
    scenario.finish()
  })
})

/**
 * The bounds for the slow splits are those of the sister courses, 3 s for the quick ones the course's
 * own. Here replicas lose messages to each other, too. One away at a time leaves a majority, which
 * has to get on however often it has to elect.
 */
for (const [network, weather, parts, splits, limitMs] of [
  ['a reliable', CALM, 'two parts every second', SLOW_SPLITS, 2_000],
  ['an unreliable', UNRELIABLE, 'two parts every second', SLOW_SPLITS, 3_000],
  ['a reliable', CALM, 'three parts every 0–200 ms', QUICK_SPLITS, 3_000],
  ['an unreliable', UNRELIABLE, 'three parts every 0–200 ms', QUICK_SPLITS, 3_000],
  ['a reliable', CALM, 'one away every 500 ms', ONE_AWAY, 3_000],
  ['an unreliable', UNRELIABLE, 'one away every 500 ms', ONE_AWAY, 3_000],
] as const) {
  test(`${network} network in ${parts}: exact chains, no client waits ${limitMs} ms`, () => {
    overSeeds(2, seed => {
      const longest = repartitioned(seed, weather, splits)
      assert.ok(longest < limitMs, `${longest} ms`)
    })
  })
}

test.run()
