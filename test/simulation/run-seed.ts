// One simulated run, from warm-up over chaos and healing to the final comparison. Everything follows
// from the options; a run ends with what was counted, or with what was violated.

import { checkHistory } from '../../ops/history/checker.ts'
import type { Action, Operation } from '../../ops/history/history.ts'
import { Random } from '../support/random.ts'
import { Admin } from './admin.ts'
import { Clerk, randomAction } from './clerk.ts'
import { Cluster } from './cluster.ts'
import { inject } from './inject.ts'
import { CALM } from './network.ts'
import type { AnyNode } from './node.ts'
import type { RunOptions } from './options.ts'
import { Violation } from './world.ts'

export type RunResult = {
  readonly seed: number
  readonly events: number
  readonly operations: number
  readonly traceHash: number
  readonly counters: ReadonlyMap<string, number>
  /** null: everything held. */
  readonly violation: string | null
}

const SECOND = 1_000_000
/** After healing: a leader in every group, then every key answered, then replicas equal. */
const LEADER_WITHIN = 5 * SECOND
const SERVED_WITHIN = 10 * SECOND
const EQUAL_WITHIN = 30 * SECOND

/** `trace` is told every event, a line each. */
export function runSeed(options: RunOptions, trace?: (line: string) => void): RunResult {
  const run = new Run(options)
  if (trace !== undefined) run.cluster.world.trace = trace
  let violation: string | null = null
  try {
    run.play()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const isExpected = error instanceof Violation
    violation = isExpected ? error.message : `${error.name}: ${error.stack ?? error.message}`
  }
  const { world } = run.cluster
  return {
    seed: options.seed,
    events: world.eventCount,
    operations: run.history.length,
    traceHash: world.traceHash,
    counters: world.counters,
    violation,
  }
}

class Run {
  readonly cluster: Cluster
  readonly history: Operation[] = []
  private readonly options: RunOptions
  private readonly workload: Random
  private readonly clerks: Clerk[]
  private readonly admin: Admin | null
  private readonly versions = new Map<string, number>()
  private isOver = false
  private written = 0

  constructor(options: RunOptions) {
    this.options = options
    const kind = options.isSingle ? 'register' : 'sharded'
    this.cluster = new Cluster({ ...options, kind, shardmasters: 3, weather: CALM })
    this.workload = new Random(options.seed, 'workload')
    this.clerks = Array.from({ length: options.clients }, (_, index) => this.newClerk(`c${index}`))
    this.admin = options.isSingle
      ? null
      : new Admin(this.cluster, new Random(options.seed, 'admin'))
  }

  play(): void {
    const { cluster, options, admin } = this
    const { world, network } = cluster
    cluster.startAll()
    admin?.change({ op: 'join', gid: 1, servers: cluster.servers(1) })
    this.keepFlushing()
    for (const clerk of this.clerks) this.next(clerk)
    world.runTo(options.warmUp)
    network.weather = options.weather
    for (const fault of options.faults) inject(cluster, fault, options)
    if (options.reconfigureEvery > 0) {
      admin?.wander({ every: options.reconfigureEvery, until: options.chaosUntil })
    }
    world.runTo(options.chaosUntil)
    this.heal()
    world.runTo(options.endAt)
    this.isOver = true
    this.finish()
  }

  private newClerk(name: string): Clerk {
    const { options, cluster } = this
    return new Clerk({
      world: cluster.world,
      random: new Random(options.seed, `clerk ${name}`),
      name,
      place: cluster.newPlace(),
      call: (from, target, request, done) => cluster.callKv(from, target, request, done),
      gids: Array.from({ length: options.groups }, (_, index) => index + 1),
      replicas: options.replicas,
      shardCount: options.shardCount,
      history: this.history,
      attemptTimeout: 250_000,
      giveUpAfter: 6 * SECOND,
      stray: options.stray,
    })
  }

  /** The clerk's loop: an operation, a pause, the next. */
  private next(clerk: Clerk): void {
    if (this.isOver) return
    const { workload, options, versions } = this
    const key = workload.pick(options.keys)
    this.written += 1
    const value = `${clerk.name}.${this.written}`
    const action = randomAction(workload, { value, version: versions.get(key) ?? 1 })
    clerk.run(key, action, outcome => {
      if (outcome?.type === 'ok') versions.set(key, outcome.version)
      this.cluster.world.after(workload.skewed(0, options.thinkMax), () => this.next(clerk))
    })
  }

  private keepFlushing(): void {
    const { cluster, options } = this
    const random = new Random(options.seed, 'flush')
    for (const node of cluster.nodes) {
      const flush = () => {
        node.flush()
        cluster.world.after(random.between(1, options.flushEvery * 2), flush)
      }
      cluster.world.after(random.between(1, options.flushEvery * 2), flush)
    }
  }

  private heal(): void {
    const { cluster } = this
    cluster.network.heal()
    cluster.network.weather = CALM
    for (const node of cluster.nodes) {
      node.disk.speed = this.options
      node.start()
    }
    // There must be somebody to serve: the last change may have been the last group's leave.
    this.admin?.joinAny()
  }

  private finish(): void {
    const { world } = this.cluster
    const { chaosUntil, endAt } = this.options
    const healedAt = Math.max(chaosUntil, endAt - LEADER_WITHIN)
    const gids = this.options.isSingle ? [1] : [0, ...this.gids()]
    const isLed = () => gids.every(gid => this.cluster.leader(gid) !== null)
    this.must(world.runWhile(isLed, healedAt + LEADER_WITHIN), 'I12: leaders 5 s after healing')
    this.must(
      world.runWhile(() => this.clerks.every(clerk => !clerk.isBusy), world.now + SERVED_WITHIN),
      'I12: every operation ends 10 s after healing',
    )
    this.readAll()
    this.must(
      world.runWhile(() => this.areEqual(), world.now + EQUAL_WITHIN),
      'I12: equal replicas',
    )
    this.mustBeLinearizable()
  }

  private gids(): number[] {
    return Array.from({ length: this.options.groups }, (_, index) => index + 1)
  }

  /** What is left is read by somebody new: nothing acknowledged may be missing. */
  private readAll(): void {
    const { cluster, options } = this
    const reader = this.newClerk('reader')
    const get: Action = { op: 'get' }
    for (const key of options.keys) {
      let isAnswered = false
      reader.run(key, get, outcome => {
        isAnswered = outcome !== null
      })
      cluster.world.runWhile(() => !reader.isBusy, cluster.world.now + SERVED_WITHIN)
      this.must(isAnswered, `I12: key ${key} is served 10 s after healing`)
    }
  }

  /** All replicas of a group have applied the same log, and hold the same state. */
  private areEqual(): boolean {
    const groups = new Map<number, AnyNode>()
    for (const node of this.cluster.nodes) {
      const other = groups.get(node.address.gid)
      groups.set(node.address.gid, node)
      if (other === undefined) continue
      if (other.store.applied() !== node.store.applied()) return false
      if (other.store.hash !== node.store.hash) return false
    }
    return true
  }

  private mustBeLinearizable(): void {
    const verdict = checkHistory(this.history)
    if (verdict.type === 'linearizable') return
    const text = `I9: key ${verdict.key} is ${verdict.type}: ${verdict.detail}`
    throw new Violation(text)
  }

  private must(condition: boolean, claim: string): void {
    if (!condition) throw new Violation(`${claim} (${this.cluster.world.now} µs)`)
  }
}
