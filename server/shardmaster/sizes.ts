// How much each shard holds, as the groups last reported it. Not part of the replicated state: it
// serves plans, and as evidence that the leader logs with a leave. A size belongs to the shard and
// goes with it, whichever group holds it.

import type { Message } from '../contract.ts'

/** Keys and bytes of one shard, as groups report them with their polls. */
export type ShardSize = Extract<Message, { type: 'configPoll' }>['sizes'][number]

export class ReportedSizes {
  private readonly sizes = new Map<number, ShardSize>()
  private keysTotal = 0

  /** The newest report of a shard counts. */
  take(sizes: readonly ShardSize[], shardCount: number): void {
    for (const size of sizes) {
      if (!(size.shard >= 0 && size.shard < shardCount)) continue
      this.keysTotal += size.keys - (this.sizes.get(size.shard)?.keys ?? 0)
      this.sizes.set(size.shard, size)
    }
  }

  of(shard: number): ShardSize | null {
    return this.sizes.get(shard) ?? null
  }

  /** Keys in all shards that were reported; null when none was. */
  keys(): number | null {
    return this.sizes.size === 0 ? null : this.keysTotal
  }
}
