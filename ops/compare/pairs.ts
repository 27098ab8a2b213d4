// Pairs of measurements: A B, B A, A B … so that what else the machine does falls on both sides alike.
// What counts is the ratio within each pair, and the median of these.

import { type Drive, drive, type Figures, type Generator } from './drive.ts'
import type { System } from './system.ts'

export type Side = { readonly system: System; readonly load: Drive }
export type Pair = { readonly ours: Figures; readonly theirs: Figures }

export type PairsOptions = {
  readonly pairs: number
  readonly seconds: number
  readonly generator: Generator
  readonly onPair?: (pair: Pair, index: number) => void
}

const WARM_UP_SECONDS = 1

export async function measurePairs(
  ours: Side,
  theirs: Side,
  options: PairsOptions,
): Promise<readonly Pair[]> {
  const measure = ({ system, load }: Side): Promise<Figures> => drive(system, load, options)
  const warmUp = { ...options, seconds: WARM_UP_SECONDS }
  for (const { system, load } of [ours, theirs]) await drive(system, load, warmUp)
  const pairs: Pair[] = []
  for (let index = 0; index < options.pairs; index++) {
    const isOursFirst = index % 2 === 0
    const first = await measure(isOursFirst ? ours : theirs)
    const second = await measure(isOursFirst ? theirs : ours)
    const pair = isOursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first }
    pairs.push(pair)
    options.onPair?.(pair, index)
  }
  return pairs
}

/** Median, least and greatest. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number }

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? Number.NaN) : upper
  return {
    median: (lower + upper) / 2,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
  }
}
