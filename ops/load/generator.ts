// One load from its plan to its result, in this process or spread over several.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ClerkTarget } from './clerk-target.ts'
import { HttpTarget } from './http-target.ts'
import { type Loop, startLoop } from './loop.ts'
import type { LoadPlan } from './plan.ts'
import { Recorder } from './recorder.ts'
import { RedisTarget } from './redis-target.ts'
import { joined, type LoadResult, progressLine, resultOf } from './result.ts'
import type { Target } from './target.ts'

export type Watch = {
  /** A line for each second, if anybody wants to see it. */
  readonly onSecond?: (line: string) => void
  /** Ends the load early; what was measured so far is the result. */
  readonly signal?: AbortSignal
}

const PROGRAM = fileURLToPath(import.meta.url).replace(/generator\.(ts|js)$/, 'run-load.$1')

export async function generate(plan: LoadPlan, watch: Watch = {}): Promise<LoadResult> {
  if (plan.processes > 1) return spread(plan, watch)
  const target = await targetOf(plan)
  const recorder = new Recorder(plan.batch)
  try {
    const callers = await target.callers(plan.clients)
    const loop = startLoop(plan, callers, recorder, { first: plan.seed, step: 1 })
    return await measured(plan, { target, recorder, loop }, watch)
  } finally {
    await target.close()
  }
}

/** gRPC is loaded only where it is wanted: it is not there in a production install. */
async function targetOf(plan: LoadPlan): Promise<Target> {
  const { target } = plan
  if (target === 'clerk') return new ClerkTarget(plan)
  if (target === 'redis') return new RedisTarget(plan)
  if (target !== 'etcd-grpc') return new HttpTarget({ ...plan, target })
  const { GrpcTarget } = await import('./grpc-target.ts')
  return new GrpcTarget(plan)
}

type Parts = { readonly target: Target; readonly recorder: Recorder; readonly loop: Loop }

async function measured(plan: LoadPlan, parts: Parts, watch: Watch): Promise<LoadResult> {
  const { target, recorder, loop } = parts
  const startedAt = performance.now()
  let cpu = process.cpuUsage()
  const warm = setTimeout(() => {
    cpu = process.cpuUsage()
  }, plan.warmup * 1000)
  const progress = watchProgress(recorder, watch)
  const stop = (): void => loop.stop()
  watch.signal?.addEventListener('abort', stop, { once: true })
  await loop.ended
  clearTimeout(warm)
  clearInterval(progress)
  watch.signal?.removeEventListener('abort', stop)
  const { user, system } = process.cpuUsage(cpu)
  const ranMs = performance.now() - Math.min(recorder.sinceMs, performance.now())
  const isShort = plan.count !== undefined || watch.signal?.aborted === true
  // Answers that came after the time was over belong to it, or slow targets would gain by them.
  const seconds = isShort ? Math.max(0.001, ranMs / 1000) : Math.max(plan.seconds, ranMs / 1000)
  if (performance.now() - startedAt < plan.warmup * 1000) recorder.sinceMs = startedAt
  return resultOf(plan, recorder, { seconds, trouble: target.trouble, cpuMicros: user + system })
}

function watchProgress(recorder: Recorder, { onSecond }: Watch): NodeJS.Timeout | undefined {
  if (onSecond === undefined) return undefined
  let second = 0
  let before = 0
  return setInterval(() => {
    second += 1
    const { good, failed } = recorder
    onSecond(progressLine(second, recorder.takeRecent(), { operations: good - before, failed }))
    before = good
  }, 1000)
}

/** The same plan in several processes, each with its part of the callers, rate and count. */
async function spread(plan: LoadPlan, watch: Watch): Promise<LoadResult> {
  const { processes } = plan
  const share = (total: number, index: number): number =>
    Math.floor(total / processes) + (index < total % processes ? 1 : 0)
  const children = Array.from({ length: Math.min(processes, plan.clients) }, (_, index) => {
    const clients = share(plan.clients, index)
    const rate = share(plan.rate, index)
    const count = plan.count === undefined ? {} : { count: share(plan.count, index) }
    return startChild({ ...plan, ...count, clients, rate, seed: plan.seed + index })
  })
  const stop = (): void => {
    for (const { child } of children) child.kill('SIGINT')
  }
  watch.signal?.addEventListener('abort', stop, { once: true })
  try {
    return joined(plan, await Promise.all(children.map(({ result }) => result)))
  } finally {
    watch.signal?.removeEventListener('abort', stop)
    stop()
  }
}

type Child = { readonly child: ChildProcess; readonly result: Promise<LoadResult> }

function startChild(plan: LoadPlan): Child {
  const child = spawn(process.execPath, [...process.execArgv, PROGRAM, ...flagsOf(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const result = new Promise<LoadResult>((resolve, reject) => {
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', code => {
      if (printed === '') reject(new Error(`a generator ended with code ${code}`))
      else resolve(JSON.parse(printed))
    })
  })
  return { child, result }
}

/** Flags that make this plan, for one process that prints all it knows. */
export function flagsOf(plan: Partial<LoadPlan>): readonly string[] {
  const { json: _, raw: __, ceiling: ___, processes: ____, ...rest } = plan
  const flags = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
  return [...flags, '--json', '--raw', '--yes-remote']
}
