// One process of `run.ts --jobs`: is sent its seeds, tells each result, ends when its parent does.

import { drawOptions, type RunShape } from './options.ts'
import { runSeed } from './run-seed.ts'

export type Job = { readonly seeds: readonly number[]; readonly shape: RunShape }

process.once('message', ({ seeds, shape }: Job) => {
  const next = (place: number) => {
    const seed = seeds[place]
    if (seed === undefined) process.disconnect()
    else process.send?.(runSeed(drawOptions(seed, shape)), () => next(place + 1))
  }
  next(0)
})
