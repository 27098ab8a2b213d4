// One simulated run, from warm-up over chaos and healing to the final comparison. Everything follows
// from the options; a run ends with what was counted, or with what was violated.

import { checkHistory } from '../../ops/history/checker.ts'
import type { Operation } from '../../ops/history/history.ts'
import { Random } from '../support/random.ts'
import { Admin } from './admin.ts'
import { Clerk, randomAction } from './clerk.ts'
import { Cluster } from './cluster.ts'
import { Healing } from './healing.ts'
import { inject } from './inject.ts'
import { CALM } from './network.ts'
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
  /** µs: when the run was over, or violated something. */
  readonly endedAt: number
  readonly cpuSeconds: number
}

const SECOND = 1_000_000
/** After healing: a leader in every group, every key answered, replicas equal. */
const LEADER_WITHIN = 5 * SECOND
const SERVED_WITHIN = 10 * SECOND
const EQUAL_WITHIN = 30 * SECOND
/** … and more where configurations wait that could not be followed before: each moves shards. */
const SERVED_WITHIN_EACH = 500_000
const LOOK_EVERY = SECOND

/** `trace` is told every event, a line each. */
export function runSeed(options: RunOptions, trace?: (line: string) => void): RunResult {
  const startedAt = process.cpuUsage()
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
    endedAt: world.now,
    cpuSeconds: process.cpuUsage(startedAt).user / 1e6,
  }
}

class Run {
  readonly cluster: Cluster
  readonly history: Operation[] = []
  private readonly options: RunOptions
  private readonly clerks: Clerk[]
  private readonly admin: Admin | null
  private readonly healing: Healing
  private readonly versions = new Map<string, number>()
  private isOver = false
  private written = 0

  constructor(options: RunOptions) {
    this.options = options
    const { seed } = options
    const kind = options.isSingle ? 'register' : 'sharded'
    this.cluster = new Cluster({ ...options, kind, shardmasters: 3, weather: CALM })
    this.clerks = Array.from({ length: options.clients }, (_, index) => this.newClerk(`c${index}`))
    this.admin = options.isSingle ? null : new Admin(this.cluster, new Random(seed, 'admin'))
    this.healing = new Healing(this.cluster, new Random(seed, 'healing'))
  }

  play(): void {
    const { cluster, options, admin } = this
    const { world, network } = cluster
    cluster.startAll()
    admin?.change({ op: 'join', gid: 1, servers: cluster.servers(1) })
    this.keepFlushing()
    this.keepLooking()
    for (const clerk of this.clerks) {
      this.next(clerk, new Random(options.seed, `workload ${clerk.name}`))
    }
    world.runTo(options.warmUp)
    network.weather = options.weather
    const chaos = { ...options, admin: this.newAdmin('storm') }
    for (const fault of options.faults) inject(cluster, fault, chaos)
    if (options.reconfigureEvery > 0) {
      admin?.wander({ every: options.reconfigureEvery, until: options.chaosUntil })
    }
    world.runTo(options.chaosUntil)
    this.converge()
    this.finish()
  }

  private newAdmin(name: string): Admin | null {
    const { isSingle, seed } = this.options
    return isSingle ? null : new Admin(this.cluster, new Random(seed, `admin ${name}`))
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
  private next(clerk: Clerk, workload: Random): void {
    if (this.isOver) return
    const { options, versions } = this
    const key = workload.pick(options.keys)
    this.written += 1
    const value = `${clerk.name}.${this.written}`
    const action = randomAction(workload, { value, version: versions.get(key) ?? 1 })
    clerk.run(key, action, outcome => {
      if (outcome?.type === 'ok') versions.set(key, outcome.version)
      const pause = workload.skewed(0, options.thinkMax)
      this.cluster.world.after(pause, () => this.next(clerk, workload))
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

  /** What costs too much to be looked at after every step. */
  private keepLooking(): void {
    const { cluster, options } = this
    const random = new Random(options.seed, 'looking')
    const look = () => {
      const node = random.pick(cluster.nodes)
      if (node.isUp) {
        cluster.oracle.checkRebuilt(node)
        cluster.oracle.checkBounds(node, options.settings)
      }
      cluster.world.after(random.between(1, 2 * LOOK_EVERY), look)
    }
    cluster.world.after(LOOK_EVERY, look)
  }

  /** A quorum core of each group is well: that must be enough. */
  private converge(): void {
    const { healing } = this
    const { world } = this.cluster
    const { chaosUntil, endAt, isSingle } = this.options
    healing.healCore()
    // There must be somebody to serve: the last change may have been the last group's leave.
    this.admin?.keepServing()
    const gids = isSingle ? [1] : [0, ...this.gids()]
    const isLed = () => gids.every(gid => healing.leader(gid) !== null)
    // What is still on its way from before may unseat a leader.
    const { late, lateMax } = this.options.weather
    const lastAt = chaosUntil + (late > 0 ? lateMax : 0)
    this.must(world.runWhile(isLed, lastAt + LEADER_WITHIN), 'I12: leaders 5 s after healing')
    const behind = this.cluster.shards.backlog() * SERVED_WITHIN_EACH
    const servedUntil = lastAt + SERVED_WITHIN + behind
    const served = this.readAll('core')
    world.runTo(endAt)
    this.must(
      world.runWhile(served, Math.max(world.now, servedUntil)),
      'I12: keys are served 10 s after healing',
    )
    this.isOver = true
    this.must(
      world.runWhile(() => this.clerks.every(clerk => !clerk.isBusy), world.now + SERVED_WITHIN),
      'I12: every operation ends',
    )
    const isEqual = () => this.areShardsSettled() && healing.areEqual()
    this.must(world.runWhile(isEqual, world.now + EQUAL_WITHIN), 'I12: equal replicas in the core')
  }

  private finish(): void {
    const { world } = this.cluster
    this.healing.healAll()
    const served = this.readAll('all')
    this.must(world.runWhile(served, world.now + SERVED_WITHIN), 'I12: keys are served by all')
    const isEqual = () => this.healing.areEqual()
    this.must(world.runWhile(isEqual, world.now + EQUAL_WITHIN), 'I12: equal replicas')
    this.mustBeLinearizable()
  }

  private gids(): number[] {
    return Array.from({ length: this.options.groups }, (_, index) => index + 1)
  }

  /** Begins to read every key, each by somebody new: nothing acknowledged may be missing. */
  private readAll(name: string): () => boolean {
    let left = this.options.keys.length
    for (const key of this.options.keys) {
      const reader = this.newClerk(`${name} reader of ${key}`)
      const read = (): void => {
        reader.run(key, { op: 'get' }, outcome => {
          if (outcome === null) read()
          else left -= 1
        })
      }
      read()
    }
    return () => left === 0
  }

  /** Every shard is where the newest configuration has it. */
  private areShardsSettled(): boolean {
    if (this.options.isSingle) return true
    const { configs, serving } = this.cluster.shards
    const newest = configs.get(Math.max(...configs.keys()))
    return newest?.shards.every((gid, shard) => gid === 0 || serving.get(shard) === gid) ?? false
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
