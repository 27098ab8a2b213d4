// Spreads shards over groups: even within one, with the fewest moves, the same everywhere.
// An even assignment gives `extra` groups one shard more than the rest. A move is saved for every
// shard that stays, so the larger shares go first to groups that hold a larger share already; what
// then exceeds a share has to move in any case (H11 of the pitfalls: no order but the gids' own).

import { assert } from '../assert.ts'

/**
 * The new owners, shard → gid, for `shards` (shard → gid) and the groups that there are from now
 * on, ascending. All shards go to gid 0 when there are none. O(shards + groups).
 */
export function rebalance(shards: readonly number[], gids: readonly number[]): number[] {
  const places = placesOf(gids)
  const next = new Array<number>(shards.length).fill(0)
  if (gids.length === 0) return next
  const left = sharesOf(countsOf(shards, places), shards.length)
  const homeless: number[] = []
  for (const [shard, gid] of shards.entries()) {
    const place = places.get(gid)
    if (place === undefined || left[place] === 0) {
      homeless.push(shard)
      continue
    }
    left[place] = (left[place] ?? 0) - 1
    next[shard] = gid
  }
  settle(next, homeless, { gids, left })
  return next
}

/** How many shards have another owner in `after` than in `before`. */
export function countMoves(before: readonly number[], after: readonly number[]): number {
  let moves = 0
  for (let shard = 0; shard < after.length; shard++) if (before[shard] !== after[shard]) moves += 1
  return moves
}

/** gid → shards that it owns; gid 0 included where it owns any. */
export function countShards(shards: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const gid of shards) counts.set(gid, (counts.get(gid) ?? 0) + 1)
  return counts
}

/** gid → its place in the list. */
function placesOf(gids: readonly number[]): Map<number, number> {
  const places = new Map<number, number>()
  let last = 0
  for (const [place, gid] of gids.entries()) {
    assert(gid > last, 'gids are positive and ascending')
    places.set(gid, place)
    last = gid
  }
  return places
}

/** Shards per group, by place; shards of groups that are gone count nowhere. */
function countsOf(shards: readonly number[], places: ReadonlyMap<number, number>): number[] {
  const counts = new Array<number>(places.size).fill(0)
  for (const gid of shards) {
    const place = places.get(gid)
    if (place !== undefined) counts[place] = (counts[place] ?? 0) + 1
  }
  return counts
}

/** The number of shards that each group shall have, by place. Among equals the lower gid first. */
function sharesOf(counts: readonly number[], shardCount: number): number[] {
  const base = Math.floor(shardCount / counts.length)
  let extra = shardCount % counts.length
  const shares = new Array<number>(counts.length).fill(base)
  for (const isLarge of [true, false]) {
    for (const [place, count] of counts.entries()) {
      if (extra === 0) return shares
      if (count > base !== isLarge) continue
      shares[place] = base + 1
      extra -= 1
    }
  }
  return shares
}

/** Gives each homeless shard to the first group with something left of its share. */
function settle(
  next: number[],
  homeless: readonly number[],
  room: { readonly gids: readonly number[]; readonly left: readonly number[] },
): void {
  let taken = 0
  for (const [place, gid] of room.gids.entries()) {
    for (let count = room.left[place] ?? 0; count > 0; count--) {
      const shard = homeless[taken++]
      assert(shard !== undefined, 'shares add up to the number of shards')
      next[shard] = gid
    }
  }
  assert(taken === homeless.length, 'every shard finds a group')
}
