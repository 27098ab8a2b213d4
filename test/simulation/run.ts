// The simulation from the command line: many seeds, a verdict for each, what was counted in all.
// A violation prints its seed and how to see it again, and makes the exit code 1.

import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawOptions } from './options.ts'
import { type RunResult, runSeed } from './run-seed.ts'
import { shrink } from './shrink.ts'
import type { Job } from './worker.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    jobs: { type: 'string', default: '1' },
    single: { type: 'boolean', default: false },
    replay: { type: 'string' },
    shrink: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})

const shape = { isSingle: values.single, seconds: Number(values.seconds) }

function replay(seed: number): boolean {
  const trace = values.trace ? (line: string) => console.log(line) : undefined
  const result = runSeed(drawOptions(seed, shape), trace)
  console.log(JSON.stringify({ ...result, counters: Object.fromEntries(result.counters) }, null, 2))
  return result.violation === null
}

function shrinkSeed(seed: number): boolean {
  const smallest = shrink(drawOptions(seed, shape))
  console.log(JSON.stringify(smallest, null, 2))
  return smallest === null
}

type Total = { seeds: number; events: number; operations: number; failed: number }

async function runMany(first: number, count: number): Promise<boolean> {
  const startedAt = performance.now()
  const total: Total = { seeds: 0, events: 0, operations: 0, failed: 0 }
  const counters = new Map<string, number>()
  const onResult = (result: RunResult) => {
    total.seeds += 1
    total.events += result.events
    total.operations += result.operations
    for (const [name, value] of result.counters) {
      counters.set(name, (counters.get(name) ?? 0) + value)
    }
    if (result.violation === null) return
    total.failed += 1
    console.log(`seed ${result.seed}: ${result.violation}`)
    console.log(`  again: npm run sim -- --replay ${result.seed} ${describeShape()}`)
  }
  await spread(first, count, onResult)
  report(total, counters, (performance.now() - startedAt) / 1000)
  return total.failed === 0
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

/** Job j of n runs every n-th seed, in a process of its own where there are several. */
async function spread(
  first: number,
  count: number,
  onResult: (result: RunResult) => void,
): Promise<void> {
  const jobs = Number(values.jobs)
  if (jobs <= 1) {
    for (let seed = first; seed < first + count; seed++) onResult(runSeed(drawOptions(seed, shape)))
    return
  }
  const file = fileURLToPath(new URL('./worker.ts', import.meta.url))
  const workers = Array.from({ length: jobs }, (_, job) => {
    const seeds = Array.from({ length: count }, (_, index) => first + index)
    const work: Job = { seeds: seeds.filter(seed => seed % jobs === job), shape }
    const worker = fork(file, { serialization: 'advanced' })
    worker.on('message', (result: RunResult) => onResult(result))
    worker.send(work)
    return worker
  })
  const codes = await Promise.all(workers.map(worker => once(worker, 'exit')))
  if (codes.some(([code]) => code !== 0)) throw new Error('a job ended before its seeds did')
}

function report(total: Total, counters: ReadonlyMap<string, number>, seconds: number): void {
  for (const [name, value] of [...counters].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${String(value).padStart(12)}  ${name}`)
  }
  const { seeds, events, operations, failed } = total
  const hours = (seeds * shape.seconds) / 3600
  console.log(`${seeds} seeds, ${failed} failed, ${operations} operations, ${events} events`)
  console.log(
    `${seconds.toFixed(1)} s: ${(seeds / seconds).toFixed(2)} seeds/s, ` +
      `${Math.round(events / seconds)} events/s, ${hours.toFixed(2)} hours simulated`,
  )
}

const isFine =
  values.shrink !== undefined
    ? shrinkSeed(Number(values.shrink))
    : values.replay !== undefined
      ? replay(Number(values.replay))
      : await runMany(Number(values.from), Number(values.seeds))
process.exitCode = isFine ? 0 : 1
