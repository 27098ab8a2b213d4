// Shards that are on their way now, as their groups' leaders say: the archive has a move only when it is
// over.

import { isRecord } from '../../server/client/problem.ts'
import type { NodeView } from '../cluster-view.ts'
import { bytesText, plural } from './figures.ts'

export type UnderWay = {
  readonly shard: number
  readonly config: number
  /** The group that says so. */
  readonly gid: number
  readonly phase: 'awaited' | 'leaving' | 'releasing'
  /** The other group; 0: none owns the shard. */
  readonly peer: number
  readonly keys: number
  readonly bytes: number
}

export function movesUnderWay(views: readonly NodeView[]): readonly UnderWay[] {
  return views
    .flatMap(({ status }) => (status?.role === 'leader' ? movesOf(status) : []))
    .sort((one, other) => one.shard - other.shard || one.gid - other.gid)
}

function movesOf(status: Readonly<Record<string, unknown>>): readonly UnderWay[] {
  const { gid, machine } = status
  const shards = isRecord(machine) && Array.isArray(machine.shards) ? machine.shards : []
  return shards.filter(isRecord).flatMap(found => {
    const { phase } = found
    if (phase !== 'awaited' && phase !== 'leaving' && phase !== 'releasing') return []
    const { shard, config, peer, keys, bytes } = found
    if (!isCount(gid) || !isCount(shard) || !isCount(config) || !isCount(peer)) return []
    if (!isCount(keys) || !isCount(bytes)) return []
    return { shard, config, peer, gid, phase, keys, bytes }
  })
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value)
}

/** One line for each, what each side waits for; '' for none. */
export function underWayText(moves: readonly UnderWay[]): string {
  return moves.map(move => `on its way now: ${lineOf(move)}\n`).join('')
}

function lineOf({ shard, config, gid, phase, peer, keys, bytes }: UnderWay): string {
  const head = `shard ${shard}, configuration ${config}: group ${gid}`
  const size = `${plural(keys, 'key')}, ${bytesText(bytes)}`
  switch (phase) {
    case 'awaited':
      return `${head} waits for it from group ${peer} (has ${size} of it)`
    case 'leaving':
      return peer === 0
        ? `${head} keeps it frozen (${size}): no group owns it`
        : `${head} has frozen it (${size}) and waits until group ${peer} has it`
    case 'releasing':
      return `${head} deletes what it gave to group ${peer} (${size} left)`
  }
}
