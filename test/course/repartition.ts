// A network that is parted anew all the time, and how long its clients wait: exact chains of
// operations, each with a key of its own, over 20 s of virtual time.

import * as assert from 'uvu/assert'
import { fnv1a } from '../../server/bytes.ts'
import type { NetworkWeather } from '../simulation/network.ts'
import { type Client, Scenario } from './scenario.ts'

/** How the replicas of a group are parted, and for how long each time, in ms. */
export type Splits = {
  readonly replicas: number
  /** The places on each side. */
  sides(places: readonly number[], scenario: Scenario): readonly (readonly number[])[]
  readonly msMin: number
  readonly msMax: number
}

/** Of the sister courses, from which the bounds are: about as long as an election's timeout. */
export const SLOW_SPLITS: Splits = { replicas: 5, sides: anyOf(2), msMin: 1_000, msMax: 1_200 }
/** Of the course itself: in four of ten none has a majority, and no leader is heard for long. */
export const QUICK_SPLITS: Splits = { replicas: 5, sides: anyOf(3), msMin: 0, msMax: 200 }
/** As `npm run recovery -- --fault repartition` has it for real: a majority is always there. */
export const ONE_AWAY: Splits = {
  replicas: 3,
  sides: (places, { random }) => {
    const away = random.pick(places)
    return [[away], places.filter(place => place !== away)]
  },
  msMin: 500,
  msMax: 500,
}

const CLIENTS = 10
const SECONDS = 20

/** Longest wait of a client in ms. Throws when anything was answered wrongly. */
export function repartitioned(seed: number, weather: NetworkWeather, splits: Splits): number {
  const { replicas, msMin, msMax } = splits
  const scenario = new Scenario({ seed, kind: 'sharded', replicas, weather })
  scenario.join(1)
  const { network, world } = scenario.cluster
  const all = chains(scenario, CLIENTS)
  const places = scenario.cluster.group(1).map(node => node.place)
  const end = world.now + SECONDS * 1_000_000
  while (world.now < end) {
    network.split(splits.sides(places, scenario))
    scenario.run(scenario.random.between(msMin, msMax))
  }
  network.heal()
  endChains(scenario, all, 5_000)
  scenario.finish()
  return Math.max(...all.map(({ client }) => client.clerk.longest)) / 1000
}

function anyOf(count: number): Splits['sides'] {
  return (places, { random }) => {
    const sides: number[][] = Array.from({ length: count }, () => [])
    for (const place of places) random.pick(sides).push(place)
    return sides
  }
}

export type Chain = { readonly client: Client; readonly length: () => number }

/** Scenarios whose chains are to begin no further operation. */
const isOver = new WeakSet<Scenario>()

/** Clients, each with a key of its own, that check every previous value of their chain. */
export function chains(scenario: Scenario, count: number): Chain[] {
  return Array.from({ length: count }, (_, index) => {
    const client = scenario.client()
    const key = `${String.fromCharCode(97 + index)}`
    let expected = ''
    let length = 0
    let value = ''
    client.keepDoing(last => {
      if (last !== null) {
        assert.is(last.type === 'ok' ? last.value : null, expected, `chain ${key}`)
        expected = hash(expected, value)
        length += 1
      }
      if (isOver.has(scenario)) return null
      value = `${index}.${length}`
      return { key, action: { op: 'puthash', value, condition: { type: 'none' } } }
    })
    return { client, length: () => length }
  })
}

export function endChains(
  scenario: Scenario,
  all: readonly { readonly client: Client }[],
  ms: number,
): void {
  isOver.add(scenario)
  scenario.within(ms, 'all chains end', () => all.every(({ client }) => !client.isBusy))
}

/** What puthash makes of the previous value. */
export function hash(previous: string, value: string): string {
  return String(fnv1a(previous + value))
}
