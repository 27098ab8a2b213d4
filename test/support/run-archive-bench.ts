// npm run archive-bench [-- --spans 5000000 --encoding json|protobuf --gzip --sync full]: what the archive
// takes and how it answers. Twelve exporters send batches of 128 instances as nodes do; the archive has
// one core for itself where taskset is there. Meanwhile and afterwards it is asked.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Found } from '../../ops/archive/client.ts'
import { BatchTemplate, FIRST_SLOT } from './archive-load.ts'
import { ArchiveProcess } from './archive-process.ts'

const { values } = parseArgs({
  options: {
    spans: { type: 'string', default: '5000000' },
    encoding: { type: 'string', default: 'json' },
    gzip: { type: 'boolean', default: false },
    sync: { type: 'string', default: 'normal' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const EXPORTERS = 12
const BATCH_SPANS = 128
const QUESTIONS = 200
const ASK_EVERY_MS = 200
const GROUPS = 4
const total = Number(values.spans)
const encoding = values.encoding === 'protobuf' ? 'protobuf' : 'json'
const folder = mkdtempSync(join(values.folder, 'archive-bench-'))
const hasTaskset = spawnSync('taskset', ['--version']).status === 0
const archive = new ArchiveProcess(folder, {
  flags: ['--sync', values.sync],
  runner: hasTaskset ? ['taskset', '-c', '0'] : [],
})
/** Slots of each group that are stored. */
const stored = new Array<number>(GROUPS).fill(FIRST_SLOT)

/** Of a process, user and system, in s. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function send(exporter: number, next: () => number | null): Promise<void> {
  const gid = exporter % GROUPS
  const template = new BatchTemplate({
    ...{ gid, replica: Math.floor(exporter / GROUPS), spans: BATCH_SPANS, encoding },
  })
  for (let slot = next(); slot !== null; slot = next()) {
    const plain = template.fill(slot, Date.now() * 1000 - BATCH_SPANS * 400)
    const body = values.gzip ? gzipSync(plain, { level: 1 }) : plain
    const answer = await archive.post(body, { type: encoding, isGzip: values.gzip })
    if (answer.type === 'failed') throw answer.cause
    if (answer.status !== 200) throw new Error(answer.body.toString())
    stored[gid] = Math.max(stored[gid] ?? 0, slot)
  }
}

function valueIn<T>(found: Found<T>): T {
  if (found.type === 'found') return found.value
  throw new Error(JSON.stringify(found))
}

/** How long each of these took, sorted, in ms. */
async function timed(count: number, ask: () => Promise<unknown>): Promise<readonly number[]> {
  const took: number[] = []
  for (let asked = 0; asked < count; asked++) {
    const at = performance.now()
    await ask()
    took.push(performance.now() - at)
  }
  return took.sort((one, other) => one - other)
}

function spreadText(took: readonly number[]): string {
  const at = (share: number): string =>
    (took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0).toFixed(1)
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`
}

async function askInstance(): Promise<void> {
  const gid = Math.floor(Math.random() * GROUPS)
  const known = (stored[gid] ?? FIRST_SLOT) - FIRST_SLOT
  const slot = FIRST_SLOT + Math.floor(Math.random() * Math.max(1, known))
  const { spans } = valueIn(await archive.client.instance(gid, slot))
  if (spans[0]?.events.length !== 6) throw new Error(`slot ${slot} is not whole`)
}

async function load(): Promise<void> {
  let sent = 0
  const slots = new Array<number>(GROUPS).fill(FIRST_SLOT)
  const nextOf = (gid: number) => (): number | null => {
    if (sent >= total) return null
    sent += BATCH_SPANS
    const slot = slots[gid] ?? FIRST_SLOT
    slots[gid] = slot + BATCH_SPANS
    return slot
  }
  const cpu = cpuSeconds(archive.pid)
  const startedAt = performance.now()
  const sending = Promise.all(
    Array.from({ length: EXPORTERS }, (_, exporter) => send(exporter, nextOf(exporter % GROUPS))),
  )
  let isOver = false
  const during: number[] = []
  const asking = (async () => {
    while (!isOver) {
      await new Promise(resolve => setTimeout(resolve, ASK_EVERY_MS))
      if (stored.every(slot => slot > FIRST_SLOT)) during.push(...(await timed(1, askInstance)))
    }
  })()
  await sending
  const seconds = (performance.now() - startedAt) / 1000
  isOver = true
  const cpuUsed = cpuSeconds(archive.pid) - cpu
  await asking
  const form = `${encoding}${values.gzip ? ', gzip' : ''}, sync ${values.sync}`
  const core = hasTaskset ? 'pinned to one core' : 'not pinned'
  console.log(`${sent} spans in ${seconds.toFixed(1)} s (${form}; ${core}):`)
  console.log(`  taken         ${Math.round(sent / seconds)} spans/s`)
  const perSpan = ((cpuUsed / sent) * 1e6).toFixed(1)
  console.log(
    `  CPU           ${perSpan} µs/span, ${Math.round(sent / cpuUsed)} spans per s of CPU`,
  )
  const [asJson, asProtobuf] = (['json', 'protobuf'] as const).map(form => {
    const template = new BatchTemplate({ gid: 1, replica: 0, spans: BATCH_SPANS, encoding: form })
    return Math.round(template.fill(FIRST_SLOT, 0).length / BATCH_SPANS)
  })
  console.log(`  sent          ${asJson} bytes/span as JSON, ${asProtobuf} as protobuf`)
  const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${archive.pid}/status`, 'utf8'))?.[1]
  console.log(`  memory        ${Math.round(Number(memory) / 1024)} MB`)
  console.log(`  asked while   instance: ${spreadText(during.sort((one, other) => one - other))}`)
}

async function ask(): Promise<void> {
  const { client } = archive
  const { spans, bytes, segments } = valueIn(await client.status())
  console.log(`${spans} spans in ${segments} segments, ${(bytes / spans).toFixed(0)} bytes each`)
  const report = async (name: string, work: () => Promise<unknown>, count = 20): Promise<void> => {
    const before = cpuSeconds(archive.pid)
    const took = await timed(count, work)
    const cpuMs = ((cpuSeconds(archive.pid) - before) / count) * 1000
    console.log(`  ${name.padEnd(13)} ${spreadText(took)}; CPU ${cpuMs.toFixed(1)} ms`)
  }
  await report('instance', askInstance, QUESTIONS)
  await report('100 slowest', async () =>
    valueIn(await client.instances({ from: '1h', order: 'slowest', limit: 100 })),
  )
  await report('100 newest', async () => valueIn(await client.instances({ gid: 1, limit: 100 })))
  await report('timeline', async () => valueIn(await client.timeline()))
  await report('handoffs', async () => valueIn(await client.handoffs({ shard: 17 })))
}

try {
  await archive.start()
  await load()
  await ask()
  await archive.end('SIGTERM')
  const at = performance.now()
  await archive.start()
  console.log(`started again in ${((performance.now() - at) / 1000).toFixed(1)} s; then`)
  await ask()
} finally {
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
}
