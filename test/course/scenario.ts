// What the course's tests are told in: a cluster under virtual time with clients that are called like
// functions, partitions and restarts in one line, and a check of everything at the end.

import * as assert from 'uvu/assert'
import { checkHistory } from '../../ops/history/checker.ts'
import type { Action, Operation, Outcome } from '../../ops/history/history.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../server/paxos/settings.ts'
import type { Config } from '../../server/shardmaster/config.ts'
import type { Change, ShardmasterReply } from '../../server/shardmaster/operation.ts'
import { Admin } from '../simulation/admin.ts'
import { Clerk } from '../simulation/clerk.ts'
import { Cluster } from '../simulation/cluster.ts'
import { CALM, type NetworkWeather } from '../simulation/network.ts'
import type { AnyNode } from '../simulation/node.ts'
import { Random } from '../support/random.ts'

export const MS = 1000
export const SECOND = 1_000_000

/** Of a call, 10 % of requests and 18 % of replies are lost in the course: 14 % of messages. */
export const UNRELIABLE: NetworkWeather = {
  ...CALM,
  delayMax: 5_000,
  loss: 0.14,
  duplication: 0.03,
}

/** Between a client's operations: a run is to show many situations, not many operations. */
const PAUSE = 20 * MS

const NONE = { type: 'none' } as const

type ScenarioOptions = {
  readonly seed: number
  readonly kind: 'register' | 'sharded'
  readonly replicas: number
  readonly groups?: number
  readonly weather?: NetworkWeather
  readonly settings?: Partial<Settings>
}

/**
 * SEEDS=200 for the full claim, FROM=201 for another range; by default as many as a test run can
 * afford. All are run: how many fail says more than which is the first.
 */
export function overSeeds(count: number, scenario: (seed: number) => void): void {
  const seeds = Number(process.env.SEEDS ?? count)
  const first = Number(process.env.FROM ?? 1)
  const failures: string[] = []
  let cause: unknown = null
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      scenario(seed)
    } catch (error) {
      cause ??= error
      failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (failures.length === 0) return
  throw new Error(`${failures.length} of ${seeds} seeds\n${failures.join('\n')}`, { cause })
}

export class Scenario {
  readonly cluster: Cluster
  readonly random: Random
  readonly history: Operation[] = []
  private readonly admin: Admin
  private readonly options: ScenarioOptions
  private clients = 0

  constructor(options: ScenarioOptions) {
    this.options = options
    const { seed, kind, replicas, groups = 1 } = options
    this.random = new Random(seed, 'scenario')
    this.cluster = new Cluster({
      seed,
      kind,
      replicas,
      shardmasters: 3,
      groups,
      shardCount: 10,
      weather: CALM,
      settings: { ...DEFAULT_SETTINGS, ...options.settings },
      syncMin: 50,
      syncMax: 500,
      segmentRecords: 100,
      latencyMax: 50,
      drift: 0,
      isFrozenMessages: false,
    })
    this.admin = new Admin(this.cluster, new Random(seed, 'admin'))
    this.cluster.startAll()
    for (const node of this.cluster.nodes) this.keepFlushing(node)
    const gids = kind === 'sharded' ? [0, ...this.gids()] : [1]
    this.within(5_000, 'leaders', () => gids.every(gid => this.cluster.leader(gid) !== null))
    this.cluster.network.weather = options.weather ?? CALM
  }

  gids(): number[] {
    return Array.from({ length: this.options.groups ?? 1 }, (_, index) => index + 1)
  }

  run(ms: number): void {
    const { world } = this.cluster
    world.runTo(world.now + ms * MS)
  }

  /** Lets time pass until `isDone`, which must be within `ms`. */
  within(ms: number, claim: string, isDone: () => boolean): void {
    const { world } = this.cluster
    const deadline = world.now + ms * MS
    assert.ok(world.runWhile(isDone, deadline), `within ${ms} ms: ${claim}`)
  }

  client(): Client {
    this.clients += 1
    return new Client(this, `client${this.clients}`, this.options.replicas)
  }

  change(change: Change): ShardmasterReply {
    return this.await(done => this.admin.change(change, done))
  }

  join(gid: number): Config {
    return configOf(this.change({ op: 'join', gid, servers: this.cluster.servers(gid) }))
  }

  leave(gid: number): Config {
    return configOf(this.change({ op: 'leave', gid }))
  }

  move(shard: number, gid: number): Config {
    return configOf(this.change({ op: 'move', shard, gid }))
  }

  query(num: number): Config {
    return configOf(this.await(done => this.admin.query(num, done)))
  }

  newAdmin(): Admin {
    return new Admin(this.cluster, this.random)
  }

  /** Places of a group's replicas, by id. */
  places(gid: number, ...replicas: number[]): number[] {
    return replicas.map(replica => this.cluster.node(gid, replica).place)
  }

  /** What all replicas of the group hold is the same, and everything that clients saw fits. */
  finish(): void {
    this.cluster.network.heal()
    this.cluster.network.weather = CALM
    this.cluster.deaf.clear()
    for (const node of this.cluster.nodes) node.start()
    this.within(30_000, 'all replicas of a group hold the same', () => this.areEqual())
    const verdict = checkHistory(this.history)
    assert.is(verdict.type, 'linearizable', JSON.stringify(verdict))
  }

  await<T>(start: (done: (result: T) => void) => void): T {
    const results: T[] = []
    start(result => results.push(result))
    const { world } = this.cluster
    world.runWhile(() => results.length > 0, world.now + 60 * SECOND)
    for (const result of results) return result
    throw new Error('not answered within a minute')
  }

  private areEqual(): boolean {
    const firsts = new Map<number, AnyNode>()
    return this.cluster.nodes.every(node => {
      const first = firsts.get(node.address.gid) ?? node
      firsts.set(node.address.gid, first)
      return first.store.applied() === node.store.applied() && first.store.hash === node.store.hash
    })
  }

  private keepFlushing(node: AnyNode): void {
    this.cluster.world.after(this.random.between(1, SECOND), () => {
      node.flush()
      this.keepFlushing(node)
    })
  }
}

/** A client of the keys. Its calls let time pass until they are answered. */
export class Client {
  readonly clerk: Clerk
  private readonly scenario: Scenario

  constructor(scenario: Scenario, name: string, replicas: number) {
    this.scenario = scenario
    const { cluster, history } = scenario
    this.clerk = new Clerk({
      world: cluster.world,
      random: new Random(cluster.options.seed, name),
      name,
      place: cluster.newPlace(),
      call: (from, target, request, done) => cluster.callKv(from, target, request, done),
      gids: scenario.gids(),
      replicas,
      shardCount: 10,
      history,
      attemptTimeout: 80_000,
      giveUpAfter: 60 * SECOND,
      stray: 0,
    })
  }

  get place(): number {
    return this.clerk.place
  }

  get isBusy(): boolean {
    return this.clerk.isBusy
  }

  /** '' for a missing key, as in the course. */
  get(key: string): string {
    const outcome = this.do(key, { op: 'get' })
    return outcome.type === 'ok' ? outcome.value : ''
  }

  put(key: string, value: string): void {
    this.do(key, { op: 'put', value, condition: NONE })
  }

  /** The previous value, '' for a missing key. */
  puthash(key: string, value: string): string {
    const outcome = this.do(key, { op: 'puthash', value, condition: NONE })
    return outcome.type === 'ok' ? outcome.value : ''
  }

  do(key: string, action: Action): Outcome {
    const outcome = this.scenario.await<Outcome | null>(done => this.clerk.run(key, action, done))
    if (outcome === null) throw new Error(`${JSON.stringify(action)} of ${key} is not answered`)
    return outcome
  }

  /** Without waiting for the outcome. */
  start(key: string, action: Action, done: (outcome: Outcome | null) => void = () => {}): void {
    this.clerk.run(key, action, done)
  }

  startPut(key: string, value: string): void {
    this.start(key, { op: 'put', value, condition: NONE })
  }

  /** One action every few ms, each drawn when its turn comes, until `next` has no more. */
  keepDoing(next: (last: Outcome | null) => { key: string; action: Action } | null): void {
    const { world } = this.scenario.cluster
    const go = (last: Outcome | null) => {
      const todo = next(last)
      if (todo === null) return
      this.start(todo.key, todo.action, outcome => world.after(PAUSE, () => go(outcome)))
    }
    go(null)
  }
}

function configOf(reply: ShardmasterReply): Config {
  if (reply.type !== 'config') throw new Error(`refused: ${JSON.stringify(reply)}`)
  return reply.config
}
