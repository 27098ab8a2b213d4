// npm run soak -- --minutes 60 [--rate OPS-PER-SECOND] [--warm-up MINUTES] [--samples FILE] [--lazy]: a
// steady load, by default half of what the machine takes, and how memory, files, log and disk develop.
// The nodes collect their garbage every few seconds (collect-garbage.ts), with --lazy when V8 likes.
// Prints a table every ten minutes and at the end.

import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { columns } from '../cluster-view.ts'
import { Random } from '../history/random.ts'
import { ChaosCluster } from './cluster.ts'
import { pause } from './command.ts'
import { inRoom, type Room } from './isolation.ts'
import { type Sample, sampleAll, summaryOf } from './soak.ts'
import { SteadyLoad } from './steady-load.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string' },
    'warm-up': { type: 'string' },
    samples: { type: 'string' },
    lazy: { type: 'boolean', default: false },
  },
})

const WRITERS = 16
const EVERY_MS = 10_000
const REPORT_MINUTES = 10
const MEASURE_MS = 10_000

function load(cluster: ChaosCluster, everyMs: number): SteadyLoad {
  const random = new Random(1, 'soak')
  const shape = { writers: WRITERS, valueBytes: 256, keys: 2_000, reads: 0.5, attemptMs: 2_000 }
  return new SteadyLoad({ cluster, random, everyMs, ...shape })
}

/** Operations per second without any rest. */
async function rateOf(cluster: ChaosCluster): Promise<number> {
  const full = load(cluster, 0)
  await pause(MEASURE_MS)
  await full.stop()
  return full.answers.length / (MEASURE_MS / 1_000)
}

function table(samples: readonly Sample[], warmUp: number): string {
  const span = ([least, most]: readonly [number, number]): string =>
    `${least.toFixed(0)}-${most.toFixed(0)}`
  const rows = summaryOf(samples, warmUp).map(line => [
    line.name,
    line.rssFirst.toFixed(1),
    line.rssLast.toFixed(1),
    line.rssSlope.toFixed(2),
    span(line.files),
    span(line.sockets),
    span(line.diskMegabytes),
    String(line.logEntriesMax),
    line.logMegabytesMax.toFixed(1),
  ])
  const head = [
    'NODE',
    'RSS MB',
    'NOW',
    'MB/H',
    'FILES',
    'SOCKETS',
    'DISK MB',
    'LOG ENTRIES',
    'LOG MB',
  ]
  return columns([head, ...rows])
}

async function main(room: Room): Promise<number> {
  const minutes = Number(values.minutes)
  const warmUp = Number(values['warm-up'] ?? minutes / 4)
  const preload = new URL('collect-garbage.js', import.meta.url)
  if (!values.lazy) process.env.NODE_OPTIONS = `--import=${preload.href}`
  const cluster = await ChaosCluster.start({ room, layout: {}, sizes: [3, 3, 3], joining: [1, 2] })
  try {
    const rate = Number(values.rate ?? (await rateOf(cluster)) / 2)
    console.log(`${minutes} minutes at ${rate.toFixed(0)} operations/s, half of them reads`)
    const steady = load(cluster, (WRITERS / rate) * 1_000)
    const samples: Sample[] = []
    const startedAt = performance.now()
    let reported = 0
    for (let minute = 0; minute < minutes; ) {
      await pause(EVERY_MS)
      minute = (performance.now() - startedAt) / 60_000
      const now = await sampleAll(cluster, minute)
      samples.push(...now)
      if (values.samples !== undefined) appendFileSync(values.samples, `${JSON.stringify(now)}\n`)
      if (minute < warmUp || minute < reported + REPORT_MINUTES) continue
      reported = minute
      console.log(`after ${minute.toFixed(0)} minutes\n${table(samples, warmUp)}`)
    }
    await steady.stop()
    console.log(table(samples, warmUp))
    const waits = `longest wait ${steady.longestWaitMs.toFixed(0)} ms`
    console.log(`${steady.answers.length} answered, ${steady.failed} failed, ${waits}`)
    return cluster.endings.length === 0 && steady.failed === 0 ? 0 : 1
  } finally {
    await cluster.stop()
  }
}

process.exit(await inRoom(main))
