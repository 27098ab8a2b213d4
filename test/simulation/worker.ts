// One process of `run.ts --jobs`: is sent its seeds, tells each result, ends when its parent does.

import { drawOptions } from './options.ts'
import { runSeed } from './run-seed.ts'

export type Job = {
  readonly seeds: readonly number[]
  readonly shape: { readonly isSingle: boolean; readonly seconds: number }
}

process.once('message', ({ seeds, shape }: Job) => {
  const next = (place: number) => {
    const seed = seeds[place]
    if (seed === undefined) process.disconnect()
    else process.send?.(runSeed(drawOptions(seed, shape)), () => next(place + 1))
  }
  next(0)
})
