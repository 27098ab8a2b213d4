// `npm start` in a folder of its own on free ports, and what it costs while nobody asks for anything:
// the nodes, their supervisors, foreman and the starter together.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freeBase, until } from './cluster.ts'
import { costOf, type ProcessCost, processTree } from './process-cost.ts'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
const UP_MS_MAX = 60_000

export type ProcessShare = {
  readonly name: string
  /** Of one core. */
  readonly percent: number
  readonly rssBytes: number
  readonly isNode: boolean
}

export type IdleCost = {
  readonly seconds: number
  /** Of one core, all processes together. */
  readonly percent: number
  readonly processes: readonly ProcessShare[]
}

export class IdleCluster {
  private readonly folder = mkdtempSync(join(tmpdir(), 'idle-'))
  private child: ChildProcess | null = null
  private output = ''

  /** Resolves when it says that it is up. */
  static async start(): Promise<IdleCluster> {
    const cluster = new IdleCluster()
    try {
      await cluster.begin()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  async measure(seconds: number): Promise<IdleCost> {
    const pids = processTree(this.child?.pid ?? 0)
    const before = new Map(costsOf(pids).map(cost => [cost.pid, cost.ticks]))
    const startedAt = performance.now()
    await sleep(seconds * 1000)
    const passed = (performance.now() - startedAt) / 1000
    const processes = costsOf(pids).map(cost => ({
      name: nameOf(cost),
      // A tick is a hundredth of a second, and a hundredth of that a percent.
      percent: (cost.ticks - (before.get(cost.pid) ?? 0)) / passed,
      rssBytes: cost.rssBytes,
      isNode: cost.command.includes('/start-shard'),
    }))
    const percent = processes.reduce((sum, share) => sum + share.percent, 0)
    return { seconds: passed, percent, processes }
  }

  /** As Ctrl-C does; at last with KILL, which its processes notice by themselves. */
  async stop(): Promise<void> {
    const { child } = this
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const closed = new Promise(done => child.once('close', done))
      child.kill('SIGINT')
      const killer = setTimeout(() => child.kill('SIGKILL'), 8_000)
      await closed
      clearTimeout(killer)
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async begin(): Promise<void> {
    const base = await freeBase()
    const data = join(this.folder, 'data')
    const env = { ...process.env, SHARDGLASS_BASE_PORT: String(base), SHARDGLASS_DATA: data }
    const child = spawn(process.execPath, ['dist/ops/start.js'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
    const isUp = (): boolean => {
      if (child.exitCode !== null) throw new Error(`npm start ended:\n${this.output}`)
      return this.output.includes('Ctrl-C stops')
    }
    await until('the welcome', isUp, UP_MS_MAX)
  }
}

function costsOf(pids: readonly number[]): readonly ProcessCost[] {
  return pids.map(costOf).filter(cost => cost !== null)
}

/** `kv1a`, `kv1a supervisor`, `foreman`, `start`. */
function nameOf({ command }: ProcessCost): string {
  const local = /--local (\w+)/.exec(command)?.[1]
  if (local !== undefined) return local
  const supervised = /supervise\.sh (\w+)/.exec(command)?.[1]
  if (supervised !== undefined) return `${supervised} supervisor`
  return command.includes('/nf.js') ? 'foreman' : 'start'
}
