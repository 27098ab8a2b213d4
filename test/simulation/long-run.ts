// A run of very many seeds in pieces: what it came to so far is kept in a file, and the next piece
// goes on with the seed after the last. A piece adds to the file only when it is whole.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { runSeeds } from './jobs.ts'
import type { RunShape } from './options.ts'
import { addResult, noTotals, type Totals } from './totals.ts'

export type LongRun = {
  readonly shape: RunShape
  nextSeed: number
  totals: Totals
  /** Where each piece was made: commit, first seed, how many. */
  readonly pieces: { readonly commit: string; readonly first: number; seeds: number }[]
}

type PieceOptions = {
  readonly file: string
  readonly shape: RunShape
  readonly seeds: number
  readonly jobs: number
  readonly commit: string
}

/** One more piece; returns what all came to. */
export async function runPiece(options: PieceOptions): Promise<LongRun> {
  const { file, shape, seeds, jobs, commit } = options
  const run = read(file) ?? { shape, nextSeed: 1, totals: noTotals(), pieces: [] }
  if (JSON.stringify(run.shape) !== JSON.stringify(shape)) {
    throw new Error(`${file} is of another shape: ${JSON.stringify(run.shape)}`)
  }
  const first = run.nextSeed
  await runSeeds({ first, count: seeds }, { shape, jobs }, result => {
    addResult(run.totals, result)
    if (result.violation !== null) console.log(`seed ${result.seed}: ${result.violation}`)
  })
  run.nextSeed = first + seeds
  const last = run.pieces.at(-1)
  if (last?.commit === commit) last.seeds += seeds
  else run.pieces.push({ commit, first, seeds })
  writeFileSync(file, `${JSON.stringify(sorted(run), null, 2)}\n`)
  return run
}

/** null: nothing was run yet. */
export function read(file: string): LongRun | null {
  if (!existsSync(file)) return null
  const run: LongRun = JSON.parse(readFileSync(file, 'utf8'))
  return run
}

function sorted(run: LongRun): LongRun {
  const counters = Object.fromEntries(
    Object.entries(run.totals.counters).sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  return { ...run, totals: { ...run.totals, counters } }
}
