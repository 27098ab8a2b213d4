// Links between places (replicas and clients), each with its own faults: loss, delay, duplication,
// messages that come seconds late, cuts in one or both directions, clogs (held back, then all at once).

import type { Random } from '../support/random.ts'
import type { World } from './world.ts'

/** Rates and times (µs) that hold for all links. */
export type NetworkWeather = {
  readonly delayMin: number
  readonly delayMax: number
  readonly loss: number
  readonly duplication: number
  /** Share of messages that come up to `lateMax` late. */
  readonly late: number
  readonly lateMax: number
}

export const CALM: NetworkWeather = {
  delayMin: 100,
  delayMax: 1000,
  loss: 0,
  duplication: 0,
  late: 0,
  lateMax: 0,
}

export class Network {
  weather: NetworkWeather
  private readonly world: World
  private readonly random: Random
  private readonly cuts = new Set<number>()
  private readonly clogs = new Map<number, number>()

  constructor(world: World, random: Random, weather: NetworkWeather) {
    this.world = world
    this.random = random
    this.weather = weather
  }

  /** Messages from `from` to `to` are lost from now on. */
  cut(from: number, to: number): void {
    this.cuts.add(link(from, to))
  }

  join(from: number, to: number): void {
    this.cuts.delete(link(from, to))
  }

  /** Messages from `from` to `to` are held until that time. */
  clog(from: number, to: number, until: number): void {
    this.clogs.set(link(from, to), until)
  }

  /** Places reach each other exactly within their side; places on no side are left as they are. */
  split(sides: readonly (readonly number[])[]): void {
    for (const [indexA, sideA] of sides.entries()) {
      for (const [indexB, sideB] of sides.entries()) {
        for (const a of sideA) {
          for (const b of sideB) {
            if (indexA === indexB) this.join(a, b)
            else this.cut(a, b)
          }
        }
      }
    }
  }

  heal(): void {
    this.cuts.clear()
    this.clogs.clear()
  }

  isCut(from: number, to: number): boolean {
    return this.cuts.has(link(from, to))
  }

  /** Calls `arrive` when, and as often as, the message gets there. */
  send(from: number, to: number, arrive: () => void): void {
    const { world, random, weather } = this
    if (this.isCut(from, to)) {
      world.count('network: cut')
      return
    }
    if (random.chance(weather.loss)) {
      world.count('network: lost')
      return
    }
    world.after(this.delay(from, to), arrive)
    if (!random.chance(weather.duplication)) return
    world.count('network: doubled')
    world.after(this.delay(from, to), arrive)
  }

  private delay(from: number, to: number): number {
    const { world, random, weather } = this
    let delay = random.skewed(weather.delayMin, weather.delayMax)
    if (random.chance(weather.late)) {
      world.count('network: late')
      delay += random.between(0, weather.lateMax)
    }
    const clogged = this.clogs.get(link(from, to)) ?? 0
    return world.now + delay < clogged ? clogged - world.now + random.between(0, 500) : delay
  }
}

const PLACES_MAX = 4096

function link(from: number, to: number): number {
  return from * PLACES_MAX + to
}
