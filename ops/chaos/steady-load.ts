// Writers whose answers are counted by time: for how long there was none, and how many there are.

import { randomBytes } from 'node:crypto'
import type { Random } from '../history/random.ts'
import type { ChaosCluster } from './cluster.ts'
import { pause } from './command.ts'
import { ClerkWay, HttpWay, type Way } from './recorder.ts'

export type SteadyLoadOptions = {
  readonly cluster: ChaosCluster
  readonly random: Random
  readonly writers: number
  /** Each begins so long after its last beginning, in ms, or when that one has ended. */
  readonly everyMs: number
  readonly valueBytes: number
  readonly keys: number
  /** Share of operations that only read. */
  readonly reads: number
  /** For writers by HTTP. */
  readonly attemptMs: number
  /** By the client library, in place of any node by HTTP. */
  readonly isByClerk?: boolean
}

const TIMEOUT_MS = 60_000

export class SteadyLoad {
  /** When operations were answered, ascending. */
  readonly answers: number[] = []
  /** Longest that one client waited for one operation, in ms. */
  longestWaitMs = 0
  failed = 0
  private readonly options: SteadyLoadOptions
  private readonly ways: readonly Way[]
  private readonly working: Promise<unknown>
  private isStopped = false

  constructor(options: SteadyLoadOptions) {
    this.options = options
    const { cluster, random, writers, attemptMs } = options
    const urls = cluster.members.filter(({ gid }) => gid > 0).map(({ url }) => url)
    this.ways = Array.from({ length: writers }, (_, index) => {
      // Never one that a load before this one used: its numbers are over.
      const id = `load-${randomBytes(6).toString('hex')}-${index}`
      const limits = { attemptMs, timeoutMs: TIMEOUT_MS }
      if (options.isByClerk === true) return new ClerkWay(cluster.clerk(TIMEOUT_MS))
      return new HttpWay({ id, token: cluster.token, nodes: () => urls, random, ...limits })
    })
    this.working = Promise.all(this.ways.map(way => this.write(way)))
  }

  /** Longest time without an answer in a stretch of time, its ends included. */
  longestGap(from: number, to: number): number {
    const inside = this.answers.filter(at => at >= from && at <= to)
    const marks = [from, ...inside, to]
    return Math.max(...marks.slice(1).map((at, index) => at - (marks[index] ?? at)))
  }

  countSince(from: number): number {
    return this.answers.length - this.answers.findIndex(at => at >= from)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    await this.working
    await Promise.all(this.ways.map(way => way.close()))
  }

  private async write(way: Way): Promise<void> {
    const { random, everyMs, valueBytes, keys, reads } = this.options
    const value = Buffer.alloc(valueBytes, 'v')
    while (!this.isStopped) {
      const key = `load-${random.between(1, keys)}`
      const startedAt = performance.now()
      const isRead = random.chance(reads)
      const ended = await way.run(isRead ? { op: 'get', key } : { op: 'put', key, value })
      const endedAt = performance.now()
      if (ended.type === 'done') this.answers.push(endedAt)
      else this.failed += 1
      this.longestWaitMs = Math.max(this.longestWaitMs, endedAt - startedAt)
      await pause(Math.max(0, everyMs - (endedAt - startedAt)))
    }
  }
}
