// What a log segment looks like, byte for byte. A segment is a preallocated file: a header, then
// records, then zeros or what an earlier use of the file left behind. All numbers little-endian.
//
//   header  magic 8 | format 4 | number 8 | seed 4 | crc 4 | 0 4
//   record  crc 4 | length 4 | previous 4 | batch 4 | sequence 8 | slot 8 | check 4 | payload
//
// `check` is the crc of the five fields before it, from its segment's random seed, so what an
// earlier use left behind never passes, nor what a client put into a value; `crc` goes on from it; `previous` is the crc of the record before it, in whatever segment, so nothing can be
// swapped, doubled or left out; `batch` says how many records of the same disk write precede it:
// all before those were durable when it was written (see wal-recovery.ts).

import { crc32c } from './crc32c.ts'

export const SEGMENT_HEADER_BYTES = 32
export const RECORD_HEADER_BYTES = 36
/** Where a record's `check` stands: it covers the fields from the length on. */
const CHECK_AT = 32
const MAGIC = Buffer.from('SHGLWAL\n', 'latin1')
const FORMAT = 1
const HIGH = 2 ** 32

/** The log's files cannot be what this program wrote; nothing was changed. */
export class WalDamageError extends Error {
  override readonly name = 'WalDamageError'
}

/** Where the next record stands: its sequence number and the crc of the one before it. */
export type Link = { readonly sequence: number; readonly previous: number }

export type WalRecord = {
  readonly crc: number
  readonly previous: number
  readonly sequence: number
  /** Sequence of the first record of the disk write that it came with. */
  readonly batchStart: number
  readonly slot: number
  /** A view on the segment's buffer. */
  readonly payload: Buffer
  /** Offset behind it. */
  readonly end: number
}

/** A record on its way to the disk. */
export type NewRecord = { readonly payload: Uint8Array; readonly slot: number }

export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.wal`
}

/** The number of a segment by its name, null for any other file. */
export function segmentNumber(name: string): number | null {
  return /^\d{16}\.wal$/.test(name) ? Number(name.slice(0, 16)) : null
}

export function encodeSegmentHeader(number: number, seed: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(FORMAT, 8)
  writeLong(header, number, 12)
  header.writeUInt32LE(seed, 20)
  header.writeUInt32LE(crc32c(header, 0, 0, 24), 24)
  return header
}

/** The seed of a segment; throws when its header is not that of segment `number`. */
export function readSegmentHeader(bytes: Buffer, number: number): number {
  const name = segmentName(number)
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) {
    throw new WalDamageError(`log segment ${name}: not a log segment, or its header is damaged`)
  }
  const format = bytes.readUInt32LE(8)
  if (format !== FORMAT) {
    throw new WalDamageError(
      `log segment ${name}: format ${format}, this program knows ${FORMAT}: written by a newer version?`,
    )
  }
  if (bytes.readUInt32LE(24) !== crc32c(bytes, 0, 0, 24)) {
    throw new WalDamageError(`log segment ${name}: its header is damaged`)
  }
  const written = readLong(bytes, 12)
  if (written !== number) {
    throw new WalDamageError(`log segment ${name}: holds segment ${written}, misplaced or copied`)
  }
  return bytes.readUInt32LE(20)
}

export function recordBytes(payload: Uint8Array): number {
  return RECORD_HEADER_BYTES + payload.length
}

/** Writes one disk write's records into `target` from its start; returns the link behind them. */
export function encodeRecords(
  target: Buffer,
  records: readonly NewRecord[],
  options: { readonly seed: number; readonly link: Link },
): Link {
  let { sequence, previous } = options.link
  let at = 0
  records.forEach((record, index) => {
    const end = at + recordBytes(record.payload)
    target.writeUInt32LE(record.payload.length, at + 4)
    target.writeUInt32LE(previous, at + 8)
    target.writeUInt32LE(index, at + 12)
    writeLong(target, sequence, at + 16)
    writeLong(target, record.slot, at + 24)
    target.set(record.payload, at + RECORD_HEADER_BYTES)
    const check = crc32c(target, options.seed, at + 4, at + CHECK_AT)
    target.writeUInt32LE(check, at + CHECK_AT)
    previous = crc32c(target, check, at + RECORD_HEADER_BYTES, end)
    target.writeUInt32LE(previous, at)
    sequence += 1
    at = end
  })
  return { sequence, previous }
}

/** The record at `at`, or null when no whole record of this segment's use stands there. */
export function readRecordAt(bytes: Buffer, at: number, seed: number): WalRecord | null {
  if (at + RECORD_HEADER_BYTES > bytes.length) return null
  const check = bytes.readUInt32LE(at + CHECK_AT)
  if (check !== crc32c(bytes, seed, at + 4, at + CHECK_AT)) return null
  const end = at + RECORD_HEADER_BYTES + bytes.readUInt32LE(at + 4)
  const crc = bytes.readUInt32LE(at)
  if (end > bytes.length || crc !== crc32c(bytes, check, at + RECORD_HEADER_BYTES, end)) return null
  const sequence = readLong(bytes, at + 16)
  return {
    crc,
    previous: bytes.readUInt32LE(at + 8),
    sequence,
    batchStart: sequence - bytes.readUInt32LE(at + 12),
    slot: readLong(bytes, at + 24),
    payload: bytes.subarray(at + RECORD_HEADER_BYTES, end),
    end,
  }
}

function writeLong(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % HIGH, at)
  target.writeUInt32LE(Math.floor(value / HIGH), at + 4)
}

function readLong(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * HIGH
}
