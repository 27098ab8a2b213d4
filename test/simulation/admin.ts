// The client that changes configurations: joins, leaves and moves at the shardmasters, each repeated
// under its number until it is answered.

import type { Change, ShardmasterReply } from '../../server/shardmaster/operation.ts'
import type { Random } from '../support/random.ts'
import type { Cluster } from './cluster.ts'

type Done = (reply: ShardmasterReply) => void

const ATTEMPT_MICROS = 400_000
const LOOK_MICROS = 100_000

export class Admin {
  private readonly cluster: Cluster
  private readonly random: Random
  private readonly place: number
  private readonly name: string
  private number = 0
  private leader: number | null = null

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster
    this.random = random
    this.place = cluster.newPlace()
    this.name = `admin${this.place}`
  }

  /** Repeats until there is an answer that is not "elsewhere" or "later". */
  change(change: Change, done: Done = () => {}): void {
    this.number += 1
    const session = { client: this.name, number: this.number, acked: this.number - 1 }
    const request = { type: 'change' as const, change, actor: 'sim', reason: '', ifConfig: null }
    this.ask({ ...request, session }, done)
  }

  /** `num` −1: the latest. */
  query(num: number, done: Done): void {
    this.ask({ type: 'query', num }, done)
  }

  /** Random changes until that time, one after the other. */
  wander(options: { readonly every: number; readonly until: number }): void {
    const { world } = this.cluster
    world.after(this.random.between(0, options.every * 2), () => {
      if (world.now >= options.until) return
      this.change(this.draw(), () => this.wander(options))
    })
  }

  /** So many random changes, one right after the other. */
  storm(changes: number): void {
    if (changes > 0) this.change(this.draw(), () => this.storm(changes - 1))
  }

  /** Mostly what can be done, given the newest configuration that anybody has seen. */
  private draw(): Change {
    const { random, cluster } = this
    const { present, unused } = this.groups()
    const any = random.between(1, cluster.options.groups)
    const drawn = random.next()
    if (drawn < 0.05 && unused.length > 1) return { op: 'leave', gid: any }
    if (drawn < 0.1 || present.length === 0) return this.joinOf(any)
    if (drawn < 0.35 && unused.length > 0) return this.joinOf(random.pick(unused))
    // Gids are not used twice: one is kept for the case that all groups leave.
    if (drawn < 0.5 && unused.length > 0) return { op: 'leave', gid: random.pick(present) }
    const shard = random.between(0, cluster.options.shardCount - 1)
    return { op: 'move', shard, gid: random.pick(present) }
  }

  /**
   * Sees to it that some group serves: every shard may have lost its owner, also later, by a leave
   * that was asked for before and is decided only now.
   */
  keepServing(): void {
    const { present, unused } = this.groups()
    const again = () => this.cluster.world.after(LOOK_MICROS, () => this.keepServing())
    const [gid] = unused
    if (present.length > 0 || gid === undefined) again()
    else this.change(this.joinOf(gid), again)
  }

  private joinOf(gid: number): Change {
    return { op: 'join', gid, servers: this.cluster.servers(gid) }
  }

  private groups(): { present: number[]; unused: number[] } {
    const { shards, options } = this.cluster
    const used = new Set<number>()
    let present: number[] = []
    let latest = -1
    for (const { num, groups } of shards.configs.values()) {
      const gids = Object.keys(groups).map(Number)
      for (const gid of gids) used.add(gid)
      if (num > latest) present = gids
      latest = Math.max(latest, num)
    }
    const all = Array.from({ length: options.groups }, (_, index) => index + 1)
    return { present, unused: all.filter(gid => !used.has(gid)) }
  }

  private ask(request: Parameters<Cluster['callMaster']>[2], done: Done): void {
    const { world, masters } = this.cluster
    let isOver = false
    let attempts = 0
    const attempt = () => {
      attempts += 1
      const mine = attempts
      const again = (delay: number) => {
        world.after(delay, () => {
          if (!isOver && attempts === mine) attempt()
        })
      }
      again(ATTEMPT_MICROS)
      const target = this.leader ?? this.random.between(0, masters.length - 1)
      this.leader = null
      this.cluster.callMaster(this.place, target, request, reply => {
        if (isOver) return
        if (reply !== null && isFinal(reply)) {
          isOver = true
          this.leader = target
          if (reply.type === 'config') this.cluster.shards.onConfig(reply.config)
          world.count(`admin: ${reply.type}`)
          return done(reply)
        }
        if (reply?.type === 'notLeader') this.leader = reply.leader
        again(this.random.between(1_000, 30_000))
      })
    }
    attempt()
  }
}

function isFinal(reply: ShardmasterReply): boolean {
  return !['notLeader', 'overloaded', 'unknown'].includes(reply.type)
}
