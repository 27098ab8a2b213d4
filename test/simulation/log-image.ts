// A replica's log as it lies on its disk: segments of disk writes, turned into the real bytes only
// when somebody looks at them, that is after a crash. Those bytes can be torn (the write that was
// under way) or damaged (what was durable); recovery is the real one.

import { examine, type LoadedSegment } from '../../server/host/wal-recovery.ts'
import {
  encodeRecords,
  encodeSegmentHeader,
  type Link,
  type NewRecord,
  readSegmentHeader,
  recordBytes,
  SEGMENT_HEADER_BYTES,
  type WalRecord,
} from '../../server/host/wal-segment.ts'
import { decodeRecord, encodeRecord, type LogRecord, slotOf } from '../../server/paxos/record.ts'
import type { Random } from '../support/random.ts'

/** Part of a disk write that reaches the disk whole or not at all. */
const SECTOR = 64
/** What an earlier use of a segment's file left behind, as far as it is kept here. */
const STALE_BYTES = 2048
const NOTHING = Buffer.alloc(0)

type Segment = {
  readonly number: number
  readonly seed: number
  readonly firstSequence: number
  /** crc of the record before its first, as it was when the bytes were first made. */
  previous: number | null
  /** Disk writes, in order. */
  readonly writes: LogRecord[][]
  slotMax: number
  count: number
  /** Behind what is written here, until it is written over. */
  readonly stale: Buffer
  /** The file, once nothing is added to it any more. */
  bytes: Buffer | null
  end: Link | null
}

export type DamageKind = 'bit' | 'sector' | 'misdirected' | 'segment'

export class LogImage {
  private readonly random: Random
  private segments: Segment[] = []
  private sequence = 1
  private left = NOTHING

  constructor(random: Random) {
    this.random = random
    this.rotate()
  }

  /** Records in the segment that is written to. */
  get lastCount(): number {
    return this.last().count
  }

  /** One disk write, durable. */
  append(records: LogRecord[]): void {
    const last = this.last()
    last.writes.push(records)
    last.count += records.length
    this.sequence += records.length
    for (const record of records) last.slotMax = Math.max(last.slotMax, slotOf(record))
  }

  rotate(): void {
    const before = this.segments.at(-1)
    this.segments.push({
      number: (before?.number ?? 0) + 1,
      seed: this.random.word(),
      firstSequence: this.sequence,
      previous: before === undefined ? 0 : null,
      writes: [],
      slotMax: 0,
      count: 0,
      stale: this.left,
      bytes: null,
      end: null,
    })
    this.left = NOTHING
  }

  /**
   * Segments that hold only slots below `slot`, and are not the last one, go, as soon as that has
   * its first write: until then the older ones alone know the promise. Returns how many.
   */
  trim(slot: number): number {
    if (this.last().count === 0) return 0
    let gone = 0
    while (gone < this.segments.length - 1) {
      const segment = this.segments[gone]
      if (segment === undefined || segment.slotMax >= slot) break
      if (segment.bytes !== null) this.left = Buffer.from(segment.bytes.subarray(0, STALE_BYTES))
      gone += 1
    }
    if (gone > 0) this.segments.splice(0, gone)
    return gone
  }

  /** Records in all. */
  count(): number {
    return this.segments.reduce((sum, segment) => sum + segment.count, 0)
  }

  durable(): LogRecord[] {
    return this.segments.flatMap(segment => segment.writes.flat())
  }

  /** The write that was under way reached the disk in part: some of its sectors. */
  tear(records: LogRecord[]): void {
    const last = this.last()
    const { bytes: before, at } = this.encode(last)
    last.writes.push(records)
    const { bytes } = this.encode(last)
    for (let from = at; from < bytes.length; from += SECTOR) {
      if (this.random.chance(0.5)) continue
      const to = Math.min(from + SECTOR, bytes.length)
      bytes.fill(0, from, to)
      if (from < before.length) before.copy(bytes, from, from, Math.min(to, before.length))
    }
    last.writes.pop()
    last.bytes = bytes
  }

  /** All records as recovery finds them. Throws WalDamageError. */
  open(): LogRecord[] {
    const loaded = this.load()
    const { walked, link } = examine(loaded)
    const kept = this.segments.slice(0, walked.length)
    const records: LogRecord[] = []
    for (const [index, { records: found, end }] of walked.entries()) {
      const segment = kept[index]
      const bytes = loaded[index]?.bytes
      if (segment === undefined || bytes === undefined) continue
      const decoded = found.map(({ payload }) => decodeRecord(payload))
      records.push(...decoded)
      segment.writes.splice(0, segment.writes.length, decoded)
      segment.count = decoded.length
      segment.slotMax = decoded.reduce((most, record) => Math.max(most, slotOf(record)), 0)
      // A cut tail: where the chain goes on next is known from the records.
      segment.bytes = bytes.subarray(0, end)
      const last = found.at(-1)
      if (last !== undefined) {
        segment.end = { sequence: last.sequence + 1, previous: last.crc }
      }
    }
    this.segments = kept
    this.sequence = link.sequence
    this.rotate()
    const fresh = this.last()
    fresh.previous = link.previous
    return records
  }

  /**
   * Damages something that was durable before the last disk write. False when there is nothing of
   * that kind: damage of the last write cannot be told from a torn one.
   */
  damage(kind: DamageKind, random: Random): boolean {
    this.load()
    // Values that replicas hold and send are views of these bytes: only the file is to be damaged.
    for (const segment of this.segments) segment.bytes = Buffer.from(segment.bytes ?? NOTHING)
    const loaded = this.load()
    const { walked } = examine(loaded)
    const places = walked.flatMap(({ records }, index) =>
      records.map(record => ({ record, bytes: loaded[index]?.bytes ?? NOTHING })),
    )
    const lastWrite = places.at(-1)?.record.batchStart ?? 0
    const older = places.filter(({ record }) => record.sequence < lastWrite)
    if (older.length < 2) return false
    const { record, bytes } = random.pick(older)
    const start = startOf(record)
    if (kind === 'segment') return this.misplaceSegment(random)
    if (kind === 'bit') {
      const at = random.between(start, record.end - 1)
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.between(0, 7)), at)
    } else if (kind === 'sector') {
      bytes.fill(0, start, Math.min(record.end, start + SECTOR))
    } else {
      const other = random.pick(older.filter(one => one.record !== record))
      // No further than the record: what is behind it may be the last write.
      const length = Math.min(sizeOf([record]), sizeOf([other.record]))
      const from = startOf(other.record)
      other.bytes.copy(bytes, start, from, from + length)
    }
    return true
  }

  /** A segment's file holds another one. */
  private misplaceSegment(random: Random): boolean {
    const [from, to] = random.shuffled(this.segments.slice(0, -1))
    if (from?.bytes == null || to === undefined) return false
    to.bytes = Buffer.from(from.bytes)
    return true
  }

  /** Every segment's file; the last one is closed by that, as by a crash. */
  private load(): LoadedSegment[] {
    return this.segments.map(segment => {
      segment.bytes ??= this.encode(segment).bytes
      const { number, bytes } = segment
      return { number, bytes, seed: readSegmentHeader(bytes, number) }
    })
  }

  /** `at`: where the records end, and what is stale begins. */
  private encode(segment: Segment): { bytes: Buffer; at: number } {
    const writes = segment.writes.map(records =>
      records.map(record => ({ payload: encodeRecord(record), slot: slotOf(record) })),
    )
    const size = writes.reduce((sum, records) => sum + sizeOf(records), SEGMENT_HEADER_BYTES)
    const bytes = Buffer.alloc(Math.max(size, segment.stale.length) + SECTOR)
    segment.stale.copy(bytes)
    encodeSegmentHeader(segment.number, segment.seed).copy(bytes)
    segment.previous ??= this.previousOf(segment)
    let link: Link = { sequence: segment.firstSequence, previous: segment.previous }
    let at = SEGMENT_HEADER_BYTES
    for (const records of writes) {
      link = encodeRecords(bytes.subarray(at), records, { seed: segment.seed, link })
      at += sizeOf(records)
    }
    segment.end = link
    return { bytes, at }
  }

  private previousOf(segment: Segment): number {
    const before = this.segments[this.segments.indexOf(segment) - 1]
    if (before === undefined) return 0
    if (before.end === null) before.bytes = this.encode(before).bytes
    return before.end?.previous ?? 0
  }

  private last(): Segment {
    const last = this.segments.at(-1)
    if (last === undefined) throw new Error('a log has a segment')
    return last
  }
}

function sizeOf(records: readonly Pick<NewRecord, 'payload'>[]): number {
  return records.reduce((sum, { payload }) => sum + recordBytes(payload), 0)
}

function startOf(record: WalRecord): number {
  return record.end - recordBytes(record.payload)
}
