// Links between places (replicas and clients), each with its own faults: loss, delay, duplication,
// messages that come seconds late and overtake each other, cuts in one or both directions, clogs (held
// back, then all at once).

import { Random } from '../support/random.ts'
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

type Link = {
  readonly random: Random
  /** How many faults cut it at present. */
  cuts: number
  cloggedUntil: number
}

export class Network {
  weather: NetworkWeather
  private readonly world: World
  private readonly seed: number
  private readonly links = new Map<number, Link>()

  /** Every link has a stream of chance of its own, from `seed`. */
  constructor(world: World, seed: number, weather: NetworkWeather) {
    this.world = world
    this.seed = seed
    this.weather = weather
  }

  /** Messages from `from` to `to` are lost until it is joined as often as it was cut. */
  cut(from: number, to: number): void {
    this.link(from, to).cuts += 1
  }

  join(from: number, to: number): void {
    const link = this.link(from, to)
    link.cuts = Math.max(0, link.cuts - 1)
  }

  /** Messages from `from` to `to` are held until that time. */
  clog(from: number, to: number, until: number): void {
    this.link(from, to).cloggedUntil = until
  }

  /** Places reach each other exactly within their side; places on no side are left as they are. */
  split(sides: readonly (readonly number[])[]): void {
    for (const [indexA, sideA] of sides.entries()) {
      for (const [indexB, sideB] of sides.entries()) {
        for (const a of sideA) {
          for (const b of sideB) this.link(a, b).cuts = indexA === indexB ? 0 : 1
        }
      }
    }
  }

  heal(): void {
    for (const link of this.links.values()) {
      link.cuts = 0
      link.cloggedUntil = 0
    }
  }

  isCut(from: number, to: number): boolean {
    return this.link(from, to).cuts > 0
  }

  /**
   * Calls `arrive` when, and as often as, the message gets there. Draws the same from its link's
   * stream whatever the weather: without one kind of fault all others stay as they were.
   */
  send(from: number, to: number, arrive: () => void): void {
    const { world, weather } = this
    const link = this.link(from, to)
    const fate = link.random.word()
    const drawn = link.random.next()
    if (link.cuts > 0) {
      world.count('network: cut')
      return
    }
    if ((fate & FATES) < weather.loss * FATES) {
      world.count('network: lost')
      return
    }
    const isLate = ((fate >>> 20) & FATES) < weather.late * FATES
    const lateness = isLate ? ((Math.imul(fate, 0x9e3779b1) >>> 0) / 2 ** 32) * weather.lateMax : 0
    if (isLate) world.count('network: late')
    world.after(this.delay(link, drawn) + lateness, arrive)
    if (((fate >>> 10) & FATES) >= weather.duplication * FATES) return
    world.count('network: doubled')
    world.after(this.delay(link, 1 - drawn), arrive)
  }

  /** Mostly near the least, with a tail; held back while the link is clogged. */
  private delay(link: Link, drawn: number): number {
    const { world, weather } = this
    const span = weather.delayMax - weather.delayMin
    const delay = weather.delayMin + Math.floor(drawn * drawn * drawn * span)
    if (world.now + delay >= link.cloggedUntil) return delay
    world.count('network: clogged')
    return link.cloggedUntil - world.now + Math.floor(drawn * 500)
  }

  private link(from: number, to: number): Link {
    const key = from * PLACES_MAX + to
    const known = this.links.get(key)
    if (known !== undefined) return known
    const random = new Random(this.seed, `link ${from} ${to}`)
    const fresh = { random, cuts: 0, cloggedUntil: 0 }
    this.links.set(key, fresh)
    return fresh
  }
}

const PLACES_MAX = 4096
/** Ten bits of a drawn word decide each kind of fault. */
const FATES = 1023
