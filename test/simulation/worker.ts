// One thread of `run.ts --jobs`: runs its seeds, tells each result.

import { parentPort, workerData } from 'node:worker_threads'
import { drawOptions } from './options.ts'
import { runSeed } from './run-seed.ts'

const { seeds, shape } = workerData

for (const seed of seeds) parentPort?.postMessage(runSeed(drawOptions(seed, shape)))
