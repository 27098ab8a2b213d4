// The acceptor's memory: a write-ahead log with group commit. Everything appended while a write is
// under way goes out with the next one, as one disk write and one fdatasync. Nothing is reported
// durable before the sync returned; a failed sync is never tried again, because the kernel forgets
// the pages that it could not write (fsyncgate). Formats: wal-segment.ts; recovery: wal-recovery.ts.

import { isOutOfRoom, nodeWalFiles, type WalFiles, writeFully, writeFullyNow } from './wal-files.ts'
import { WritePace } from './wal-pace.ts'
import { type OpenSegment, SegmentPool } from './wal-pool.ts'
import { recover } from './wal-recovery.ts'
import {
  encodeRecords,
  type Link,
  type NewRecord,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from './wal-segment.ts'

export { WalDamageError } from './wal-segment.ts'

export type WalOptions = {
  /** A folder of its own; made by the caller, who also keeps others out of it. */
  readonly dir: string
  /** Size of a preallocated segment, 16 MiB. A larger record gets a larger segment. */
  readonly segmentBytes?: number
  /** What each new segment begins with, so that the older ones can be let go: promise, formation. */
  readonly header: () => readonly Uint8Array[]
  /** All records up to this number are durable. Never called from within `append` or `flush`. */
  readonly onDurable: (upTo: number) => void
  /** The log is dead; nothing more becomes durable. The process must stop. Called once. */
  readonly onFailure: (error: Error) => void
  /** After each durable write, for metrics. */
  readonly onWrite?: (write: WalWrite) => void
  readonly files?: WalFiles
  /** How long to wait for room on a full disk, 1,000 ms. */
  readonly retryMs?: number
}

/** One disk write with its sync. */
export type WalWrite = { readonly ms: number; readonly records: number; readonly bytes: number }

export type WalStats = {
  /** Files with records, and the bytes of all files, preallocated ones included. */
  readonly segments: number
  readonly bytes: number
  /** Records appended and not yet durable. */
  readonly waiting: number
  readonly writes: number
  readonly lastWriteMs: number
  /** Whether writes block the process at present: the disk is fast. */
  readonly isBlocking: boolean
  /** The disk has no room for another segment. Waiting records are kept and tried again. */
  readonly isFull: boolean
}

type Batch = {
  readonly segment: OpenSegment
  readonly bytes: Buffer
  /** How many of the waiting records are in it. */
  readonly count: number
  readonly slotMax: number
  readonly link: Link
}

const SEGMENT_BYTES = 16 * 1024 * 1024
const RETRY_MS = 1000
/** One write is not larger, unless a single record is: bounds the time of a blocking write. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024

/**
 * Opens the log in `dir`. `recovered`: the payloads of all valid records in order, headers among
 * them. Rejects with WalDamageError, and leaves the files alone, when acknowledged records are gone.
 */
export async function openWal(
  options: WalOptions,
): Promise<{ readonly wal: Wal; readonly recovered: readonly Buffer[] }> {
  const files = options.files ?? nodeWalFiles(options.dir)
  const found = await recover(files)
  const wal = new LogWriter(options, files, found.link)
  const pool = new SegmentPool(
    {
      files,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
      retryMs: options.retryMs ?? RETRY_MS,
      onReady: () => wal.resume(),
      onFailure: error => wal.fail(error),
    },
    found.sealed,
  )
  await pool.adopt(found.empty)
  wal.start(pool)
  return { wal, recovered: found.payloads }
}

/** An open log. Records are numbered 1, 2, 3 … from the opening on; headers are not counted. */
export interface Wal {
  /** Takes a record on and returns its number. `slot`: 0 if it belongs to none. Not copied. */
  append(payload: Uint8Array, slot: number): number
  /**
   * Starts to make everything appended so far durable. While a write is under way, the next begins
   * as soon as it ends. A blocking write is over when this returns; `onDurable` comes in a microtask.
   */
  flush(): void
  /** Records for slots below this one are not needed any more; whole segments go at once. */
  trimBelow(slot: number): void
  stats(): WalStats
  /** Writes what waits, as far as the disk works and has room, and closes the files. */
  close(): Promise<void>
}

class LogWriter implements Wal {
  private readonly options: WalOptions
  private readonly files: WalFiles
  private readonly segmentBytes: number
  private readonly pace = new WritePace()
  private pool: SegmentPool | null = null
  private link: Link
  private waiting: NewRecord[] = []
  private appended = 0
  private durable = 0
  private announced = 0
  /** Records up to this number are to be written without further asking. */
  private wanted = 0
  private writing: Promise<void> | null = null
  private isRunning = false
  private retry: NodeJS.Timeout | null = null
  private failure: Error | null = null
  private isClosed = false
  private buffer = Buffer.allocUnsafe(256 * 1024)
  private writes = 0
  private lastWriteMs = 0

  constructor(options: WalOptions, files: WalFiles, link: Link) {
    this.options = options
    this.files = files
    this.segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.link = link
  }

  append(payload: Uint8Array, slot: number): number {
    this.refuseWhenOver()
    this.waiting.push({ payload, slot })
    this.appended += 1
    return this.appended
  }

  flush(): void {
    if (this.failure !== null || this.isClosed) return
    this.wanted = this.appended
    this.run()
  }

  trimBelow(slot: number): void {
    if (this.failure === null) this.pool?.trimBelow(slot)
  }

  stats(): WalStats {
    const usage = this.pool?.usage() ?? { segments: 0, bytes: 0 }
    return {
      ...usage,
      waiting: this.appended - this.durable,
      writes: this.writes,
      lastWriteMs: this.lastWriteMs,
      isBlocking: this.pace.isBlocking,
      isFull: this.retry !== null || (this.pool?.isFull ?? false),
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.flush()
    this.isClosed = true
    while (this.writing !== null || this.isWaitingForSegment()) {
      await (this.writing ?? this.pool?.idle())
    }
    if (this.retry !== null) clearTimeout(this.retry)
    await this.pool?.close()
    this.announce()
  }

  /** Begins work with its segment files. */
  start(pool: SegmentPool): void {
    this.pool = pool
    pool.work()
  }

  /** A segment has become ready. */
  resume(): void {
    this.run()
  }

  /** Stops for good. */
  fail(error: Error): void {
    if (this.failure !== null) return
    this.failure = error
    this.waiting = []
    this.options.onFailure(error)
  }

  /** Writes until all that is wanted is durable, or it has to wait for the disk or for room. */
  private run(): void {
    if (this.isRunning || this.retry !== null) return
    this.isRunning = true
    try {
      while (this.failure === null && this.durable < this.wanted) {
        const batch = this.takeBatch()
        if (batch === null) break
        if (!this.pace.blocksNext) {
          this.writing = this.writeLater(batch)
          return
        }
        this.writeNow(batch)
      }
    } catch (error) {
      this.onWriteError(error)
    }
    this.isRunning = false
    if (this.durable > this.announced) queueMicrotask(() => this.announce())
  }

  private writeNow(batch: Batch): void {
    const start = performance.now()
    writeFullyNow(this.files, batch.segment.fd, batch.bytes, batch.segment.position)
    this.syncOrFail(() => this.files.syncNow(batch.segment.fd))
    this.onWritten(batch, performance.now() - start)
  }

  private async writeLater(batch: Batch): Promise<void> {
    const start = performance.now()
    try {
      await writeFully(this.files, batch.segment.fd, batch.bytes, batch.segment.position)
      await this.files.sync(batch.segment.fd).catch(error => this.fail(syncError(error)))
      if (this.failure === null) this.onWritten(batch, performance.now() - start)
    } catch (error) {
      this.onWriteError(error)
    }
    this.writing = null
    this.isRunning = false
    this.announce()
    this.run()
  }

  private syncOrFail(sync: () => void): void {
    try {
      sync()
    } catch (error) {
      throw syncError(error)
    }
  }

  /**
   * No room: nothing has moved on, so the same records are written again, over their own torn bytes.
   * Anything else is a disk that cannot be trusted.
   */
  private onWriteError(error: unknown): void {
    if (!isOutOfRoom(error)) {
      this.fail(new Error('the log cannot be written', { cause: error }))
    } else {
      this.retry = setTimeout(() => {
        this.retry = null
        this.run()
      }, this.options.retryMs ?? RETRY_MS)
    }
  }

  private onWritten(batch: Batch, ms: number): void {
    const { segment } = batch
    const isFirst = segment.position === SEGMENT_HEADER_BYTES
    segment.position += batch.bytes.length
    segment.slotMax = Math.max(segment.slotMax, batch.slotMax)
    this.link = batch.link
    this.waiting = batch.count === this.waiting.length ? [] : this.waiting.slice(batch.count)
    this.durable += batch.count
    this.writes += 1
    this.lastWriteMs = ms
    this.pace.note(ms)
    if (isFirst) this.pool?.work()
    this.options.onWrite?.({ ms, records: batch.count, bytes: batch.bytes.length })
  }

  private announce(): void {
    if (this.failure !== null || this.durable === this.announced) return
    this.announced = this.durable
    this.options.onDurable(this.durable)
  }

  /** The next disk write: as many waiting records as one segment and one write take, at least one. */
  private takeBatch(): Batch | null {
    const segment = this.segmentFor(this.waiting[0])
    if (segment === null) return null
    const headers = segment.position === SEGMENT_HEADER_BYTES ? this.options.header() : []
    const records: NewRecord[] = headers.map(payload => ({ payload, slot: 0 }))
    const room = Math.min(this.segmentBytes - segment.position, WRITE_BYTES_MAX)
    let bytes = records.reduce((sum, record) => sum + recordBytes(record.payload), 0)
    let count = 0
    let slotMax = 0
    for (const record of this.waiting) {
      const more = recordBytes(record.payload)
      if (count > 0 && bytes + more > room) break
      records.push(record)
      bytes += more
      count += 1
      slotMax = Math.max(slotMax, record.slot)
    }
    const target = this.reserve(bytes)
    const link = encodeRecords(target, records, { seed: segment.seed, link: this.link })
    return { segment, bytes: target, count, slotMax, link }
  }

  /** The active segment, or the next when it has no room for this record; null: none is ready. */
  private segmentFor(first: NewRecord | undefined): OpenSegment | null {
    const pool = this.pool
    if (pool === null || first === undefined) return null
    const active = pool.active
    const isFresh = active?.position === SEGMENT_HEADER_BYTES
    const end = (active?.position ?? 0) + recordBytes(first.payload)
    if (active !== null && (isFresh || end <= this.segmentBytes)) return active
    return pool.rotate() ? pool.active : null
  }

  /** One write is under way at a time, so one buffer is enough; a very large one is not kept. */
  private reserve(bytes: number): Buffer {
    if (bytes > WRITE_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes)
    if (bytes > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.min(WRITE_BYTES_MAX, bytes * 2))
    }
    return this.buffer.subarray(0, bytes)
  }

  private isWaitingForSegment(): boolean {
    return this.failure === null && this.durable < this.wanted && !this.stats().isFull
  }

  private refuseWhenOver(): void {
    if (this.failure !== null) throw new Error('the log has failed', { cause: this.failure })
    if (this.isClosed) throw new Error('the log is closed')
  }
}

/** A code of its own: even ENOSPC, from a sync, is not to be tried again. */
function syncError(cause: unknown): Error {
  return new Error('the log cannot be made durable', { cause })
}
