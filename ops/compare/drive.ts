// One measurement: a load on one system, and what it cost. HTTP by wrk where it is installed, since it
// costs least; all else, and open loops, by the project's own generator in processes of its own.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasProgram } from '../chaos/command.ts'
import { flagsOf } from '../load/generator.ts'
import type { LoadPlan, LoadTargetName } from '../load/plan.ts'
import type { LoadResult } from '../load/result.ts'
import { cpuMicros } from './program.ts'
import type { System } from './system.ts'

export type Drive = {
  readonly target: LoadTargetName
  readonly op: LoadPlan['op']
  readonly clients: number
  readonly batch?: number
  /** Operations a second; absent: as fast as answers come. */
  readonly rate?: number
  readonly processes?: number
  readonly keys?: number
  readonly valueBytes?: number
  readonly distribution?: LoadPlan['distribution']
  readonly count?: number
  /** By the project's own generator even where wrk could. */
  readonly isOwn?: boolean
}

/** Latencies in ms, of requests; processor time in µs for each operation. */
export type Figures = {
  readonly perSecond: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly systemMicros: number
  readonly clientMicros: number
}

export type Generator = 'wrk' | 'load'

const HERE = dirname(fileURLToPath(import.meta.url))
const KEYS = 1_000
const VALUE_BYTES = 256

/** What drives HTTP here. */
export function httpGenerator(wanted: Generator | null): Generator {
  return wanted ?? (hasProgram('wrk') ? 'wrk' : 'load')
}

/** Runs the load for so long and says what it came to. Throws where it got no answers at all. */
export async function drive(
  system: System,
  load: Drive,
  options: { readonly seconds: number; readonly generator: Generator },
): Promise<Figures> {
  const isClient = load.target === 'clerk' || load.target === 'etcd-grpc'
  const leader = await system.leaderUrl()
  // The Clerk finds the leader by itself; a gRPC client is given it.
  const url = load.target === 'clerk' ? system.clientUrls.join(',') : leader
  const isPlain = load.batch === undefined && load.rate === undefined && load.count === undefined
  const isHttp = !isClient && load.target !== 'redis' && load.op !== 'puthash'
  const byWrk = options.generator === 'wrk' && isHttp && isPlain && load.isOwn !== true
  const before = cpuMicros(system.pids)
  const run = byWrk ? await wrk(system, load, url, options) : await own(system, load, url, options)
  if (run.operations === 0) throw new Error(`no answers from ${url}: ${run.trouble ?? ''}`)
  const systemMicros = (cpuMicros(system.pids) - before) / run.operations
  const { operations: _, trouble: __, ...figures } = run
  return { ...figures, systemMicros }
}

type Run = Omit<Figures, 'systemMicros'> & {
  readonly operations: number
  readonly trouble: string | null
}

async function own(
  system: System,
  load: Drive,
  url: string,
  { seconds }: { readonly seconds: number },
): Promise<Run> {
  const { target, op, clients, batch, rate, processes, distribution, count } = load
  const plan: Partial<LoadPlan> = {
    ...{ target, url, op, clients, seconds, warmup: 0 },
    keys: load.keys ?? KEYS,
    value: load.valueBytes ?? VALUE_BYTES,
    ...(batch !== undefined && { batch }),
    ...(rate !== undefined && { rate: Math.round(rate) }),
    ...(count !== undefined && { count }),
    ...(distribution !== undefined && { distribution }),
    ...(system.token !== null && { token: system.token }),
  }
  const script = resolve(HERE, `../load/run-load${HERE.includes('/dist/') ? '.js' : '.ts'}`)
  const spreading = ['--processes', String(processes ?? 1)]
  const args = [...process.execArgv, script, ...flagsOf(plan), ...spreading]
  const { printed } = await output(process.execPath, args)
  const result: LoadResult = JSON.parse(printed.trim().split('\n').at(-1) ?? '')
  const { operations, perSecond, failed, trouble, latencyMs, generatorMicros } = result
  const { p50, p99 } = latencyMs
  return { operations, perSecond, failed, trouble, p50, p99, clientMicros: generatorMicros }
}

async function wrk(
  system: System,
  load: Drive,
  url: string,
  { seconds }: { readonly seconds: number },
): Promise<Run> {
  const script = [resolve(HERE, 'load.lua'), resolve(HERE, '../../../ops/compare/load.lua')].find(
    path => existsSync(path),
  )
  const terms = ['-t1', `-c${load.clients}`, `-d${Math.max(1, Math.round(seconds))}s`]
  const words = [load.target, load.op, load.keys ?? KEYS, load.valueBytes ?? VALUE_BYTES]
  const own = [...words.map(String), ...(system.token === null ? [] : [system.token])]
  const args = [...terms, '-s', script ?? '', url, '--', ...own]
  const { printed, micros: usedMicros } = await output('wrk', args)
  const line = /JSON (\{.*\})/.exec(printed)?.[1]
  if (line === undefined) throw new Error(`wrk said: ${printed.slice(-500)}`)
  const { operations, micros, failed, p50, p99 } = JSON.parse(line)
  const clientMicros = usedMicros / Math.max(1, operations)
  const trouble = failed > 0 ? `${failed} failed` : null
  return {
    operations,
    perSecond: (operations / micros) * 1e6,
    failed,
    trouble,
    p50,
    p99,
    clientMicros,
  }
}

type Output = {
  readonly printed: string
  /** Processor time that it had used when it was last looked at, µs. */
  readonly micros: number
}

const LOOK_MS = 100

function output(program: string, args: readonly string[]): Promise<Output> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  let complaint = ''
  let micros = 0
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const look = setInterval(() => {
    if (child.pid !== undefined && child.exitCode === null) micros = cpuMicros([child.pid])
  }, LOOK_MS)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      clearInterval(look)
      if (printed === '') reject(new Error(`${program}: ${complaint.slice(-500)}`))
      else resolve({ printed, micros })
    })
  })
}
