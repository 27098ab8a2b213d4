// The log's segment files: the active one, the one that is ready to follow it, and a spare. Making a
// file ahead of its use means that a record never waits for a file to grow, and that a sync has
// only data to write. All of it happens in the background, one step after the other; each rename and
// removal is durable before the next, so a power cut finds the segments without a gap.

import { randomInt } from 'node:crypto'
import { isOutOfRoom, type WalFiles, writeFully } from './wal-files.ts'
import type { SealedSegment } from './wal-recovery.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './wal-segment.ts'

/** A segment that is open for writing. */
export type OpenSegment = {
  readonly number: number
  readonly fd: number
  readonly seed: number
  /** Where the next record goes. */
  position: number
  slotMax: number
}

export type PoolOptions = {
  readonly files: WalFiles
  readonly segmentBytes: number
  readonly retryMs: number
  /** A segment is ready to follow the active one. */
  readonly onReady: () => void
  readonly onFailure: (error: Error) => void
}

/** Zero-filled at once: short enough not to hold up other file operations. */
const FILL_BYTES = 256 * 1024
/** Kept beside the ready one; further recycled files are deleted. */
const SPARES_MAX = 1

export class SegmentPool {
  active: OpenSegment | null = null
  /** No room for another segment; tried again every `retryMs`. */
  isFull = false
  private readonly options: PoolOptions
  private readonly sealed: SealedSegment[]
  private ready: OpenSegment | null = null
  private spares: string[] = []
  private nextNumber: number
  private trimSlot = 0
  /** Renamed to be the ready one, but the folder's sync has not returned. */
  private renamed: OpenSegment | null = null
  private isFolderDirty = false
  private isWorking = false
  private working: Promise<void> = Promise.resolve()
  private retry: NodeJS.Timeout | null = null
  private isClosed = false

  constructor(options: PoolOptions, sealed: readonly SealedSegment[]) {
    this.options = options
    this.sealed = [...sealed]
    this.nextNumber = (sealed.at(-1)?.number ?? 0) + 1
  }

  /** Takes over what an earlier run left: segments without records, and spares. */
  async adopt(empty: readonly number[]): Promise<void> {
    const { files } = this.options
    for (const name of files.list().filter(name => name.startsWith('spare-'))) {
      if (this.spares.length < SPARES_MAX && this.isWhole(name)) this.spares.push(name)
      else files.remove(name)
    }
    // Latest first: a power cut in between must not leave a gap.
    for (const number of empty.toReversed()) {
      this.recycle(number)
      await files.syncDirectory()
    }
  }

  /** Makes the ready segment the active one; false when there is none yet (`onReady` will come). */
  rotate(): boolean {
    const next = this.ready
    if (next === null) return false
    const before = this.active
    if (before !== null) {
      this.options.files.close(before.fd)
      const { number, slotMax, position } = before
      this.sealed.push({ number, slotMax, bytes: position })
    }
    this.active = next
    this.ready = null
    this.work()
    return true
  }

  /** Lets go of the oldest segments whose records are all for slots below `slot`. */
  trimBelow(slot: number): void {
    if (slot <= this.trimSlot) return
    this.trimSlot = slot
    // What is let go may be the room that was missing.
    if (this.retry !== null) clearTimeout(this.retry)
    this.retry = null
    this.work()
  }

  /** Starts what there is to do in the background, unless it is under way. */
  work(): void {
    if (this.isWorking || this.retry !== null || this.isClosed) return
    this.isWorking = true
    this.working = this.workOff()
  }

  async close(): Promise<void> {
    this.isClosed = true
    if (this.retry !== null) clearTimeout(this.retry)
    await this.working
    for (const segment of [this.active, this.ready, this.renamed]) {
      if (segment !== null) this.options.files.close(segment.fd)
    }
  }

  /** Resolves when nothing is under way in the background. */
  async idle(): Promise<void> {
    await this.working
  }

  /** Segments with records, and bytes of the files in use. */
  usage(): { readonly segments: number; readonly bytes: number } {
    const made = (this.active === null ? 0 : 1) + (this.ready === null ? 0 : 1) + this.spares.length
    const bytes = this.sealed.reduce((sum, segment) => sum + segment.bytes, 0)
    return {
      segments: this.sealed.length + (this.active === null ? 0 : 1),
      bytes: bytes + made * this.options.segmentBytes,
    }
  }

  private async workOff(): Promise<void> {
    try {
      while (!this.isClosed) {
        if (this.isFolderDirty) await this.syncFolder()
        else if (this.isTrimmable()) this.trimOldest()
        else if (this.ready === null) await this.prepare()
        else break
      }
      this.isWorking = false
    } catch (error) {
      this.isWorking = false
      if (!isOutOfRoom(error)) {
        this.options.onFailure(new Error('the log cannot make a segment', { cause: error }))
      } else if (!this.isClosed) {
        this.isFull = true
        this.retry = setTimeout(() => {
          this.retry = null
          this.work()
        }, this.options.retryMs)
      }
    }
  }

  /**
   * Only once the active segment holds its first durable write, which begins with the caller's
   * headers: until then the older segments alone know the promise.
   */
  private isTrimmable(): boolean {
    const oldest = this.sealed[0]
    const isHeaderDurable = this.active !== null && this.active.position > SEGMENT_HEADER_BYTES
    return oldest !== undefined && isHeaderDurable && oldest.slotMax < this.trimSlot
  }

  private trimOldest(): void {
    const oldest = this.sealed[0]
    if (oldest === undefined) return
    this.recycle(oldest.number)
    this.sealed.shift()
    this.isFolderDirty = true
  }

  private async syncFolder(): Promise<void> {
    await this.options.files.syncDirectory()
    this.isFolderDirty = false
    if (this.renamed === null) return
    this.ready = this.renamed
    this.renamed = null
    this.isFull = false
    this.options.onReady()
  }

  private recycle(number: number): void {
    const name = segmentName(number)
    if (this.spares.length < SPARES_MAX && this.isWhole(name)) {
      const spare = spareName(number)
      this.options.files.rename(name, spare)
      this.spares.push(spare)
    } else {
      this.options.files.remove(name)
    }
  }

  private isWhole(name: string): boolean {
    const { files } = this.options
    const fd = files.open(name, 'existing')
    try {
      return files.size(fd) === this.options.segmentBytes
    } finally {
      files.close(fd)
    }
  }

  private async prepare(): Promise<void> {
    const { files } = this.options
    const number = this.nextNumber
    if (this.spares.length === 0) await this.makeSpare(spareName(number))
    const spare = this.spares[0]
    if (spare === undefined || this.isClosed) return
    const fd = files.open(spare, 'existing')
    try {
      const seed = randomInt(1, 2 ** 32)
      await writeFully(files, fd, encodeSegmentHeader(number, seed), 0)
      await files.sync(fd)
      files.rename(spare, segmentName(number))
      this.spares.shift()
      this.renamed = { number, fd, seed, position: SEGMENT_HEADER_BYTES, slotMax: 0 }
      this.isFolderDirty = true
      this.nextNumber += 1
    } catch (error) {
      files.close(fd)
      throw error
    }
  }

  /** On failure the half-made file is removed: it would keep the last free bytes of the disk. */
  private async makeSpare(name: string): Promise<void> {
    const { files, segmentBytes } = this.options
    const fd = files.open(name, 'create')
    try {
      const zeros = Buffer.alloc(Math.min(FILL_BYTES, segmentBytes))
      for (let done = 0; done < segmentBytes; done += zeros.length) {
        const piece = zeros.subarray(0, Math.min(zeros.length, segmentBytes - done))
        await writeFully(files, fd, piece, done)
      }
      await files.sync(fd)
      files.close(fd)
    } catch (error) {
      files.close(fd)
      files.remove(name)
      throw error
    }
    this.spares.push(name)
  }
}

function spareName(number: number): string {
  return `spare-${segmentName(number)}`
}
