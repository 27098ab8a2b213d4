// Which node to ask for a key: the newest configuration that was seen, and per group the replica
// that answered last as its leader. Refusals teach it; the shardmasters are asked at most once per
// REFRESH_MS however many calls were sent the wrong way.

import type { ByteString } from '../bytes.ts'
import { shardOf } from '../shardmaster/config.ts'
import type { ConfigView } from './config-decode.ts'
import type { Problem } from './problem.ts'
import { pause } from './retry.ts'
import type { ShardmasterClient } from './shardmaster-client.ts'

export type Target = { readonly gid: number; readonly base: string }

/** A move of shards turns away all clients at once: no storm on the shardmasters. */
const REFRESH_MS = 100

export class Router {
  private readonly shardmasters: ShardmasterClient
  private config: ConfigView | null = null
  /** gid → position of the replica to ask. */
  private readonly leaders = new Map<number, number>()
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

  /** Null when no group owns the key's shard, as far as is known. */
  target(config: ConfigView, key: ByteString): Target | null {
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
    if (position === current) this.leaders.set(target.gid, (position + 1) % servers.length)
  }

  /**
   * Learns from a refusal. `elsewhere`: the next attempt goes to another replica; `config`: a newer
   * configuration is to be fetched first; `wait`: the refuser itself has still to catch up.
   */
  learn(target: Target, problem: Problem): 'elsewhere' | 'config' | 'wait' {
    const known = this.config?.num ?? -1
    const isOtherGroup = problem.gid !== null && problem.gid !== target.gid
    if (isOtherGroup || (problem.config ?? -1) > known) {
      return (problem.config ?? known) >= known ? 'config' : 'wait'
    }
    if (problem.leader === null) {
      this.suspect(target)
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
