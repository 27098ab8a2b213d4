// What log and store do to the disk, in plain numbers.

import type { WalWrite } from '../../server/host/wal.ts'
import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'

export class StorageMetrics {
  readonly syncs = new Tally(LATENCY_SECONDS)
  syncedBytes = 0
  syncedRecords = 0
  readonly flushes = new Tally(LATENCY_SECONDS)
  readonly rounds = new Tally(LATENCY_SECONDS)
  roundBytes = 0
  fullRounds = 0

  onWrite({ ms, records, bytes }: WalWrite): void {
    this.syncs.add(ms / 1000)
    this.syncedRecords += records
    this.syncedBytes += bytes
  }

  onRound({ ms, bytes }: { readonly ms: number; readonly bytes: number }): void {
    this.rounds.add(ms / 1000)
    this.roundBytes += bytes
  }

  onFull(): void {
    this.fullRounds += 1
  }

  /** The flush, its time counted. */
  async timed(flush: () => Promise<void>): Promise<void> {
    const startedMs = performance.now()
    await flush()
    this.flushes.add((performance.now() - startedMs) / 1000)
  }
}
