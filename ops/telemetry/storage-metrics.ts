// What log and store do to the disk, in plain numbers.

import { statfsSync } from 'node:fs'
import type { WalWrite } from '../../server/host/wal.ts'
import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'

export type DiskSpace = { readonly freeBytes: number; readonly sizeBytes: number }

/** The figures of one scrape are of one moment, and ask the disk once. */
const SPACE_HELD_MS = 500

export class StorageMetrics {
  /** The data directory; null with storage in memory. */
  folder: string | null = null
  readonly syncs = new Tally(LATENCY_SECONDS)
  syncedBytes = 0
  syncedRecords = 0
  readonly flushes = new Tally(LATENCY_SECONDS)
  readonly rounds = new Tally(LATENCY_SECONDS)
  roundBytes = 0
  fullRounds = 0
  private held: { readonly space: DiskSpace; readonly untilMs: number } | null = null

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

  /** Of the disk with the data directory, as programs without special rights see it. */
  space(): DiskSpace | null {
    if (this.folder === null) return null
    const nowMs = performance.now()
    if (this.held !== null && nowMs < this.held.untilMs) return this.held.space
    const { bsize, bavail, blocks } = statfsSync(this.folder)
    const space = { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
    this.held = { space, untilMs: nowMs + SPACE_HELD_MS }
    return space
  }

  /** The flush, its time counted. */
  async timed(flush: () => Promise<void>): Promise<void> {
    const startedMs = performance.now()
    await flush()
    this.flushes.add((performance.now() - startedMs) / 1000)
  }
}
