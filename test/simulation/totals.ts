// What many runs came to, in one value that can be added up, written down and read back.

import { FAULT_TYPES } from './faults.ts'
import type { RunResult } from './run-seed.ts'

export type Failure = { readonly seed: number; readonly violation: string }

export type Totals = {
  seeds: number
  failed: number
  events: number
  operations: number
  /** Virtual and processor time. */
  hoursSimulated: number
  cpuSeconds: number
  failures: Failure[]
  /** name → how often, and in how many seeds. */
  counters: Record<string, { count: number; seeds: number }>
}

const FAILURES_KEPT = 100

export function noTotals(): Totals {
  return {
    seeds: 0,
    failed: 0,
    events: 0,
    operations: 0,
    hoursSimulated: 0,
    cpuSeconds: 0,
    failures: [],
    counters: {},
  }
}

export function addResult(totals: Totals, result: RunResult): void {
  totals.seeds += 1
  totals.events += result.events
  totals.operations += result.operations
  totals.hoursSimulated += result.endedAt / 3_600_000_000
  totals.cpuSeconds += result.cpuSeconds
  for (const [name, value] of result.counters) {
    const total = totals.counters[name] ?? { count: 0, seeds: 0 }
    totals.counters[name] = total
    total.count += value
    if (value > 0) total.seeds += 1
  }
  const { seed, violation } = result
  if (violation === null) return
  totals.failed += 1
  if (totals.failures.length < FAILURES_KEPT) totals.failures.push({ seed, violation })
}

/** Message faults: what happens to single messages, drawn as rates and by cut or clogged links. */
export const MESSAGE_FAULTS = ['lost', 'doubled', 'late', 'cut', 'clogged', 'not heard'].map(
  name => `network: ${name}`,
)

export function countOf(totals: Totals, ...names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (totals.counters[name]?.count ?? 0), 0)
}

/** Kind of fault → share of the seeds in which it happened. */
export function kindShares(totals: Totals): ReadonlyMap<string, number> {
  const isSingle = reconfigurations(totals) === 0
  const types = FAULT_TYPES.filter(type => !isSingle || type !== 'storm')
  const names = [...types.map(type => `fault: ${type}`), ...MESSAGE_FAULTS.slice(0, 3)]
  const share = (name: string) => (totals.counters[name]?.seeds ?? 0) / Math.max(1, totals.seeds)
  return new Map(names.map(name => [name, share(name)]))
}

export function reconfigurations(totals: Totals): number {
  return countOf(totals, 'configuration')
}

/** A few lines for people. `seconds`: time that went by for `seedsNow` of the seeds. */
export function summary(totals: Totals, seconds: number, seedsNow = totals.seeds): string {
  const { seeds, failed, operations, events, hoursSimulated, cpuSeconds } = totals
  const faults = countOf(totals, ...FAULT_TYPES.map(type => `fault: ${type}`), ...MESSAGE_FAULTS)
  const shares = [...kindShares(totals)].sort(([, a], [, b]) => a - b)
  const [rarest, share] = shares[0] ?? ['', 0]
  const perSeed = (count: number) => Math.round((count / Math.max(1, seeds)) * 10) / 10
  return [
    `${seeds} seeds, ${failed} failed, ${operations} operations, ${events} events`,
    `${perSeed(faults)} faults per seed of ${shares.length} kinds; ` +
      `the rarest, ${rarest}, in ${Math.round(share * 100)} % of the seeds`,
    `${perSeed(reconfigurations(totals))} reconfigurations per seed`,
    `${seconds.toFixed(1)} s: ${(seedsNow / seconds).toFixed(2)} seeds/s, ` +
      `${Math.round(events / cpuSeconds)} events/s and core, ` +
      `${hoursSimulated.toFixed(2)} hours simulated`,
  ].join('\n')
}
