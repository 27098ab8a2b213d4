// Cases of the sister courses that need no lost disk: all killed and started again, each in turn.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Client, overSeeds, Scenario } from './scenario.ts'

const SEEDS = 8

const test = suite('course: restarts')

function group(seed: number, replicas: number): Scenario {
  const scenario = new Scenario({ seed, kind: 'sharded', replicas })
  scenario.join(1)
  return scenario
}

function keepWriting(client: Client, key: string, isOver: () => boolean): void {
  let count = 0
  client.keepDoing(() => {
    count += 1
    if (isOver()) return null
    return { key, action: { op: 'puthash', value: `${count}`, condition: { type: 'none' } } }
  })
}

test('without a majority nothing is read; 2 s after a restart of all, everything is there', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 5)
    const client = scenario.client()
    for (const key of ['a', 'b', 'c']) client.put(key, `${key} kept`)
    const nodes = scenario.cluster.group(1)
    for (const node of nodes) node.crash()
    nodes[0]?.start()
    nodes[1]?.start()
    const reader = scenario.client()
    reader.start('a', { op: 'get' })
    scenario.run(5_000)
    assert.ok(reader.isBusy, 'two of five answer nothing')
    for (const node of nodes) node.start()
    scenario.within(2_000, 'the read ends', () => !reader.isBusy)
    for (const key of ['a', 'b', 'c']) assert.is(client.get(key), `${key} kept`)
    scenario.finish()
  })
})

test('each replica is restarted in turn while clients write: nothing is lost or doubled', () => {
  overSeeds(SEEDS, seed => {
    const scenario = group(seed, 3)
    let isOver = false
    const clients = ['a', 'b', 'c', 'd'].map(key => {
      const client = scenario.client()
      keepWriting(client, key, () => isOver)
      return client
    })
    for (let turn = 0; turn < 6; turn++) {
      const node = scenario.cluster.node(1, turn % 3)
      node.crash()
      scenario.run(scenario.random.between(1, 1_500))
      node.start()
      scenario.run(1_500)
    }
    isOver = true
    scenario.within(5_000, 'all end', () => clients.every(client => !client.isBusy))
    scenario.finish()
  })
})

test('50 kills during writes: nothing is lost, doubled or reordered', () => {
  overSeeds(3, seed => {
    const scenario = group(seed, 3)
    let isOver = false
    const clients = ['a', 'b', 'c'].map(key => {
      const client = scenario.client()
      keepWriting(client, key, () => isOver)
      return client
    })
    for (let kill = 0; kill < 50; kill++) {
      const node = scenario.random.pick(scenario.cluster.group(1))
      node.crash()
      scenario.run(scenario.random.between(1, 300))
      node.start()
      scenario.run(scenario.random.between(1, 300))
    }
    isOver = true
    scenario.within(10_000, 'all end', () => clients.every(client => !client.isBusy))
    scenario.finish()
  })
})

test.run()
