// The list of faults of one run, drawn before it starts: what fails, when, for how long. As a list it
// can be made shorter, fault by fault, while the run still fails.

import type { Random } from '../support/random.ts'

export type Fault = {
  /** µs since the start. */
  readonly at: number
  /** µs until it is over. */
  readonly lasts: number
} & (
  | { readonly type: 'crash'; readonly node: number }
  | { readonly type: 'crashAll' }
  | { readonly type: 'crashLeaders' }
  | { readonly type: 'pause'; readonly node: number }
  | { readonly type: 'slowDisk'; readonly node: number }
  | { readonly type: 'isolate'; readonly node: number }
  | { readonly type: 'oneWay'; readonly node: number; readonly isDeaf: boolean }
  | { readonly type: 'split'; readonly sides: readonly (readonly number[])[] }
  | { readonly type: 'links'; readonly pairs: readonly (readonly [number, number])[] }
  | { readonly type: 'clog'; readonly node: number }
  | { readonly type: 'flush'; readonly node: number }
  | { readonly type: 'handOver'; readonly node: number }
  | { readonly type: 'wallJump'; readonly node: number; readonly ms: number }
)

export type FaultType = Fault['type']

export const FAULT_TYPES: readonly FaultType[] = [
  'crash',
  'crashAll',
  'crashLeaders',
  'pause',
  'slowDisk',
  'isolate',
  'oneWay',
  'split',
  'links',
  'clog',
  'flush',
  'handOver',
  'wallJump',
]

const MS = 1000
const HOUR_MS = 3_600_000

type Shape = { readonly nodes: number; readonly from: number; readonly until: number }

/** About half of the kinds, each at its own rate. */
export function drawFaults(random: Random, shape: Shape): Fault[] {
  const faults: Fault[] = []
  for (const type of FAULT_TYPES) {
    const isOn = random.chance(0.5)
    const gap = random.pick([400, 1_000, 3_000]) * MS * (type === 'crashAll' ? 4 : 1)
    if (!isOn) continue
    let at = shape.from + random.between(0, gap)
    while (at < shape.until) {
      faults.push(draw(type, at, random, shape))
      at += random.between(gap / 4, gap * 2)
    }
  }
  return faults.sort((a, b) => a.at - b.at)
}

function draw(type: FaultType, at: number, random: Random, { nodes }: Shape): Fault {
  const node = random.between(0, nodes - 1)
  const lasts = random.pick([20, 300, 1_000, 2_500]) * MS + random.between(0, 200 * MS)
  switch (type) {
    case 'crash':
    case 'crashAll':
    case 'crashLeaders':
      return { type, at, lasts: random.skewed(5 * MS, 2_000 * MS), node }
    case 'pause':
      return { type, at, lasts: random.skewed(10 * MS, 2_500 * MS), node }
    case 'oneWay':
      return { type, at, lasts, node, isDeaf: random.chance(0.5) }
    case 'split':
      return { type, at, lasts, sides: drawSides(random, nodes) }
    case 'links': {
      const pairs: [number, number][] = []
      for (let left = random.between(1, nodes); left > 0; left--) {
        pairs.push([random.between(0, nodes - 1), random.between(0, nodes - 1)])
      }
      return { type, at, lasts, pairs }
    }
    case 'wallJump':
      return { type, at, lasts: 0, node, ms: random.between(-HOUR_MS * 2, HOUR_MS * 2) }
    case 'slowDisk':
    case 'isolate':
    case 'clog':
    case 'flush':
    case 'handOver':
      return { type, at, lasts, node }
  }
}

function drawSides(random: Random, nodes: number): number[][] {
  const sides: number[][] = Array.from({ length: random.between(2, 3) }, () => [])
  for (let node = 0; node < nodes; node++) random.pick(sides).push(node)
  return sides
}
