// Which node to ask for a key: the newest configuration that was seen, and per group the replica
// that answered last as its leader. Refusals teach it; the shardmasters are asked at most once per
// REFRESH_MS however many calls were sent the wrong way.

import type { ByteString } from '../bytes.ts'
import { shardOf } from '../shardmaster/config.ts'
import type { ConfigView } from './config-decode.ts'
import type { Problem } from './problem.ts'
import { pause } from './retry.ts'
import type { ShardmasterClient } from './shardmaster-client.ts'

/** Group 0 stands for any node at all. */
export type Target = { readonly gid: number; readonly base: string }

/** What a refusal teaches about the next attempt. */
export type Lesson =
  /** Another replica is said to serve: ask it at once. */
  | 'elsewhere'
  /** A newer configuration is to be fetched first. */
  | 'config'
  /** The one who refused has still to catch up, or knows no better. */
  | 'wait'

/** Where operations on keys go. */
export interface Route {
  /** For how long one node is waited for while there are others, ms. */
  readonly patienceMs: number
  /** The same, where no configuration has to be asked for first; null otherwise, too. */
  known(key: ByteString): Target | null
  /** Null when no group owns the key's shard, as far as is known. Throws ShardglassError. */
  target(key: ByteString, timeoutMs: number): Promise<Target | null>
  /** This node did not answer. */
  suspect(target: Target): void
  learn(target: Target, problem: Problem): Lesson
  refresh(timeoutMs: number): Promise<void>
}

/** A move of shards turns away all clients at once: no storm on the shardmasters. */
const REFRESH_MS = 100

/** Another replica of the group would say the same, or knows less. */
const NOT_ITS_FAULT = new Set(['shard-moving', 'overloaded', 'no-group', 'too-many-requests'])

/** By configuration, to the owning group's leader. */
export class Router implements Route {
  readonly patienceMs = Number.POSITIVE_INFINITY
  private readonly shardmasters: ShardmasterClient
  private config: ConfigView | null = null
  /** gid → position of the replica to ask. */
  private readonly leaders = new Map<number, number>()
  /**
   * gid → whose turn it was, of all. Not simply the next after the one that failed: of two that are
   * cut off from the rest one may name the other for ever.
   */
  private readonly turns = new Map<number, number>()
  private refreshing: Promise<void> | null = null
  private refreshedAt = Number.NEGATIVE_INFINITY

  constructor(shardmasters: ShardmasterClient) {
    this.shardmasters = shardmasters
  }

  /** The newest configuration seen; asks for one if there is none. Throws ShardglassError. */
  async latest(timeoutMs: number): Promise<ConfigView> {
    while (this.config === null) await this.refresh(timeoutMs)
    return this.config
  }

  async target(key: ByteString, timeoutMs: number): Promise<Target | null> {
    await this.latest(timeoutMs)
    return this.known(key)
  }

  known(key: ByteString): Target | null {
    const { config } = this
    if (config === null) return null
    const gid = config.shards[shardOf(key, config.partitioner, config.shards.length)] ?? 0
    const servers = config.groups[String(gid)] ?? []
    const base = servers[(this.leaders.get(gid) ?? 0) % Math.max(1, servers.length)]
    return base === undefined ? null : { gid, base }
  }

  /** Asks the shardmasters, unless they were asked just now: then it waits for that. */
  async refresh(timeoutMs: number): Promise<void> {
    if (this.refreshing !== null) return this.refreshing
    this.refreshing = this.fetch(timeoutMs).finally(() => {
      this.refreshing = null
    })
    return this.refreshing
  }

  /** This replica did not serve: the next one is asked next, unless somebody moved on already. */
  suspect(target: Target): void {
    const servers = this.config?.groups[String(target.gid)] ?? []
    const position = servers.indexOf(target.base)
    const current = (this.leaders.get(target.gid) ?? 0) % Math.max(1, servers.length)
    if (position !== current) return
    const turn = (this.turns.get(target.gid) ?? position) + 1
    this.turns.set(target.gid, turn)
    this.leaders.set(target.gid, turn % servers.length)
  }

  learn(target: Target, problem: Problem): Lesson {
    const known = this.config?.num ?? -1
    const isOtherGroup = problem.gid !== null && problem.gid !== target.gid
    if (isOtherGroup || (problem.config ?? -1) > known) {
      return (problem.config ?? known) >= known ? 'config' : 'wait'
    }
    if (problem.leader === null) {
      if (!NOT_ITS_FAULT.has(problem.code)) this.suspect(target)
      return 'wait'
    }
    this.leaders.set(target.gid, problem.leader)
    return 'elsewhere'
  }

  private async fetch(timeoutMs: number): Promise<void> {
    const waitMs = this.refreshedAt + REFRESH_MS - performance.now()
    if (waitMs > 0) await pause(waitMs)
    this.refreshedAt = performance.now()
    const config = await this.shardmasters.query(-1, { timeoutMs })
    if (this.config === null || config.num > this.config.num) this.config = config
  }
}

/** A node that passes requests on may be cut off from the leader, and goes on trying by itself. */
const NODE_PATIENCE_MS = 500

/** To any of some nodes, which pass it on themselves: for those who know no shardmaster. */
export class AnyNode implements Route {
  readonly patienceMs: number
  private readonly endpoints: readonly string[]
  private position = 0

  constructor(endpoints: readonly string[]) {
    this.endpoints = endpoints
    this.patienceMs = endpoints.length > 1 ? NODE_PATIENCE_MS : Number.POSITIVE_INFINITY
  }

  async target(): Promise<Target | null> {
    return this.known()
  }

  known(): Target | null {
    const base = this.endpoints[this.position % this.endpoints.length]
    return base === undefined ? null : { gid: 0, base }
  }

  suspect(target: Target): void {
    const isCurrent = this.endpoints[this.position % this.endpoints.length] === target.base
    if (isCurrent) this.position += 1
  }

  learn(target: Target): Lesson {
    this.suspect(target)
    return 'wait'
  }

  async refresh(): Promise<void> {}
}
