// Everything that one simulated run is made of, drawn from its seed (swarm testing: each seed has
// some kinds of faults and lacks others, and its own rates), so that a run is told by its seed.

import type { Settings } from '../../server/paxos/settings.ts'
import type { ShardkvSettings } from '../../server/shardkv/settings.ts'
import { Random } from '../support/random.ts'
import { drawSettings, drawShardkvSettings } from './buggify.ts'
import { drawFaults, type Fault } from './faults.ts'
import { CALM, type NetworkWeather } from './network.ts'

export type RunOptions = {
  readonly seed: number
  /** One group with the smallest state machine, in place of shardmasters and sharded groups. */
  readonly isSingle: boolean
  readonly replicas: number
  readonly groups: number
  readonly shardCount: number
  readonly clients: number
  readonly keys: readonly string[]
  /** µs between a clerk's operations. */
  readonly thinkMax: number
  /** µs: until when there are faults, and until when clerks go on. */
  readonly warmUp: number
  readonly chaosUntil: number
  readonly endAt: number
  readonly weather: NetworkWeather
  readonly syncMin: number
  readonly syncMax: number
  readonly segmentRecords: number
  readonly latencyMax: number
  /** Share of a clerk's attempts that ask any replica. */
  readonly stray: number
  readonly drift: number
  readonly flushEvery: number
  /** µs between configuration changes, 0 for none. */
  readonly reconfigureEvery: number
  readonly isFrozenMessages: boolean
  /** Messages go as the bytes that the transport makes of them. */
  readonly isEncodedMessages: boolean
  readonly settings: Settings
  readonly shardkv: ShardkvSettings
  readonly faults: readonly Fault[]
}

const SECOND = 1_000_000
const KEYS = ['a1', 'b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1', 'i1', 'j1', 'a2', 'b2']

export type RunShape = { readonly isSingle: boolean; readonly seconds: number }

export function drawOptions(seed: number, shape: RunShape): RunOptions {
  const random = new Random(seed, 'swarm')
  const { isSingle, seconds } = shape
  const replicas = random.chance(0.75) ? 3 : 5
  const groups = isSingle ? 1 : random.between(2, 4)
  const nodes = isSingle ? replicas : 3 + groups * replicas
  const warmUp = isSingle ? SECOND : 2 * SECOND
  const chaosUntil = Math.max(warmUp, Math.floor(seconds * SECOND * 0.7))
  const settings = drawSettings(seed)
  const isLeased = settings.readPath === 'lease'
  return {
    seed,
    isSingle,
    replicas,
    groups,
    shardCount: 10,
    clients: random.between(2, 6),
    keys: random.shuffled(KEYS).slice(0, random.between(1, isSingle ? 4 : 8)),
    thinkMax: random.pick(isSingle ? [10_000, 60_000, 200_000] : [20_000, 150_000, 400_000]),
    warmUp,
    chaosUntil,
    endAt: seconds * SECOND,
    weather: drawWeather(seed),
    syncMin: 50,
    syncMax: random.pick([300, 2_000, 30_000]),
    segmentRecords: random.pick([20, 100, 1000]),
    latencyMax: random.pick([0, 50, 500]),
    stray: random.pick([0, 0.1, 0.4]),
    drift: random.chance(0.5) ? 0.04 : 0,
    flushEvery: random.pick([100_000, 500_000, 3_000_000]),
    reconfigureEvery: isSingle ? 0 : random.pick([300_000, 600_000, 1_500_000]),
    isFrozenMessages: random.chance(0.125),
    isEncodedMessages: random.chance(0.125),
    settings,
    shardkv: drawShardkvSettings(seed),
    faults: drawFaults(seed, { nodes, from: warmUp, until: chaosUntil, isSingle, isLeased }),
  }
}

/** Calm, ordinary or wide: in the last, up to a third of the messages are up to 3 s late. */
function drawWeather(seed: number): NetworkWeather {
  const random = new Random(seed, 'weather')
  const kind = random.next()
  const delayMax = random.pick([500, 2_000, 20_000])
  const loss = random.pick([0, 0.01, 0.05, 0.15])
  const duplication = random.pick([0, 0.02, 0.1])
  const wideLate = random.pick([0.02, 0.1, 0.3])
  const narrowLate = random.pick([0, 0.005])
  if (kind < 0.15) return { ...CALM, delayMax }
  const isWide = kind > 0.6
  return {
    delayMin: 50,
    delayMax,
    loss,
    duplication,
    late: isWide ? wideLate : narrowLate,
    lateMax: isWide ? 3 * SECOND : 200_000,
  }
}
