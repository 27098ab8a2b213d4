// What runs showed, one line of JSON for each, appended to a file: so that many can be made in several
// pieces, by several processes at once, and added up.

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { columns } from '../cluster-view.ts'

export type RunResult = {
  readonly fault: string
  readonly seed: number
  readonly seconds: number
  /** `broken`: a rule other than linearizability does not hold, or the run could not be made. */
  readonly verdict: 'linearizable' | 'illegal' | 'undecided' | 'broken'
  readonly detail: string
  /** Kept for the checker; `open`: of these without a known outcome. */
  readonly operations: number
  readonly open: number
  /** Rounds of the fault, processes killed, configurations, shards that changed their group. */
  readonly faults: number
  readonly kills: number
  readonly configs: number
  readonly moves: number
  /** Longest time without an answered operation while things were broken. */
  readonly longestGapMs: number
  /** From mending until every key was served, and until no shard was on its way. */
  readonly fullServiceMs: number | null
  readonly settledMs: number | null
  /** Of the project when the run was made. */
  readonly commit?: string
}

export function addResult(file: string, result: RunResult): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`)
}

export function readResults(file: string): readonly RunResult[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as RunResult)
}

export function isGood({ verdict }: RunResult): boolean {
  return verdict === 'linearizable'
}

/** One run in a line. */
export function lineOf(result: RunResult): string {
  const { fault, seed, seconds, verdict, operations, open, faults, kills, moves } = result
  const { longestGapMs, fullServiceMs, detail } = result
  const did = `${faults} faults, ${kills} kills, ${moves} moves`
  const clients = `${operations} operations (${open} open)`
  const waits = `no answer for ${longestGapMs} ms at most, all served ${fullServiceMs} ms after`
  const words = `${fault}, seed ${seed}, ${seconds} s: ${clients}, ${did}, ${waits}: ${verdict}`
  return detail === '' ? words : `${words}: ${detail}`
}

/** A table by kind of fault, and the sums. */
export function reportOf(results: readonly RunResult[]): string {
  const names = [...new Set(results.map(({ fault }) => fault))].sort()
  const rows = [...names, 'all'].map(name => {
    const runs = results.filter(({ fault }) => name === 'all' || fault === name)
    const sum = (field: 'operations' | 'open' | 'faults' | 'kills' | 'moves' | 'seconds') =>
      runs.reduce((total, run) => total + run[field], 0)
    const services = runs.flatMap(run => (run.fullServiceMs === null ? [] : [run.fullServiceMs]))
    const figures = [
      runs.length,
      sum('seconds'),
      sum('operations'),
      sum('open'),
      sum('faults'),
      sum('kills'),
      sum('moves'),
      runs.filter(run => run.verdict === 'illegal' || run.verdict === 'broken').length,
      runs.filter(run => run.verdict === 'undecided').length,
      Math.max(0, ...runs.map(run => run.longestGapMs)),
      Math.max(0, ...services),
    ]
    return [name, ...figures.map(String)]
  })
  const head = ['FAULT', 'RUNS', 'SECONDS', 'OPERATIONS', 'OPEN', 'FAULTS', 'KILLS', 'MOVES']
  const more = ['VIOLATIONS', 'UNDECIDED', 'GAP MS', 'SERVICE MS']
  return columns([[...head, ...more], ...rows])
}
