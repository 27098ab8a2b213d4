// The administrator of a run: groups join, shards move, now and then a group leaves, all the time.

import { ShardglassError, type ShardmasterClient } from '../../server/client/clerk.ts'
import type { Random } from '../history/random.ts'
import type { ChaosCluster } from './cluster.ts'
import { pause } from './command.ts'

export type MovesOptions = {
  readonly cluster: ChaosCluster
  readonly random: Random
  readonly seconds: number
  readonly isOver: () => boolean
}

const CHANGE_MS = 8_000
const PAUSE_MIN_MS = 700
const PAUSE_MAX_MS = 2_500
/** Shares of the time: when the second group joins, and when one may leave. */
const JOIN_AT = 0.1
const LEAVE_AT = 0.85
const LEAVES = 0.4
const HISTORY = 1_000

/** Changes configurations until it is over. What is not answered in time is left at that. */
export async function moveShards(options: MovesOptions): Promise<void> {
  const { cluster, random, seconds, isOver } = options
  const masters = cluster.shardmasters(CHANGE_MS)
  const startedAt = performance.now()
  const waiting = cluster.members.filter(({ gid, fields }) => gid > 0 && !joins(fields.args))
  const toJoin = new Set(waiting.map(({ gid }) => gid))
  let mayLeave = random.chance(LEAVES)
  while (!isOver()) {
    await pause(random.between(PAUSE_MIN_MS, PAUSE_MAX_MS))
    const share = (performance.now() - startedAt) / (seconds * 1_000)
    try {
      const [gid] = toJoin
      if (share > JOIN_AT && gid !== undefined) {
        // It may have joined by an attempt that was not answered.
        const isIn = (await masters.query()).groups[String(gid)] !== undefined
        if (!isIn) await masters.join(gid, cluster.urls(gid))
        toJoin.delete(gid)
      } else if (share > LEAVE_AT && mayLeave) {
        mayLeave = false
        await leaveOne(masters, random)
      } else {
        await moveOne(masters, random)
      }
    } catch (error) {
      if (!(error instanceof ShardglassError)) throw error // no answer: masters are being broken too
    }
  }
}

async function moveOne(masters: ShardmasterClient, random: Random): Promise<void> {
  const config = await masters.query()
  const gids = Object.keys(config.groups).map(Number)
  const shard = random.between(0, config.shards.length - 1)
  const others = gids.filter(gid => gid !== config.shards[shard])
  if (others.length > 0) await masters.move(shard, random.pick(others))
}

async function leaveOne(masters: ShardmasterClient, random: Random): Promise<void> {
  const { groups } = await masters.query()
  const gids = Object.keys(groups).map(Number)
  if (gids.length > 1) await masters.leave(random.pick(gids))
}

function joins(args: readonly string[]): boolean {
  return args.includes('--auto-join')
}

/** How many configurations there were, and how often a shard went from one group to another. */
export async function countMoves(
  cluster: ChaosCluster,
): Promise<{ readonly configs: number; readonly moves: number }> {
  const newestFirst = await cluster.shardmasters(CHANGE_MS).history(HISTORY)
  let moves = 0
  for (const [index, config] of newestFirst.entries()) {
    const before = newestFirst[index + 1]
    if (before === undefined) continue
    moves += config.shards.filter((gid, shard) => isMove(before.shards[shard], gid)).length
  }
  return { configs: newestFirst.length, moves }
}

function isMove(from: number | undefined, to: number): boolean {
  return from !== undefined && from !== 0 && from !== to
}
