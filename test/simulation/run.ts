// The simulation from the command line: many seeds, a verdict for each, what was counted in all.
// A violation prints its seed and how to see it again, and makes the exit code 1; so does, with 500
// seeds or more, anything that must happen sometimes and never did.
//
//   --seeds N --from N --seconds N --jobs N --single    which seeds, and how
//   --replay SEED [--messages]    one seed, everything that happens, a line each
//   --shrink SEED                 the smallest schedule of faults that still fails
//   --twice                       each seed again, and once more in another process: equal runs
//   --long --state FILE           the next N seeds of a long run, added up in a file

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { runElsewhere, runSeeds } from './jobs.ts'
import { runPiece } from './long-run.ts'
import { drawOptions } from './options.ts'
import { runSeed } from './run-seed.ts'
import { describeShrunk, shrink } from './shrink.ts'
import { neverSeen, SEEDS_FOR_ALL } from './sometimes.ts'
import { addResult, noTotals, summary, type Totals } from './totals.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    jobs: { type: 'string', default: '1' },
    single: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    replay: { type: 'string' },
    messages: { type: 'boolean', default: false },
    shrink: { type: 'string' },
    twice: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    state: { type: 'string' },
  },
})

const shape = { isSingle: values.single, seconds: Number(values.seconds) }
const seeds = { first: Number(values.from), count: Number(values.seeds) }
const jobs = Number(values.jobs)

/** Of every slot or read, too many to be read. */
const COMMON = / ← |"type":"(?:applied|slotDecided|readsConfirmed|trimmed|resent)"/

function replay(seed: number): boolean {
  const isShown = (line: string) =>
    values.messages || (!line.includes(' → ') && !COMMON.test(line.slice(0, 80)))
  const options = drawOptions(seed, shape)
  const { faults, ...rest } = options
  console.log(JSON.stringify({ ...rest, faults: faults.length }, null, 2))
  const result = runSeed(options, line => {
    if (isShown(line)) console.log(line)
  })
  console.log(`trace ${result.traceHash}, ${result.events} events, ${result.endedAt} µs`)
  console.log(result.violation ?? 'everything held')
  return result.violation === null
}

function shrinkSeed(seed: number): boolean {
  const smallest = shrink(drawOptions(seed, shape))
  console.log(smallest === null ? 'everything held' : describeShrunk(smallest))
  return smallest === null
}

async function runMany(): Promise<boolean> {
  const startedAt = performance.now()
  const totals = noTotals()
  await runSeeds(seeds, { shape, jobs }, result => {
    addResult(totals, result)
    if (result.violation === null) return
    console.log(`seed ${result.seed}: ${result.violation}`)
    console.log(`  again: npm run sim -- --replay ${result.seed} ${describeShape()}`)
  })
  if (!values.quiet) printCounters(totals)
  console.log(summary(totals, (performance.now() - startedAt) / 1000))
  return totals.failed === 0 && sawEverything(totals)
}

async function runLong(): Promise<boolean> {
  const startedAt = performance.now()
  const file = values.state
  if (file === undefined) throw new Error('--long wants --state FILE')
  const piece = { file, shape, seeds: seeds.count, jobs, commit: commit() }
  const { totals } = await runPiece(piece)
  console.log(summary(totals, (performance.now() - startedAt) / 1000, seeds.count))
  return totals.failed === 0 && sawEverything(totals)
}

function sawEverything(totals: Totals): boolean {
  const never = neverSeen(totals, shape.isSingle)
  for (const name of never) console.log(`never seen: ${name}`)
  return never.length === 0 || totals.seeds < SEEDS_FOR_ALL
}

/** Runs are the same when the hashes of all that happened in them are. */
async function runTwice(): Promise<boolean> {
  const hashes = new Map<number, number>()
  const options = { shape, jobs: 1 }
  let differing = 0
  const compare = (result: { readonly seed: number; readonly traceHash: number }) => {
    const known = hashes.get(result.seed)
    hashes.set(result.seed, known ?? result.traceHash)
    if (known === undefined || known === result.traceHash) return
    differing += 1
    console.log(`seed ${result.seed}: another run`)
  }
  await runSeeds(seeds, options, compare)
  await runSeeds(seeds, options, compare)
  await runElsewhere({ seeds: [...hashes.keys()], shape }, compare)
  console.log(`${hashes.size} seeds, three runs each: ${differing} differ`)
  return differing === 0 && hashes.size > 0
}

function printCounters(totals: Totals): void {
  for (const [name, total] of Object.entries(totals.counters).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    console.log(`${String(total.count).padStart(12)}  ${name}`)
  }
}

function describeShape(): string {
  return `--seconds ${values.seconds}${values.single ? ' --single' : ''} (${commit()})`
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'no git'
  }
}

async function main(): Promise<boolean> {
  if (values.shrink !== undefined) return shrinkSeed(Number(values.shrink))
  if (values.replay !== undefined) return replay(Number(values.replay))
  if (values.twice) return runTwice()
  return values.long ? runLong() : runMany()
}

process.exitCode = (await main()) ? 0 : 1
