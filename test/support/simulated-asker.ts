// What the nodes of a cluster of any size say of themselves, for the dashboard's pages without one.

import type { Asker } from '../../dashboard/cluster-reader.ts'
import type { HeldShard, NodeStatus } from '../../dashboard/node-status.ts'
import { type ConfigView, ShardglassError } from '../../server/client/clerk.ts'

export type Simulated = {
  config: ConfigView
  /** By URL; who is not in it does not answer. */
  readonly statuses: Map<string, NodeStatus>
  isMasterAway: boolean
  readonly ask: Asker
}

export const MASTERS = ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3']

export function simulated(shards: number, groups: number): Simulated {
  const gids = Array.from({ length: groups }, (_, index) => index + 1)
  const config: ConfigView = {
    num: groups,
    shards: Array.from({ length: shards }, (_, shard) => (shard % groups) + 1),
    groups: Object.fromEntries(gids.map(gid => [gid, urlsOf(gid)])),
    partitioner: 'hash',
    cause: { op: 'join', gid: groups, actor: 'admin', reason: '' },
    at: 1_700_000_000_000,
  }
  const statuses = new Map<string, NodeStatus>()
  for (const [replica, url] of MASTERS.entries()) statuses.set(url, statusOf(0, replica, []))
  for (const gid of gids) {
    const held = config.shards.flatMap((owner, shard) => (owner === gid ? [serving(shard)] : []))
    for (const [replica, url] of urlsOf(gid).entries())
      statuses.set(url, statusOf(gid, replica, held))
  }
  const cluster: Simulated = { config, statuses, isMasterAway: false, ask: askerOf(() => cluster) }
  return cluster
}

export function urlsOf(gid: number): readonly string[] {
  return [0, 1, 2].map(
    replica => `http://127.${Math.floor(gid / 250)}.${gid % 250}.${replica + 1}:4000`,
  )
}

export function serving(shard: number): HeldShard {
  return { shard, phase: 'serving', config: 1, peer: 0, keys: 100 + shard, bytes: 10_000 + shard }
}

export function statusOf(gid: number, replica: number, shards: readonly HeldShard[]): NodeStatus {
  return {
    ...{ kind: gid === 0 ? 'shardmaster' : 'shardkv', cluster: 'simulated', version: '0.1.0' },
    ...{ uptimeSeconds: 100, storage: 'memory', gid, replica, incarnation: `i${gid}-${replica}` },
    ...{ role: replica === 0 ? 'leader' : 'follower', leader: 0, ballot: '1.0', isReady: true },
    slots: { first: 1, decided: 500, applied: 500, durable: 400 },
    members: [0, 1, 2].map(id => ({ replica: id, incarnation: '', lagSlots: 0, silentMicros: 9 })),
    log: { entries: 100, bytes: 4_000, inFlight: 0 },
    machine: { config: 1, shards: [...shards], handoffs: [], isSafeToStop: false },
  }
}

function askerOf(cluster: () => Simulated): Asker {
  const latest = (): ConfigView => {
    const { isMasterAway, config } = cluster()
    if (!isMasterAway) return config
    throw new ShardglassError({
      code: 'unreachable',
      detail: 'none answers',
      outcome: 'not_applied',
    })
  }
  return {
    config: async () => latest(),
    history: async () => [latest()],
    status: async url => {
      const status = cluster().statuses.get(url)
      return status === undefined ? { error: 'not reachable' } : { status }
    },
  }
}
