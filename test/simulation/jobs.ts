// Many seeds over several processes; each has every n-th seed.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { drawOptions, type RunShape } from './options.ts'
import { type RunResult, runSeed } from './run-seed.ts'
import type { Job } from './worker.ts'

export type Seeds = { readonly first: number; readonly count: number }

/** Results come in any order. `jobs` 1: in this process. */
export async function runSeeds(
  { first, count }: Seeds,
  options: { readonly shape: RunShape; readonly jobs: number },
  onResult: (result: RunResult) => void,
): Promise<void> {
  const { shape, jobs } = options
  const seeds = Array.from({ length: count }, (_, index) => first + index)
  if (jobs <= 1) {
    for (const seed of seeds) onResult(runSeed(drawOptions(seed, shape)))
    return
  }
  const works = Array.from({ length: jobs }, (_, job) => ({
    seeds: seeds.filter(seed => seed % jobs === job),
    shape,
  }))
  await Promise.all(works.map(work => runElsewhere(work, onResult)))
}

/** In a process of its own. */
export async function runElsewhere(job: Job, onResult: (result: RunResult) => void): Promise<void> {
  const file = fileURLToPath(new URL('./worker.ts', import.meta.url))
  const worker = fork(file, { serialization: 'advanced', execArgv: ['--import', 'tsx'] })
  worker.on('message', (result: RunResult) => onResult(result))
  worker.send(job)
  const [code] = await once(worker, 'exit')
  if (code !== 0) throw new Error('a job ended before its seeds did')
}
