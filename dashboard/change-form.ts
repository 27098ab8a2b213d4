// A change as people write it into a form or a URL, and as it is written down again.

import type { ShardmasterClient } from '../server/client/clerk.ts'
import { ranges } from './format.ts'

export type Change = Parameters<ShardmasterClient['change']>[0]

/** Several moves are one wish, and one configuration each. */
export type Wish =
  | { readonly op: 'join'; readonly gid: number; readonly servers: readonly string[] }
  | { readonly op: 'leave'; readonly gid: number }
  | { readonly op: 'move'; readonly gid: number; readonly shards: readonly number[] }

export const MOVES_MAX = 64

/** The wish, or a sentence on what is missing. */
export function wishOf(fields: URLSearchParams): Wish | string {
  const op = fields.get('op')
  const text = fields.get('gid') ?? ''
  const gid = /^\d{1,10}$/.test(text.trim()) ? Number(text) : 0
  if (gid < 1) return 'Give the number of a group, 1 or more.'
  if (op === 'leave') return { op, gid }
  if (op === 'join') {
    const servers = (fields.get('servers') ?? '').split(/[\s,]+/).filter(Boolean)
    if (servers.length === 0)
      return 'Give the address of each replica of the group, in order of replica id.'
    return { op, gid, servers: servers.map(url => url.replace(/\/+$/, '')) }
  }
  if (op !== 'move') return 'Choose what to do: join, leave or move.'
  const shards = shardsOf(fields)
  if (typeof shards === 'string') return shards
  return { op, gid, shards }
}

/** Boxes that were ticked, and numbers or ranges that were typed. */
function shardsOf(fields: URLSearchParams): readonly number[] | string {
  const found = new Set<number>()
  const words = [...fields.getAll('shard'), ...(fields.get('shards') ?? '').split(/[\s,]+/)]
  for (const word of words.filter(Boolean)) {
    const match = /^(\d{1,7})(?:[-–](\d{1,7}))?$/.exec(word)
    if (match === null) return 'Shards are numbers, or ranges such as 3-7.'
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
    if (last < first || last - first >= MOVES_MAX)
      return `At most ${MOVES_MAX} shards are moved in one go.`
    for (let shard = first; shard <= last; shard++) found.add(shard)
  }
  if (found.size === 0) return 'Choose at least one shard.'
  if (found.size > MOVES_MAX) return `At most ${MOVES_MAX} shards are moved in one go.`
  return [...found].sort((one, other) => one - other)
}

/** The changes behind a wish, in the order in which they are made. */
export function changesOf(wish: Wish): readonly Change[] {
  if (wish.op !== 'move') return [wish]
  return wish.shards.map(shard => ({ op: 'move', shard, gid: wish.gid }))
}

export function wishText(wish: Wish): string {
  if (wish.op === 'join') return `join group ${wish.gid}`
  if (wish.op === 'leave') return `let group ${wish.gid} leave`
  const shards = wish.shards.length === 1 ? 'shard' : 'shards'
  return `move ${shards} ${ranges(wish.shards)} to group ${wish.gid}`
}

export function changeText(change: Change): string {
  if (change.op !== 'move') return wishText(change)
  return wishText({ op: 'move', gid: change.gid, shards: [change.shard] })
}

/** As hidden fields of the form that applies it. */
export function fieldsOf(wish: Wish): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [
    ['op', wish.op],
    ['gid', String(wish.gid)],
  ]
  if (wish.op === 'join') fields.push(['servers', wish.servers.join(' ')])
  if (wish.op === 'move') fields.push(['shards', ranges(wish.shards)])
  return fields
}
