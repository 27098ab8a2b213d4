// Reads the log back after whatever happened to it. The records of one disk write may reach the
// disk in any order and in part; those of the write before it are all there, because a write starts
// only after the sync of the one before has returned. So behind a bad record:
//   - the next segment goes on exactly where the chain ended: it was cut by an earlier recovery;
//   - a valid later record of the same disk write, or nothing: a torn tail, never answered for: cut;
//   - a valid later record of a later disk write: the bad one had been durable. Cutting would forget
//     promises and votes (Paxos's acceptor amnesia), so it is refused.

import { isOutOfRoom, type WalFiles } from './wal-files.ts'
import {
  type Link,
  RECORD_HEADER_BYTES,
  readRecordAt,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentNumber,
  WalDamageError,
  type WalRecord,
} from './wal-segment.ts'

/** A segment that is only read from now on. `slotMax`: the highest slot of its records. */
export type SealedSegment = {
  readonly number: number
  readonly slotMax: number
  readonly bytes: number
}

export type Recovered = {
  /** Of all valid records, in order; views on the segments' buffers. */
  readonly payloads: readonly Buffer[]
  readonly sealed: readonly SealedSegment[]
  /** Segments prepared or begun, but without a single record. */
  readonly empty: readonly number[]
  readonly link: Link
}

const FIRST_LINK: Link = { sequence: 1, previous: 0 }
const ZEROS = Buffer.alloc(4096)
/** Read at once. */
const READ_BYTES = 128 * 1024

/** Reads all segments and cuts torn tails. Throws WalDamageError, with nothing changed. */
export async function recover(files: WalFiles): Promise<Recovered> {
  const segments = await loadSegments(files)
  const { walked, link } = examine(segments)
  const sealed = walked.map((found, index) => seal(files, segments[index], found))
  return {
    payloads: walked.flatMap(found => found.records.map(record => record.payload)),
    sealed: await Promise.all(sealed),
    empty: segments.slice(walked.length).map(segment => segment.number),
    link,
  }
}

/** What a segment's file holds, its header read. */
export type LoadedSegment = {
  readonly number: number
  readonly seed: number
  readonly bytes: Buffer
}

/** The records of one segment that continue the chain, and the offset behind the last of them. */
export type Walked = { readonly records: readonly WalRecord[]; readonly end: number }

/**
 * The whole chain of records, without input or output: of the first segments, in order, what each
 * contributes, and where the next record would stand. Throws WalDamageError.
 */
export function examine(segments: readonly LoadedSegment[]): {
  readonly walked: readonly Walked[]
  readonly link: Link
} {
  const walked: Walked[] = []
  let link: Link | null = segments[0] === undefined || segments[0].number === 1 ? FIRST_LINK : null
  for (const segment of segments) {
    const found = walk(segment, link)
    if (found.records.length === 0) break
    walked.push(found)
    link = linkBehind(found.records)
  }
  if (link === null) throw new WalDamageError(`${at(segments, 0)}: its first record is damaged`)
  refuseMisplacedFirst(segments[0], walked[0])
  refuseLaterRecords(segments, walked, link)
  return { walked, link }
}

async function loadSegments(files: WalFiles): Promise<readonly LoadedSegment[]> {
  const numbers = segmentNumbers(files.list())
  const segments: LoadedSegment[] = []
  for (const number of numbers) {
    const bytes = await load(files, segmentName(number))
    segments.push({ number, bytes, seed: readSegmentHeader(bytes, number) })
  }
  return segments
}

/** Of a folder's files, the segments, in order; throws when one is missing between others. */
export function segmentNumbers(names: readonly string[]): readonly number[] {
  const numbers = names
    .map(segmentNumber)
    .filter(number => number !== null)
    .sort((left, right) => left - right)
  numbers.forEach((number, index) => {
    const before = numbers[index - 1] ?? number - 1
    if (number !== before + 1) {
      throw new WalDamageError(`log segment ${segmentName(before + 1)} is missing`)
    }
  })
  return numbers
}

/** Most of a segment is zeros not written to yet: left untouched, they take no memory. */
async function load(files: WalFiles, name: string): Promise<Buffer> {
  const fd = files.open(name, 'existing')
  try {
    const bytes = Buffer.alloc(files.size(fd))
    const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, bytes.length))
    const zeros = Buffer.alloc(piece.length)
    for (let done = 0; done < bytes.length; ) {
      const wanted = piece.subarray(0, Math.min(piece.length, bytes.length - done))
      const count = await files.read(fd, wanted, done)
      if (count === 0) throw new WalDamageError(`log segment ${name}: ends before its size`)
      const isZero = piece.compare(zeros, 0, count, 0, count) === 0
      if (!isZero) piece.copy(bytes, done, 0, count)
      done += count
    }
    return bytes
  } finally {
    files.close(fd)
  }
}

/** The records that follow `link` from the segment's start (null: whatever comes first). */
function walk(segment: LoadedSegment, link: Link | null): Walked {
  const records: WalRecord[] = []
  let expected = link
  let end = SEGMENT_HEADER_BYTES
  for (;;) {
    const record = readRecordAt(segment.bytes, end, segment.seed)
    if (record === null || (expected !== null && !follows(record, expected))) break
    records.push(record)
    expected = { sequence: record.sequence + 1, previous: record.crc }
    end = record.end
  }
  return { records, end }
}

function follows(record: WalRecord, link: Link): boolean {
  return record.sequence === link.sequence && record.previous === link.previous
}

function linkBehind(records: readonly WalRecord[]): Link | null {
  const last = records.at(-1)
  return last === undefined ? null : { sequence: last.sequence + 1, previous: last.crc }
}

/**
 * Where older segments are gone, nothing says which record comes first: one of this segment's last,
 * written there by mistake, would even be followed by the next segment. But then earlier ones, which
 * it hides, stand behind it.
 */
function refuseMisplacedFirst(segment: LoadedSegment | undefined, found: Walked | undefined): void {
  const first = found?.records[0]
  if (segment === undefined || found === undefined || first === undefined) return
  for (const { sequence } of scan(segment, found.end)) {
    if (sequence >= first.sequence) continue
    throw new WalDamageError(
      `${at([segment], 0)}: it begins with record ${first.sequence}, but record ${sequence} is ` +
        'there too: its first record is damaged. Restore the data directory, or start this ' +
        'replica with an empty one.',
    )
  }
}

/** Throws if record `link.sequence` must have been durable: something written after it is here. */
function refuseLaterRecords(
  segments: readonly LoadedSegment[],
  walked: readonly Walked[],
  link: Link,
): void {
  const lastIndex = Math.max(0, walked.length - 1)
  segments.slice(lastIndex).forEach((segment, index) => {
    const from = index === 0 ? walked[lastIndex]?.end : undefined
    for (const record of scan(segment, from ?? SEGMENT_HEADER_BYTES)) {
      const isSameWrite = record.sequence > link.sequence && record.batchStart <= link.sequence
      if (record.sequence < link.sequence || isSameWrite) continue
      throw new WalDamageError(
        `${at(segments, lastIndex)}: record ${link.sequence} is damaged or missing, but record ` +
          `${record.sequence}, written after it was durable, is there. Not a torn tail: the log ` +
          'is left as it is. Restore the data directory, or start this replica with an empty one.',
      )
    }
  })
}

/** Every valid record anywhere behind `from`, whatever stands between. */
function* scan(segment: LoadedSegment, from: number): Generator<WalRecord> {
  const { bytes, seed } = segment
  for (let offset = from; offset < bytes.length; ) {
    const record = readRecordAt(bytes, offset, seed)
    if (record !== null) yield record
    if (record !== null) offset = record.end
    else offset += isZero(bytes, offset) ? ZEROS.length - RECORD_HEADER_BYTES : 1
  }
}

function isZero(bytes: Buffer, from: number): boolean {
  return bytes.readUInt8(from) === 0 && ZEROS.equals(bytes.subarray(from, from + ZEROS.length))
}

/** Cuts everything behind the last record: torn bytes, zeros, and what an earlier use left. */
async function seal(
  files: WalFiles,
  segment: LoadedSegment | undefined,
  found: Walked,
): Promise<SealedSegment> {
  if (segment === undefined) throw new Error('a walked segment was loaded')
  if (found.end < segment.bytes.length) {
    const fd = files.open(segmentName(segment.number), 'existing')
    try {
      files.truncate(fd, found.end)
      await files.sync(fd)
    } catch (error) {
      // The chain's links make the cut unnecessary for safety; a full disk must not stop a start.
      if (!isOutOfRoom(error)) throw error
    } finally {
      files.close(fd)
    }
  }
  const slotMax = found.records.reduce((most, record) => Math.max(most, record.slot), 0)
  return { number: segment.number, slotMax, bytes: found.end }
}

function at(segments: readonly LoadedSegment[], index: number): string {
  const segment = segments[index]
  return `log segment ${segment === undefined ? '(none)' : segmentName(segment.number)}`
}
