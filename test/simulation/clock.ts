// One process's clocks: a monotonic one that has its own rate and may leap ahead, as after a time in
// which the machine stood still, and a wall clock that anybody may set.

import type { Now } from '../../server/contract.ts'
import type { World } from './world.ts'

const WALL_START_MS = 1_700_000_000_000

export class SimulatedClock {
  private readonly world: World
  private base: number
  private since = 0
  private rate: number
  private wallSkewMs = 0

  /** `offset`: µs at the beginning of the world. `rate`: 1 for the world's own. */
  constructor(world: World, options: { readonly offset: number; readonly rate: number }) {
    this.world = world
    this.base = options.offset
    this.rate = options.rate
  }

  now(): Now {
    const wallMs = WALL_START_MS + Math.floor(this.world.now / 1000) + this.wallSkewMs
    return { micros: this.micros(), wallMs: Math.max(0, wallMs) }
  }

  micros(): number {
    return this.base + Math.floor((this.world.now - this.since) * this.rate)
  }

  /** The world's time when this clock will show `micros`, if nothing changes. */
  worldTime(micros: number): number {
    return this.since + Math.ceil((micros - this.base) / this.rate)
  }

  setRate(rate: number): void {
    this.base = this.micros()
    this.since = this.world.now
    this.rate = rate
  }

  leap(micros: number): void {
    this.base += micros
  }

  jumpWall(ms: number): void {
    this.wallSkewMs += ms
  }
}
