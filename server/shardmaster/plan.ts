// The dry run of a change: what it would make of the latest configuration, and what an operator
// should know before. It runs the very function that the log runs, so what is shown is what happens.

import { applyChange, type ChangeFacts, gidsOf, type Refusal } from './change.ts'
import type { Config } from './config.ts'
import type { Change, Plan, PlannedMove } from './operation.ts'
import { countMoves, countShards, rebalance } from './rebalance.ts'
import type { ShardSize } from './sizes.ts'

export type PlanFacts = Pick<ChangeFacts, 'wasUsed' | 'lastLeaveKeys'> & {
  readonly sizeOf: (shard: number) => ShardSize | null
}

/** What `change` would do, or why it would be refused. */
export function planChange(latest: Config, change: Change, facts: PlanFacts): Plan | Refusal {
  const { wasUsed, lastLeaveKeys } = facts
  const made = { actor: '', reason: '', at: latest.at, wasUsed, lastLeaveKeys }
  const result = applyChange(latest, change, made)
  if (result.type === 'refused') return result
  const { shards, groups } = result.config
  const moves = movesBetween(latest.shards, shards, facts.sizeOf)
  const rows = groupsBetween(latest, result.config)
  return {
    base: latest.num,
    change,
    shards,
    moves,
    groups: rows,
    movesMin: countMoves(latest.shards, rebalance(latest.shards, gidsOf(groups))),
    warnings: warningsOf(result.type === 'unchanged', { latest, change, moves, rows }),
  }
}

function movesBetween(
  before: readonly number[],
  after: readonly number[],
  sizeOf: PlanFacts['sizeOf'],
): PlannedMove[] {
  const moves: PlannedMove[] = []
  for (const [shard, to] of after.entries()) {
    const from = before[shard] ?? 0
    if (from === to) continue
    const size = sizeOf(shard)
    moves.push({ shard, from, to, keys: size?.keys ?? null, bytes: size?.bytes ?? null })
  }
  return moves
}

function groupsBetween(before: Config, after: Config): Plan['groups'] {
  const counts = { before: countShards(before.shards), after: countShards(after.shards) }
  return gidsOf({ ...before.groups, ...after.groups }).map(gid => ({
    gid,
    before: counts.before.get(gid) ?? 0,
    after: counts.after.get(gid) ?? 0,
  }))
}

type Seen = {
  readonly latest: Config
  readonly change: Change
  readonly moves: readonly PlannedMove[]
  readonly rows: Plan['groups']
}

function warningsOf(isUnchanged: boolean, seen: Seen): string[] {
  if (isUnchanged) return [`nothing changes: ${whyUnchanged(seen.change)}`]
  const { change, moves } = seen
  const warnings: string[] = []
  if (change.op === 'leave') warnings.push(...warningsOfLeave(change.gid, seen))
  if (change.op === 'move') warnings.push(...warningsOfMove(seen))
  const fetched = moves.filter(move => move.from === 0 && seen.latest.holders[move.shard] !== 0)
  if (fetched.length > 0) {
    const holders = new Set(fetched.map(move => seen.latest.holders[move.shard] ?? 0))
    const gids = [...holders].sort((left, right) => left - right)
    warnings.push(`fetches ${shardsIn(fetched.length)} from groups that have left: ${listOf(gids)}`)
  }
  const moved = moves.filter(move => move.from !== 0 && move.to !== 0)
  if (moved.length > 0) warnings.push(wordsOfMoves(moved))
  return warnings
}

function whyUnchanged({ op, gid, ...rest }: Change): string {
  if (op === 'join') return `group ${gid} is there already, with these servers`
  if (op === 'leave') return `group ${gid} has left already`
  return `group ${gid} owns ${'shard' in rest ? `shard ${rest.shard}` : 'the shard'} already`
}

function warningsOfLeave(gid: number, { moves, rows }: Seen): string[] {
  if (rows.length > 1) {
    const keys = sumOf(moves, 'keys')
    if (keys === 0 || moves.length === 0) return []
    return [
      `group ${gid} holds ${keys === null ? 'data of unknown size' : `${keys} keys`}: ` +
        'it must run on until its shards have moved',
    ]
  }
  const isUnknown = moves.some(move => move.keys === null)
  return [
    'no group would be left: nothing can be read or written until one joins',
    ...(isUnknown ? [`group ${gid} may hold data: not all of its shards were reported`] : []),
  ]
}

function warningsOfMove({ rows }: Seen): string[] {
  const after = rows.map(row => row.after)
  const most = after.reduce((left, right) => Math.max(left, right), 0)
  const least = after.reduce((left, right) => Math.min(left, right), most)
  if (most - least <= 1) return []
  return [
    `leaves the groups uneven (${least} to ${most} shards): ` +
      'the next join or leave evens them out and may move this shard again',
  ]
}

function wordsOfMoves(moved: readonly PlannedMove[]): string {
  const from = gidsIn(moved, 'from')
  const to = gidsIn(moved, 'to')
  const keys = sumOf(moved, 'keys')
  const bytes = sumOf(moved, 'bytes')
  const size =
    keys === null || bytes === null ? 'size not fully known' : `${keys} keys, ${bytes} bytes`
  const shards = shardsIn(moved.length)
  return `moves ${shards} (${size}) from ${wordsOfGids(from)} to ${wordsOfGids(to)}`
}

function gidsIn(moves: readonly PlannedMove[], side: 'from' | 'to'): number[] {
  return [...new Set(moves.map(move => move[side]))].sort((left, right) => left - right)
}

/** Null when a part of it is unknown. */
function sumOf(moves: readonly PlannedMove[], field: 'keys' | 'bytes'): number | null {
  let sum = 0
  for (const move of moves) {
    const value = move[field]
    if (value === null) return null
    sum += value
  }
  return sum
}

function shardsIn(count: number): string {
  return count === 1 ? '1 shard' : `${count} shards`
}

function wordsOfGids(gids: readonly number[]): string {
  return gids.length === 1 ? `group ${listOf(gids)}` : `groups ${listOf(gids)}`
}

/** A few in full; of many the first and the number. */
function listOf(gids: readonly number[]): string {
  if (gids.length <= 8) return gids.join(', ')
  return `${gids.slice(0, 8).join(', ')} and ${gids.length - 8} more`
}
