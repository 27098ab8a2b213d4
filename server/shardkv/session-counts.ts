// How many clients' sessions each shard holds here. They are counted once when the state is loaded, and
// kept up to date by what changes them; nothing depends on it.

import type { StoreReader } from '../store.ts'
import { sessionRangeAfter } from './keyspace.ts'

export class SessionCounts {
  private readonly counts = new Map<number, number>()

  load(store: StoreReader, shards: Iterable<number>): void {
    this.counts.clear()
    for (const shard of shards) {
      let count = 0
      for (const _ of store.range(sessionRangeAfter(shard, ''))) count += 1
      this.add(shard, count)
    }
  }

  add(shard: number, count: number): void {
    this.counts.set(shard, (this.counts.get(shard) ?? 0) + count)
  }

  get total(): number {
    let total = 0
    for (const count of this.counts.values()) total += count
    return total
  }
}
