// The course's cases for Paxos, held against one group's log. That a slot has one value, the same
// everywhere, and is applied only after it was chosen, is checked on every step by the oracle.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NetworkWeather } from '../simulation/network.ts'
import { overSeeds, Scenario, UNRELIABLE } from './scenario.ts'

const SEEDS = 10

const test = suite('course: paxos')

function group(seed: number, replicas: number, weather?: NetworkWeather): Scenario {
  const options = { seed, kind: 'register' as const, replicas }
  return new Scenario(weather === undefined ? options : { ...options, weather })
}

function applied(scenario: Scenario): number[] {
  return scenario.cluster.group(1).map(node => node.store.applied())
}

test('one proposer, many proposers, one value or many: one value per slot, one that was proposed', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3)
    scenario.client().put('x', 'hello')
    const clients = Array.from({ length: 10 }, () => scenario.client())
    for (const client of clients) client.startPut('x', 'one')
    scenario.within(5_000, 'one value is agreed', () => clients.every(one => !one.isBusy))
    for (const [index, client] of clients.entries()) client.startPut('x', `value ${index}`)
    scenario.within(5_000, 'many values are ordered', () => clients.every(one => !one.isBusy))
    assert.match(scenario.client().get('x'), /^value \d$/)
    scenario.finish()
  })
})

test('later slots are decided before earlier ones, and applied only in order', () => {
  let holes = 0
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3, UNRELIABLE)
    const clients = Array.from({ length: 12 }, () => scenario.client())
    for (let round = 0; round < 10; round++) {
      for (const client of clients) client.startPut('x', `${round}`)
      scenario.within(10_000, 'all put', () => clients.every(one => !one.isBusy))
    }
    holes += scenario.cluster.world.counters.get('resent') ?? 0
    scenario.finish()
  })
  assert.ok(holes > 0, 'some accepts were overtaken')
})

test('a replica that cannot be reached but can send learns what is decided', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 5)
    const leader = scenario.cluster.leader(1)
    const deaf = scenario.cluster.group(1).find(node => node !== leader)
    assert.ok(deaf)
    scenario.cluster.deaf.add(deaf)
    const client = scenario.client()
    for (let count = 0; count < 20; count++) client.put('x', `${count}`)
    const target = Math.max(...applied(scenario))
    scenario.within(5_000, 'the deaf one has it', () => deaf.store.applied() >= target)
    scenario.finish()
  })
})

test('decided slots are forgotten, a dead replica does not stop it', () => {
  const settings = { retainedBytes: 4 * 1024 * 1024 }
  const scenario = new Scenario({ seed: 1, kind: 'register', replicas: 6, settings })
  const dead = scenario.cluster.group(1).find(node => node !== scenario.cluster.leader(1))
  dead?.crash()
  const client = scenario.client()
  const value = 'v'.repeat(1024 * 1024)
  for (let count = 0; count < 10; count++) client.put(`k${count}`, `${count}${value}`)
  for (let count = 0; count < 20; count++) client.put('small', `${count}`)
  scenario.run(1_000)
  for (const node of scenario.cluster.group(1)) {
    const bytes = node.status()?.log.bytes ?? 0
    assert.ok(bytes <= 5 * 1024 * 1024, `${node.name} holds ${bytes} bytes of log`)
  }
  scenario.finish()
})

test('a stable leader needs two requests per batch', () => {
  const scenario = group(1, 3)
  const client = scenario.client()
  client.put('x', 'first')
  scenario.run(1_000)
  scenario.cluster.sent.clear()
  const startedAt = scenario.cluster.world.now
  for (let count = 0; count < 100; count++) client.put('x', `${count}`)
  // The last batch is decided by one follower; the other's answer is on its way.
  scenario.run(10)
  const sent = (type: 'accept' | 'accepted' | 'prepare') => scenario.cluster.sent.get(type) ?? 0
  assert.is(sent('accept'), 200)
  assert.is(sent('accepted'), 200)
  assert.is(sent('prepare'), 0)
  const all = [...scenario.cluster.sent.values()].reduce((sum, count) => sum + count, 0)
  const beats = Math.ceil((scenario.cluster.world.now - startedAt) / 5_000) * 4
  assert.ok(all <= 400 + beats, `${all} messages, heartbeats and notices included`)
})

test('many slots on an unreliable network: all agree', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3, UNRELIABLE)
    const clients = Array.from({ length: 5 }, () => scenario.client())
    for (let round = 0; round < 30; round++) {
      for (const client of clients) client.startPut(`k${round % 4}`, `${round}`)
      scenario.within(10_000, 'all put', () => clients.every(one => !one.isBusy))
    }
    scenario.finish()
  })
})

test('a minority with an old value learns the decided one', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 5)
    const inside = scenario.client()
    inside.put('x', 'old')
    const leader = scenario.cluster.leader(1)?.place ?? 0
    const others = scenario.places(1, 0, 1, 2, 3, 4).filter(place => place !== leader)
    scenario.cluster.network.split([[leader, inside.place], others])
    inside.startPut('x', 'minority')
    const outside = scenario.client()
    outside.put('x', 'majority')
    assert.is(outside.get('x'), 'majority')
    assert.ok(inside.isBusy, 'nothing is decided by one of five')
    scenario.cluster.network.heal()
    scenario.within(3_000, 'the pending put ends', () => !inside.isBusy)
    assert.is(outside.get('x'), 'minority')
    scenario.finish()
  })
})

test('nothing is decided without a majority; one that switches sides 20 times misses nothing', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 5)
    const { network } = scenario.cluster
    const client = scenario.client()
    client.put('x', 'before')
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = scenario.places(1, 0, 1, 2, 3, 4)
    network.split([[a, c], [b, d], [e]])
    scenario.run(1_500)
    const chosen = scenario.cluster.oracle.highestChosen(1)
    client.startPut('x', 'none')
    scenario.run(3_000)
    assert.ok(client.isBusy)
    assert.is(scenario.cluster.oracle.highestChosen(1), chosen)
    network.split([
      [a, b, c],
      [d, e],
    ])
    scenario.within(3_000, 'a majority decides', () => !client.isBusy)
    for (let turn = 0; turn < 20; turn++) {
      network.split(
        turn % 2 === 0
          ? [
              [a, d, e],
              [b, c],
            ]
          : [
              [a, b, c],
              [d, e],
            ],
      )
      client.startPut('x', `turn ${turn}`)
      scenario.within(3_000, `turn ${turn} is decided`, () => !client.isBusy)
    }
    network.heal()
    assert.is(client.get('x'), 'turn 19')
    scenario.finish()
  })
})

test('20 s of random three-way partitions on an unreliable network end in agreement', () => {
  overSeeds(4, seed => {
    const scenario = group(seed, 5, UNRELIABLE)
    const { network, world } = scenario.cluster
    const clients = Array.from({ length: 4 }, () => scenario.client())
    const end = world.now + 20_000_000
    let count = 0
    while (world.now < end) {
      const sides: number[][] = [[], [], []]
      for (const place of scenario.places(1, 0, 1, 2, 3, 4)) scenario.random.pick(sides).push(place)
      network.split(sides)
      for (const client of clients) {
        count += 1
        if (!client.isBusy && scenario.random.chance(0.7)) client.startPut('x', `${count}`)
      }
      scenario.run(scenario.random.between(0, 200))
    }
    network.heal()
    scenario.within(5_000, 'all are decided', () => clients.every(one => !one.isBusy))
    scenario.finish()
  })
})

test.run()
