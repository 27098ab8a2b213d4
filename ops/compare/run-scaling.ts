// npm run scaling -- [--of value,batch,replicas,shards,keys,clients] [--times 3] [--seconds 3]
// [--markdown FILE] [--folder DIR]: how the cost of an operation grows, of Shardglass by itself.

import { parseArgs } from 'node:util'
import { Bench } from './bench.ts'
import { type Drive, drive, type Figures, httpGenerator } from './drive.ts'
import { busyness, describeMachine } from './machine.ts'
import { spreadOf } from './pairs.ts'
import { memoryOf } from './program.ts'
import { writeSection } from './report.ts'
import { Shardglass, type ShardglassPlan } from './shardglass.ts'

type Point = {
  readonly text: string
  readonly plan?: Partial<ShardglassPlan>
  readonly load: Partial<Drive>
  /** So many keys are put in before it is measured. */
  readonly fill?: number
}

const { values } = parseArgs({
  options: {
    of: { type: 'string', default: 'value,batch,replicas,shards,keys,clients' },
    times: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    markdown: { type: 'string' },
    folder: { type: 'string' },
  },
})

const BASE: Drive = { target: 'shardglass', op: 'put', clients: 64 }
const FILL = { clients: 4, batch: 1_000, distribution: 'sequential', valueBytes: 100 } as const
const FILL_SECONDS_MAX = 3_600

const whole = (value: number): string => value.toLocaleString('en-US')

/** What grows → its points; all else is as in `npm run compare`: 64 clients put 256 bytes. */
const DIMENSIONS: Readonly<Record<string, readonly Point[]>> = {
  value: [16, 256, 4_096, 65_536, 1_048_576].map(valueBytes => ({
    text: `values of ${whole(valueBytes)} B, 16 clients`,
    load: { valueBytes, clients: 16, keys: 100 },
  })),
  batch: [1, 8, 64, 250, 1_000].map(batch => ({
    text: `${whole(batch)} puts in a request, 4 clients`,
    load: { clients: 4, isOwn: true, ...(batch > 1 && { batch }) },
  })),
  replicas: [1, 3, 5].map(replicas => ({
    text: `${replicas} replicas`,
    plan: { replicas },
    load: {},
  })),
  shards: [10, 100, 1_000, 10_000].map(shards => ({
    text: `${whole(shards)} shards`,
    plan: { shards },
    load: {},
  })),
  keys: [1e3, 1e4, 1e5, 1e6, 1e7].map(keys => ({
    text: `${whole(keys)} keys of 100 B`,
    load: { keys, valueBytes: 100, isOwn: true },
    fill: keys,
  })),
  clients: [1, 4, 16, 64, 256, 1_024, 4_096].map(clients => ({
    text: `${whole(clients)} clients`,
    load: { clients },
  })),
}

const HEADS = ['', 'puts per second', 'p50 ms', 'p99 ms', 'CPU µs', 'leader, MB']

async function measure(folder: string, point: Point): Promise<readonly string[]> {
  const plan = { folder, replicas: 3, shards: 64, isSeen: true, env: {}, ...point.plan }
  const system = await Shardglass.start(plan)
  const generator = httpGenerator(null)
  const load: Drive = { ...BASE, ...point.load }
  try {
    if (point.fill !== undefined) {
      const filling = { ...BASE, ...FILL, keys: point.fill, count: point.fill }
      await drive(system, filling, { seconds: FILL_SECONDS_MAX, generator: 'load' })
    }
    await drive(system, load, { seconds: 1, generator })
    const runs: Figures[] = []
    for (let time = 0; time < Number(values.times); time++) {
      runs.push(await drive(system, load, { seconds: Number(values.seconds), generator }))
    }
    const median = (figure: keyof Figures): number => spreadOf(runs.map(run => run[figure])).median
    const { anonymous } = memoryOf((await system.leader()).pid)
    const latencies = [median('p50').toFixed(2), median('p99').toFixed(2)]
    const rate = whole(Math.round(median('perSecond')))
    const cost = [median('systemMicros').toFixed(1), (anonymous / 1e6).toFixed(0)]
    return [point.text, rate, ...latencies, ...cost]
  } finally {
    await system.stop()
  }
}

async function main(): Promise<number> {
  const names = values.of.split(',')
  const unknown = names.find(name => DIMENSIONS[name] === undefined)
  if (unknown !== undefined) {
    console.error(`scaling: no ${unknown}; there are ${Object.keys(DIMENSIONS).join(', ')}`)
    return 2
  }
  const bench = new Bench(values.folder)
  const lines = [...describeMachine(bench.folder), busyness()].map(line => `- ${line}`)
  try {
    for (const name of names) {
      lines.push(
        '',
        `| ${[name, ...HEADS.slice(1)].join(' | ')} |`,
        `|${' --- |'.repeat(HEADS.length)}`,
      )
      for (const point of DIMENSIONS[name] ?? []) {
        const cells = await measure(bench.folder, point).catch((error: unknown) => {
          console.log(`FAILED: ${point.text}: ${error instanceof Error ? error.message : error}`)
          return null
        })
        if (cells === null) continue
        lines.push(`| ${cells.join(' | ')} |`)
        console.log(lines.at(-1))
      }
    }
    if (values.markdown !== undefined) writeSection(values.markdown, 'scaling', lines.join('\n'))
    return 0
  } finally {
    await bench.close()
  }
}

process.exitCode = await main()
