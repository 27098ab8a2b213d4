// The clients of a run: a few at once, each on one of few keys, mostly reads and puthash (which shows
// every run that was lost or doubled), unique values. A key that has had enough operations for the
// checker is given up for a new one.

import type { Action, Operation } from '../history/history.ts'
import { Random } from '../history/random.ts'
import type { ChaosCluster } from './cluster.ts'
import { pause } from './command.ts'
import { ClerkWay, HttpWay, RecordedClient, type Way } from './recorder.ts'

export type WorkloadOptions = {
  readonly cluster: ChaosCluster
  readonly seed: number
  /** Of these every fourth is a Clerk. */
  readonly clients: number
  readonly keys: number
  /** A client rests so long at most between two operations, in ms. */
  readonly restMs: number
}

/** More are not decided in reasonable time by any checker. */
const KEY_OPERATIONS_MAX = 1_500
const ATTEMPT_MS = 1_500
/** A client gives up then: its operation stays open. */
const TIMEOUT_MS = 12_000
const NONE = { type: 'none' } as const

export class Workload {
  readonly history: Operation[] = []
  /** Longest time without any answered operation since `watchGaps`, in ms. */
  longestGapMs = 0
  private readonly options: WorkloadOptions
  private readonly counts = new Map<string, number>()
  private readonly generations: number[]
  private readonly ways: Way[] = []
  /** key → when it was last answered. */
  private readonly answeredAt = new Map<string, number>()
  private lastAnswerAt = Number.POSITIVE_INFINITY
  private isStopped = false
  private working: Promise<unknown> = Promise.resolve()
  private failure: unknown = null

  constructor(options: WorkloadOptions) {
    this.options = options
    this.generations = Array.from({ length: options.keys }, () => 0)
  }

  start(): void {
    const { clients } = this.options
    const working = Array.from({ length: clients }, (_, index) => this.client(index))
    this.working = Promise.all(working).catch(error => {
      this.failure = error
      this.isStopped = true
    })
  }

  watchGaps(): void {
    this.lastAnswerAt = performance.now()
  }

  /** Keys in use at the moment. */
  get liveKeys(): readonly string[] {
    return this.generations.map((generation, index) => `k${index}-${generation}`)
  }

  /** All keys that were ever used. */
  get usedKeys(): readonly string[] {
    return [...this.counts.keys()]
  }

  /** Whether every live key was answered since `at`. */
  isServedSince(at: number): boolean {
    return this.liveKeys.every(key => (this.answeredAt.get(key) ?? at) > at)
  }

  /** Lets clients finish, and throws what one of them failed with. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.working
    await Promise.all(this.ways.map(way => way.close()))
    if (this.failure !== null) throw this.failure
  }

  private async client(index: number): Promise<void> {
    const { seed, restMs } = this.options
    const random = new Random(seed, `client ${index}`)
    const client = new RecordedClient(`c${index}`, this.way(index, random), this.history)
    for (let turn = 0; !this.isStopped; turn++) {
      const key = this.takeKey(random)
      const isAnswered = await client.run(key, actionOf(random, `${index}.${turn}`))
      if (isAnswered) this.note(key)
      await pause(random.between(0, restMs))
    }
  }

  private way(index: number, random: Random): Way {
    const { cluster, seed } = this.options
    const nodes = cluster.members.filter(({ gid }) => gid > 0).map(({ url }) => url)
    const { token } = cluster
    const id = `chaos-${seed}-${index}`
    const limits = { attemptMs: ATTEMPT_MS, timeoutMs: TIMEOUT_MS }
    const way =
      index % 4 === 3
        ? new ClerkWay(cluster.clerk(TIMEOUT_MS))
        : new HttpWay({ id, token, nodes: () => nodes, random, ...limits })
    this.ways.push(way)
    return way
  }

  private takeKey(random: Random): string {
    const index = random.between(0, this.generations.length - 1)
    const generation = this.generations[index] ?? 0
    const key = `k${index}-${generation}`
    const count = (this.counts.get(key) ?? 0) + 1
    this.counts.set(key, count)
    if (count >= KEY_OPERATIONS_MAX) this.generations[index] = generation + 1
    return key
  }

  private note(key: string): void {
    const now = performance.now()
    this.answeredAt.set(key, now)
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAnswerAt)
    if (this.lastAnswerAt <= now) this.lastAnswerAt = now
  }
}

function actionOf(random: Random, value: string): Action {
  const drawn = random.next()
  if (drawn < 0.45) return { op: 'get' }
  if (drawn < 0.72) return { op: 'puthash', value, condition: NONE }
  if (drawn < 0.92) return { op: 'put', value, condition: NONE }
  if (drawn < 0.95) return { op: 'put', value, condition: { type: 'ifAbsent' } }
  if (drawn < 0.97) return { op: 'puthash', value, condition: { type: 'ifPresent' } }
  return { op: 'delete', condition: NONE }
}
