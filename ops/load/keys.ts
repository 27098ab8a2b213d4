// Which key comes next. Zipfian as in YCSB (Gray et al., "Quickly generating billion-record synthetic
// databases", θ = 0.99), then scattered, so that the hot keys are not neighbours and share no shard.

import type { Random } from '../history/random.ts'
import type { LoadPlan } from './plan.ts'

/** A number of a key, from 0 to below the plan's `keys`. */
export type NextKey = () => number

const THETA = 0.99

/** `first` and `step`: with several generators each takes its own part of a sequence. */
export function keyChoice(
  { distribution, keys }: Pick<LoadPlan, 'distribution' | 'keys'>,
  random: Random,
  { first = 0, step = 1 } = {},
): NextKey {
  if (distribution === 'sequential') return sequential(keys, first, step)
  if (distribution === 'zipfian') return zipfian(keys, random)
  return () => Math.floor(random.next() * keys)
}

function sequential(keys: number, first: number, step: number): NextKey {
  let next = first - step
  return () => {
    next = (next + step) % keys
    return next
  }
}

function zipfian(keys: number, random: Random): NextKey {
  let zeta = 0
  for (let rank = 1; rank <= keys; rank++) zeta += 1 / rank ** THETA
  const alpha = 1 / (1 - THETA)
  const first = 1 + 0.5 ** THETA
  const eta = (1 - (2 / keys) ** (1 - THETA)) / (1 - first / zeta)
  return () => {
    const drawn = random.next()
    const scaled = drawn * zeta
    if (scaled < 1) return scattered(0, keys)
    if (scaled < first) return scattered(1 % keys, keys)
    const rank = Math.floor(keys * (eta * drawn - eta + 1) ** alpha)
    return scattered(Math.min(rank, keys - 1), keys)
  }
}

/** The same place for a rank each time; 2^32 / φ spreads neighbours furthest. */
function scattered(rank: number, keys: number): number {
  return (Math.imul(rank, 0x9e3779b1) >>> 0) % keys
}
