// How long service is away when a leader fails, again and again: one group under a steady load of
// writes by clients that know all nodes and not which of them is broken.

import { Random } from '../history/random.ts'
import { Arena } from './arena.ts'
import { ChaosCluster } from './cluster.ts'
import { eventually, pause } from './command.ts'
import type { Need } from './faults.ts'
import type { Room } from './isolation.ts'
import type { Member } from './member.ts'
import { SteadyLoad } from './steady-load.ts'

/** One failure, in ms. */
export type Recovery = {
  /** Longest time without an answered write after the failure. */
  readonly gapMs: number
  /** From mending until all replicas are ready and a write was answered. */
  readonly mendedMs: number
}

export type Failure = {
  readonly name: string
  readonly needs: readonly Need[]
  /** How long it lasts at least, in ms. */
  readonly lastsMs: number
  /** Breaks the leader; what is returned mends it. */
  breakIt(arena: Arena, leader: Member): Promise<() => Promise<void> | void>
}

const ROOM = ['room', 'iptables'] as const

export const FAILURES: readonly Failure[] = [
  {
    name: 'kill',
    needs: [],
    lastsMs: 1_500,
    breakIt: async (arena, leader) => {
      await arena.kill(leader)
      return () => leader.start()
    },
  },
  {
    name: 'pause',
    needs: [],
    lastsMs: 3_000,
    breakIt: async (_, leader) => {
      leader.signal('SIGSTOP')
      return () => leader.signal('SIGCONT')
    },
  },
  {
    name: 'partition',
    needs: ROOM,
    lastsMs: 3_000,
    breakIt: async (arena, leader) => {
      await isolate(arena, leader)
      return () => arena.cluster.net().heal()
    },
  },
  {
    name: 'slow-disk',
    needs: ['strace'],
    lastsMs: 10_000,
    breakIt: async (arena, leader) => {
      const injection = await arena.inject(leader, 'fdatasync:delay_enter=3000000')
      return injection.end
    },
  },
]

async function isolate(arena: Arena, victim: Member): Promise<void> {
  const others = arena.cluster.members.filter(member => member !== victim)
  await arena.cluster.net().cut(others.map(({ name }) => [victim.name, name]))
}

/** A group of three under load, and its shardmasters. */
export class RecoveryRig {
  readonly cluster: ChaosCluster
  private readonly arena: Arena
  private readonly load: SteadyLoad
  private readonly clerks: SteadyLoad

  private constructor(cluster: ChaosCluster) {
    this.cluster = cluster
    const random = new Random(Date.now() % 100_000, 'recovery')
    this.arena = new Arena(cluster, random, 24 * 3_600)
    const shape = { writers: 12, everyMs: 25, valueBytes: 64, keys: 200, reads: 0, attemptMs: 400 }
    this.load = new SteadyLoad({ cluster, random, ...shape })
    this.clerks = new SteadyLoad({ cluster, random, ...shape, writers: 6, isByClerk: true })
  }

  static async start(room: Room): Promise<RecoveryRig> {
    const sizes = [3, 3]
    return new RecoveryRig(await ChaosCluster.start({ room, layout: {}, sizes, joining: [1] }))
  }

  async stop(): Promise<void> {
    await Promise.all([this.load.stop(), this.clerks.stop()])
    await this.cluster.stop()
  }

  /** Breaks the leader of the group once. */
  async once(failure: Failure): Promise<Recovery> {
    await this.inFullService()
    await pause(500)
    const leader = await this.arena.leader(1)
    const brokenAt = performance.now()
    const mend = await failure.breakIt(this.arena, leader)
    await pause(failure.lastsMs)
    const mendedAt = performance.now()
    const gapMs = this.load.longestGap(brokenAt, mendedAt)
    await mend()
    await this.inFullService()
    return { gapMs, mendedMs: performance.now() - mendedAt }
  }

  /**
   * Another replica is cut off every 500 ms, for so long. The longest time that any client waited for
   * one write, over all its attempts, in ms: by the client library, and by HTTP at any node.
   */
  async repartition(seconds: number): Promise<{ readonly clerk: number; readonly http: number }> {
    await this.inFullService()
    this.load.longestWaitMs = 0
    this.clerks.longestWaitMs = 0
    const deadline = performance.now() + seconds * 1_000
    while (performance.now() < deadline) {
      await this.cluster.net().heal()
      await isolate(this.arena, this.arena.replica(1))
      await pause(500)
    }
    await this.cluster.net().heal()
    const longest = { clerk: this.clerks.longestWaitMs, http: this.load.longestWaitMs }
    await this.inFullService()
    return longest
  }

  private async inFullService(): Promise<void> {
    const askedAt = performance.now()
    const isWritten = (): boolean => (this.load.answers.at(-1) ?? 0) > askedAt
    const isThere = await eventually(
      async () => isWritten() && (await this.cluster.ready(0)),
      60_000,
      20,
    )
    if (!isThere) throw new Error(`no full service in 60 s: ${this.cluster.lastWords}`)
  }
}
