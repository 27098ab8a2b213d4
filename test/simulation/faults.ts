// The list of faults of one run, drawn before it starts: what fails, when, for how long. Each kind is
// drawn from a stream of its own, and each fault holds all that it needs, so that the list can be
// made shorter, fault by fault, while the others stay what they were.

import { Random } from '../support/random.ts'
import type { DamageKind } from './log-image.ts'

export type Fault = {
  /** µs since the start. */
  readonly at: number
  /** µs until it is over. */
  readonly lasts: number
} & FaultKind

type OfNode<Type extends string> = Type extends string
  ? { readonly type: Type; readonly node: number }
  : never

type FaultKind =
  | OfNode<'crash' | 'crashInWrite' | 'crashInRound' | 'failedSync' | 'wipe'>
  | OfNode<'slowDisk' | 'fullDisk' | 'isolate' | 'deaf' | 'clog' | 'flush' | 'handOver'>
  | { readonly type: 'crashAll' | 'crashLeaders' }
  | (OfNode<'damage'> & { readonly kind: DamageKind })
  | (OfNode<'pause'> & { readonly isInside: boolean })
  | (OfNode<'oneWay'> & { readonly isDeaf: boolean })
  /** Replicas of a group reach only one of them, or only their neighbours in a row. */
  | (OfNode<'hub'> & { readonly isChain: boolean })
  | { readonly type: 'split'; readonly sides: readonly (readonly number[])[] }
  | { readonly type: 'links'; readonly pairs: readonly (readonly [number, number])[] }
  | { readonly type: 'clogLinks'; readonly pairs: readonly (readonly [number, number])[] }
  | (OfNode<'wallJump'> & { readonly ms: number })
  | (OfNode<'clockRate'> & { readonly rate: number })
  | (OfNode<'clockLeap'> & { readonly micros: number })
  /** Configuration changes, one right after the other. */
  | { readonly type: 'storm'; readonly changes: number }

export type FaultType = Fault['type']

export type FaultShape = {
  readonly nodes: number
  readonly from: number
  readonly until: number
  readonly isSingle: boolean
  /** Leases stand on clocks that run apart by no more than is promised. */
  readonly isLeased: boolean
}

const MS = 1000
const HOUR_MS = 3_600_000
/** Of the promised 10 % between two clocks. */
const LEASED_DRIFT = 0.045
const KIND_CHANCE = 0.42

/** How often a kind comes, against the others. */
const WEIGHTS: Readonly<Record<FaultType, number>> = {
  crash: 1,
  crashAll: 0.2,
  crashLeaders: 0.7,
  crashInWrite: 1,
  crashInRound: 0.7,
  failedSync: 0.5,
  wipe: 0.3,
  damage: 0.4,
  pause: 1,
  slowDisk: 0.7,
  fullDisk: 0.5,
  isolate: 1,
  oneWay: 1,
  deaf: 0.7,
  hub: 0.7,
  split: 0.7,
  links: 1,
  clog: 0.7,
  clogLinks: 0.7,
  flush: 1,
  handOver: 0.7,
  wallJump: 1,
  clockRate: 1,
  clockLeap: 0.5,
  storm: 0.3,
}

export const FAULT_TYPES: readonly FaultType[] = Object.keys(WEIGHTS).filter(isFaultType)

function isFaultType(name: string): name is FaultType {
  return name in WEIGHTS
}

/** Not quite half of the kinds, each at its own rate. */
export function drawFaults(seed: number, shape: FaultShape): Fault[] {
  const faults: Fault[] = []
  for (const type of FAULT_TYPES) {
    const random = new Random(seed, `faults ${type}`)
    const isOn = random.chance(KIND_CHANCE)
    // A group alone takes all of them, in place of three to five groups.
    const least = random.pick([600, 1_500, 4_000]) * MS * (shape.isSingle ? 2 : 1)
    const gap = Math.floor(least / WEIGHTS[type])
    if (!isOn || (shape.isSingle && type === 'storm')) continue
    let at = shape.from + random.between(0, gap)
    while (at < shape.until) {
      faults.push(draw(type, at, random, shape))
      at += random.between(gap >> 2, gap * 2)
    }
  }
  return faults.sort((a, b) => a.at - b.at)
}

/** A fault's end does not outlast the time of faults. */
function draw(type: FaultType, at: number, random: Random, shape: FaultShape): Fault {
  const isDeath = type.startsWith('crash') || type === 'failedSync' || type === 'wipe'
  const drawn = isDeath
    ? random.skewed(5 * MS, 2_000 * MS)
    : random.pick([20, 300, 1_000, 2_500]) * MS + random.between(0, 200 * MS)
  const lasts = Math.min(drawn, shape.until - at)
  return { at, lasts, ...drawKind(type, random, shape) }
}

function drawKind(type: FaultType, random: Random, shape: FaultShape): FaultKind {
  const { nodes, isLeased } = shape
  const node = random.between(0, nodes - 1)
  switch (type) {
    case 'crashAll':
    case 'crashLeaders':
      return { type }
    case 'damage':
      return { type, node, kind: random.pick(['bit', 'sector', 'misdirected', 'segment']) }
    case 'pause':
      return { type, node, isInside: random.chance(0.5) }
    case 'oneWay':
      return { type, node, isDeaf: random.chance(0.5) }
    case 'hub':
      return { type, node, isChain: random.chance(0.5) }
    case 'split':
      return { type, sides: drawSides(random, nodes) }
    case 'links':
    case 'clogLinks':
      return { type, pairs: drawPairs(random, nodes) }
    case 'wallJump':
      return { type, node, ms: random.between(-HOUR_MS * 2, HOUR_MS * 2) }
    case 'clockRate': {
      const drift = isLeased ? LEASED_DRIFT : 0.5
      return { type, node, rate: 1 + (random.next() * 2 - 1) * drift }
    }
    case 'clockLeap':
      return { type, node, micros: isLeased ? 0 : random.skewed(1 * MS, 5_000 * MS) }
    case 'storm':
      return { type, changes: random.between(3, 8) }
    default:
      return { type, node }
  }
}

function drawSides(random: Random, nodes: number): number[][] {
  const sides: number[][] = Array.from({ length: random.between(2, 3) }, () => [])
  for (let node = 0; node < nodes; node++) random.pick(sides).push(node)
  return sides
}

function drawPairs(random: Random, nodes: number): [number, number][] {
  return Array.from({ length: random.between(1, nodes) }, () => [
    random.between(0, nodes - 1),
    random.between(0, nodes - 1),
  ])
}
