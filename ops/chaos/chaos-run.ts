// One run: a cluster, its clients and administrator, one kind of fault again and again, then all is
// mended and looked at.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../history/random.ts'
import { Arena } from './arena.ts'
import { keepBallast } from './ballast.ts'
import { ChaosCluster } from './cluster.ts'
import { eventually } from './command.ts'
import type { Fault } from './faults.ts'
import type { Room } from './isolation.ts'
import { countMoves, moveShards } from './moves.ts'
import type { RunResult } from './results.ts'
import { compareReplicas, judgeHistory, readBack, settle } from './verdict.ts'
import { Workload } from './workload.ts'

export type RunOptions = {
  readonly room: Room
  readonly fault: Fault
  readonly seed: number
  readonly seconds: number
  readonly groups: number
}

const CLIENTS = 8
const KEYS = 6
const REST_MS = 60
const REPLICAS = 3
const SERVICE_MS_MAX = 30_000

/** Does not reject: what went wrong is in the result. */
export async function chaosRun(options: RunOptions): Promise<RunResult> {
  const { room, fault, groups } = options
  const sizes = Array.from({ length: groups + 1 }, () => REPLICAS)
  const layout = fault.layout ?? {}
  let cluster: ChaosCluster | null = null
  try {
    cluster = await ChaosCluster.start({ room, layout, sizes, joining: [1] })
    return await runOn(cluster, options)
  } catch (error) {
    return { ...emptyResult(options), verdict: 'broken', detail: String(error) }
  } finally {
    await cluster?.stop()
  }
}

async function runOn(cluster: ChaosCluster, options: RunOptions): Promise<RunResult> {
  const { fault, seed, seconds } = options
  const arena = new Arena(cluster, new Random(seed, fault.name), seconds)
  const workload = new Workload({ cluster, seed, clients: CLIENTS, keys: KEYS, restMs: REST_MS })
  workload.start()
  let failure: unknown = null
  const fail = (error: unknown): void => {
    failure ??= error
  }
  const isOver = (): boolean => arena.isOver || failure !== null
  const moving = moveShards({ cluster, random: new Random(seed, 'moves'), seconds, isOver })
  const ballast = fault.hasBallast === true ? keepBallast(cluster, isOver) : Promise.resolve()
  workload.watchGaps()
  await Promise.all([
    breakThings(arena, fault, isOver).catch(fail),
    moving.catch(fail),
    ballast.catch(fail),
  ])
  const result = await lookAt(cluster, arena, workload).catch(error => {
    fail(error)
    return {}
  })
  await workload.stop().catch(fail)
  const base = { ...emptyResult(options), ...arena.tally, ...countsOf(workload), ...result }
  if (failure === null && cluster.endings.length > 0) failure = unexpected(cluster)
  if (failure !== null) return { ...base, verdict: 'broken', detail: String(failure) }
  const verdict = judgeHistory(workload.history)
  if (verdict.type === 'linearizable') return { ...base, verdict: 'linearizable' }
  const file = join(tmpdir(), `chaos-history-${fault.name}-${seed}.json`)
  writeFileSync(file, JSON.stringify(workload.history))
  return { ...base, verdict: verdict.type, detail: `${verdict.key}: ${verdict.detail}; ${file}` }
}

async function breakThings(arena: Arena, fault: Fault, isOver: () => boolean): Promise<void> {
  await arena.hold(500, 1_500)
  while (!isOver()) {
    arena.tally.faults += 1
    await fault.round(arena)
  }
}

/** Mends all, and waits until all is as it should be. */
async function lookAt(
  cluster: ChaosCluster,
  arena: Arena,
  workload: Workload,
): Promise<Partial<RunResult>> {
  await arena.heal()
  const mendedAt = performance.now()
  const isServed = await eventually(() => workload.isServedSince(mendedAt), SERVICE_MS_MAX, 20)
  if (!isServed) throw new Error(`not all keys are served ${SERVICE_MS_MAX} ms after mending`)
  const fullServiceMs = Math.round(performance.now() - mendedAt)
  await workload.stop()
  await settle(cluster)
  const settledMs = Math.round(performance.now() - mendedAt)
  const keys = workload.usedKeys
  await readBack(cluster, keys, workload.history)
  await compareReplicas(cluster, keys)
  return { fullServiceMs, settledMs, ...(await countMoves(cluster)) }
}

function countsOf(workload: Workload): Partial<RunResult> {
  const { history, longestGapMs } = workload
  const open = history.filter(({ outcome }) => outcome === null).length
  return { operations: history.length, open, longestGapMs: Math.round(longestGapMs) }
}

function unexpected(cluster: ChaosCluster): Error {
  const words = cluster.endings.map(({ name, how, lastWords }) => `${name} (${how}): ${lastWords}`)
  return new Error(`processes ended by themselves: ${words.join('; ')}`)
}

function emptyResult({ fault, seed, seconds }: RunOptions): RunResult {
  return {
    fault: fault.name,
    seed,
    seconds,
    verdict: 'broken',
    detail: '',
    operations: 0,
    open: 0,
    faults: 0,
    kills: 0,
    configs: 0,
    moves: 0,
    longestGapMs: 0,
    fullServiceMs: null,
    settledMs: null,
  }
}
