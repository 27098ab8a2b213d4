// All segments of the archive, one of which takes new spans. Spans are told apart by (trace id, span id),
// so that a batch sent again adds nothing. What is too old, or too much, leaves as whole segments: each
// a small step, and the disk has its bytes back at once.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AHEAD_MS_MAX, type OtlpSpan } from './otlp-span.ts'
import { type Db, lockFolder, NewerSegment } from './segment-schema.ts'
import { type Extent, NO_EXTENT, SegmentWriter } from './segment-writer.ts'
import { DamagedBlock } from './span-block.ts'

export type Bounds = {
  /** All files together. */
  readonly bytesMax: number
  /** Spans are kept for so long, unless `bytesMax` does not allow it. */
  readonly ageMsMax: number
}

export type ShelfOptions = Bounds & {
  readonly folder: string
  readonly sync: 'normal' | 'full'
  readonly nowMs: () => number
  readonly steps?: readonly string[]
  /** Something that people should know, in a sentence. */
  readonly onNote?: (text: string) => void
}

/** What readers need to know of a segment. */
export type SegmentView = Extent & {
  readonly number: number
  readonly path: string
  readonly bytes: number
}

export type Stored = {
  readonly stored: number
  readonly duplicate: number
  /** Older than what is kept. */
  readonly expired: number
  /** From clocks too far ahead. */
  readonly rejected: number
}

/** The disk takes nothing now; nothing of the batch was stored. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

type Sieve = {
  readonly nowMs: number
  /** Ids of this transaction's spans. */
  readonly pending: Set<string>
  readonly fresh: OtlpSpan[]
}

type Sealed = SegmentView & { readonly sealedMs: number }

/** Bounds in segments: each 1/64 of the bytes, and 1/28 of the time (6 hours of 7 days). */
const SEGMENTS_PER_BYTES = 64
const SEGMENTS_PER_AGE = 28
const SEGMENT_BYTES_MIN = 64 * 1024
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024
const NAME = /^spans-(\d{8})\.db$/
/** Sealed segments kept open to see whether a span is in them already. */
const PROBES_MAX = 4

export class Shelf {
  private readonly options: ShelfOptions
  /** Held for as long as this process lives: two must not write into one folder. */
  private readonly lock: Db
  private sealed: Sealed[] = []
  private active: SegmentWriter | null = null
  private activeNumber = 0
  private activeSinceMs = 0
  /** Span ids in the active segment: nearly every question is answered without SQLite. */
  private readonly seen = new Set<string>()
  private readonly probes = new Map<number, SegmentWriter>()
  /** Sealed segments that cannot tell what they have; what can be read of them stays until they leave. */
  private readonly unsure = new Set<number>()

  constructor(options: ShelfOptions) {
    this.options = options
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    this.lock = lockOf(options.folder)
    this.recall()
  }

  /** All that is new of several batches in one transaction, or NoRoom. Counts for each batch. */
  store(batches: readonly (readonly OtlpSpan[])[]): readonly Stored[] {
    const nowMs = this.options.nowMs()
    this.opened(nowMs) // where there is no room for a segment, nothing is counted as stored
    const pending = new Set<string>()
    const fresh: OtlpSpan[] = []
    const counts = batches.map(spans => this.sift(spans, { nowMs, pending, fresh }))
    if (fresh.length > 0) attempt(() => this.append(fresh, nowMs))
    for (const { spanId } of fresh) this.seen.add(spanId)
    return counts
  }

  /** Ends a full segment and removes what is beyond the bounds. True when segments changed. */
  tidy(): boolean {
    const nowMs = this.options.nowMs()
    // First: on a full disk a segment cannot be ended, but one can be removed.
    const dropped = this.beyondBounds(nowMs)
    for (const segment of dropped) this.drop(segment)
    const hasEnded = this.active !== null && this.isFull(nowMs)
    if (hasEnded) attempt(() => this.seal(nowMs))
    return hasEnded || dropped.length > 0
  }

  /** Oldest first; the last one grows. */
  segments(): readonly SegmentView[] {
    const { active, activeNumber } = this
    if (active === null) return this.sealed
    const { path, extent } = active
    return [...this.sealed, { ...extent, number: activeNumber, path, bytes: bytesOf(path) }]
  }

  close(): void {
    for (const writer of [this.active, ...this.probes.values()]) writer?.close()
    this.active = null
    this.lock.close()
  }

  /** Adds what is new to `fresh`, and counts what is not and why. */
  private sift(spans: readonly OtlpSpan[], { nowMs, pending, fresh }: Sieve): Stored {
    const oldest = (nowMs - this.options.ageMsMax) * 1000
    const newest = (nowMs + AHEAD_MS_MAX) * 1000
    let [stored, duplicate, expired, rejected] = [0, 0, 0, 0]
    for (const span of spans) {
      if (span.startMicros + span.durationMicros < oldest) expired += 1
      else if (span.startMicros > newest) rejected += 1
      else if (this.isKnown(span, pending)) duplicate += 1
      else {
        fresh.push(span)
        stored += 1
      }
    }
    return { stored, duplicate, expired, rejected }
  }

  private get segmentBytesMax(): number {
    const share = Math.floor(this.options.bytesMax / SEGMENTS_PER_BYTES)
    return Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, share))
  }

  private recall(): void {
    const numbers = readdirSync(this.options.folder)
      .flatMap(name => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((one, other) => one - other)
    for (const number of numbers) {
      this.activeNumber = number
      this.recallOne(number, number === numbers.at(-1))
    }
  }

  /** A file that is damaged, or of a later release, must not keep the others from being read. */
  private recallOne(number: number, isLast: boolean): void {
    const path = this.path(number)
    let writer: SegmentWriter | null = null
    try {
      writer = this.writer(path)
      // A page may be damaged far behind those that are read first.
      if (isLast) for (const spanId of writer.spanIds()) this.seen.add(spanId)
    } catch (error) {
      if (!(error instanceof NewerSegment) && !isDamage(error)) throw error
      writer?.close()
      this.seen.clear()
      this.setAside(path, error)
      return
    }
    if (isLast) {
      this.active = writer
      this.activeSinceMs = madeMs(path)
      return
    }
    const { extent } = writer
    writer.close()
    this.sealed.push({ ...extent, number, path, bytes: bytesOf(path), sealedMs: changedMs(path) })
  }

  private setAside(path: string, error: Error): void {
    const suffix = error instanceof NewerSegment ? 'newer' : 'damaged'
    for (const file of filesOf(path)) if (existsSync(file)) renameSync(file, `${file}.${suffix}`)
    this.options.onNote?.(`a segment was set aside as ${path}.${suffix}: ${error.message}`)
  }

  /** Where the active segment turns out to be damaged, into a new one. */
  private append(spans: readonly OtlpSpan[], nowMs: number): void {
    try {
      this.opened(nowMs).append(spans)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.abandon(error)
      this.opened(nowMs).append(spans)
    }
  }

  /** The active segment takes no more. */
  private abandon(error: Error): void {
    const { active } = this
    if (active === null) return
    active.close()
    this.active = null
    this.seen.clear()
    this.setAside(active.path, error)
  }

  private opened(nowMs: number): SegmentWriter {
    if (this.active !== null) return this.active
    const path = this.path(this.activeNumber + 1)
    try {
      this.active = this.writer(path)
    } catch (error) {
      for (const file of filesOf(path)) rmSync(file, { force: true })
      throw asNoRoom(error)
    }
    this.activeNumber += 1
    this.activeSinceMs = nowMs
    return this.active
  }

  private writer(path: string): SegmentWriter {
    const { sync, steps } = this.options
    const more = steps === undefined ? {} : { steps }
    return new SegmentWriter(path, { sync, bytesMax: this.segmentBytesMax, ...more })
  }

  private isKnown(span: OtlpSpan, pending: Set<string>): boolean {
    const { traceId, spanId, startMicros } = span
    const key = traceId + spanId
    if (pending.has(key)) return true
    pending.add(key)
    if (this.seen.has(spanId) && this.activeHas(span)) return true
    // The same span has the same start: only segments that reach there can have it.
    return this.sealed.some(segment => {
      const isThere = segment.startMin <= startMicros && startMicros <= segment.startMax
      return isThere && !this.unsure.has(segment.number) && this.sealedHas(segment, span)
    })
  }

  private activeHas({ traceId, spanId }: OtlpSpan): boolean {
    try {
      return this.active?.has(traceId, spanId) === true
    } catch (error) {
      if (!isDamage(error)) throw error
      this.abandon(error)
      return false
    }
  }

  /** A span stored twice is better than an archive that ends whenever it is asked for that one. */
  private sealedHas(segment: Sealed, { traceId, spanId }: OtlpSpan): boolean {
    try {
      return this.probe(segment).has(traceId, spanId)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.forget(segment.number)
      this.unsure.add(segment.number)
      const effect = 'spans sent again may be stored twice'
      this.options.onNote?.(`${segment.path} is damaged, ${effect}: ${error.message}`)
      return false
    }
  }

  private probe(segment: Sealed): SegmentWriter {
    const known = this.probes.get(segment.number)
    if (known !== undefined) return known
    const [oldest] = this.probes.keys()
    if (this.probes.size >= PROBES_MAX && oldest !== undefined) this.forget(oldest)
    const writer = this.writer(segment.path)
    this.probes.set(segment.number, writer)
    return writer
  }

  private forget(number: number): void {
    this.probes.get(number)?.close()
    this.probes.delete(number)
  }

  private isFull(nowMs: number): boolean {
    const { active } = this
    if (active === null || active.extent.spans === 0) return false
    const isOld = nowMs - this.activeSinceMs >= this.options.ageMsMax / SEGMENTS_PER_AGE
    return isOld || active.bytes >= this.segmentBytesMax
  }

  private seal(nowMs: number): void {
    const { active } = this
    if (active === null) return
    const { path, extent } = active
    active.seal()
    active.close()
    this.active = null
    this.seen.clear()
    const number = this.activeNumber
    this.sealed.push({ ...extent, number, path, bytes: bytesOf(path), sealedMs: nowMs })
  }

  private beyondBounds(nowMs: number): readonly Sealed[] {
    const { bytesMax, ageMsMax } = this.options
    let bytes = this.segments().reduce((sum, segment) => sum + segment.bytes, 0)
    const dropped: Sealed[] = []
    for (const segment of this.sealed) {
      const isOld = nowMs - segment.sealedMs > ageMsMax
      if (!isOld && bytes <= bytesMax) break
      bytes -= segment.bytes
      dropped.push(segment)
    }
    return dropped
  }

  private drop(segment: Sealed): void {
    this.forget(segment.number)
    this.unsure.delete(segment.number)
    this.sealed = this.sealed.filter(other => other !== segment)
    for (const file of filesOf(segment.path)) rmSync(file, { force: true })
  }

  private path(number: number): string {
    return join(this.options.folder, `spans-${String(number).padStart(8, '0')}.db`)
  }
}

function lockOf(folder: string): Db {
  try {
    return lockFolder(join(folder, 'lock.db'))
  } catch (cause) {
    if (!codeOf(cause).startsWith('SQLITE_BUSY')) throw cause
    throw new Error(`another archive has the folder ${folder}`, { cause })
  }
}

/** Runs a write; what the disk refuses becomes NoRoom. */
function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    throw asNoRoom(error)
  }
}

function asNoRoom(error: unknown): unknown {
  const code = codeOf(error)
  const isRoom = /^(?:SQLITE_FULL|SQLITE_IOERR|SQLITE_CANTOPEN|ENOSPC|EDQUOT)/.test(code)
  return isRoom ? new NoRoom('the disk takes nothing more', { cause: error }) : error
}

function isDamage(error: unknown): error is Error {
  if (error instanceof DamagedBlock) return true
  return error instanceof Error && /^SQLITE_(?:CORRUPT|NOTADB)/.test(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function filesOf(path: string): readonly string[] {
  return [path, `${path}-wal`, `${path}-shm`]
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, file) => sum + sizeOf(file), 0)
}

function madeMs(path: string): number {
  const found = statSync(path)
  return found.birthtimeMs > 0 ? found.birthtimeMs : found.ctimeMs
}

function changedMs(path: string): number {
  return statSync(path).mtimeMs
}

/** Of all segments together. */
export function extentOf(segments: readonly SegmentView[]): Extent {
  return segments.reduce(
    (sum: Extent, { spans, startMin, startMax }) => ({
      spans: sum.spans + spans,
      startMin: Math.min(sum.startMin, startMin),
      startMax: Math.max(sum.startMax, startMax),
    }),
    NO_EXTENT,
  )
}
