// What lies between two configurations.

import type { ConfigView } from '../server/client/clerk.ts'

export type ConfigDiff = {
  readonly from: number
  readonly to: number
  readonly moved: readonly { readonly shard: number; readonly from: number; readonly to: number }[]
  /** gids. */
  readonly joined: readonly number[]
  readonly left: readonly number[]
  readonly counts: readonly {
    readonly gid: number
    readonly before: number
    readonly after: number
  }[]
}

export function diffOf(before: ConfigView, after: ConfigView): ConfigDiff {
  const moved = after.shards.flatMap((to, shard) => {
    const from = before.shards[shard] ?? 0
    return from === to ? [] : [{ shard, from, to }]
  })
  const had = gidsOf(before)
  const has = gidsOf(after)
  const counted = [...new Set([...had, ...has])].sort((one, other) => one - other)
  const [countBefore, countAfter] = [countsOf(before), countsOf(after)]
  return {
    from: before.num,
    to: after.num,
    moved,
    joined: has.filter(gid => !had.includes(gid)),
    left: had.filter(gid => !has.includes(gid)),
    counts: counted.map(gid => ({
      gid,
      before: countBefore.get(gid) ?? 0,
      after: countAfter.get(gid) ?? 0,
    })),
  }
}

function gidsOf(config: ConfigView): readonly number[] {
  return Object.keys(config.groups).map(Number)
}

function countsOf(config: ConfigView): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const gid of config.shards) counts.set(gid, (counts.get(gid) ?? 0) + 1)
  return counts
}
