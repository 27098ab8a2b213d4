// Reads protobuf, just what OTLP needs: a cursor over one buffer that moves down into messages and
// never past their ends. Short texts come from a table of those seen before: names of attributes are
// the same few dozen again and again, and making a string costs more than comparing it.

import { BadBody } from './otlp-span.ts'

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** Slots of the table, a power of two; texts longer than this are not kept. */
const TABLE_SLOTS = 4096
const TABLE_TEXT_BYTES = 32

export class ProtobufReader {
  at = 0
  /** End of the message that is being read. */
  end: number
  /** Of the field whose tag was read last. */
  field = 0
  wire = 0
  private readonly bytes: Buffer
  private readonly view: DataView
  private readonly table: (string | undefined)[]

  constructor(bytes: Buffer, table: (string | undefined)[] = newTextTable()) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = bytes.length
    this.table = table
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.at >= this.end) return false
    const tag = this.varint()
    this.wire = tag & 7
    this.field = Math.floor(tag / 8)
    if (this.field === 0) throw new BadBody('a field of a message has the number 0')
    return true
  }

  /** Unsigned; beyond 2^53 not exact. */
  varint(): number {
    const { bytes, end } = this
    let value = 0
    let factor = 1
    for (let count = 0; count < 10; count++) {
      if (this.at >= end) throw new BadBody('a message ends in the middle of a number')
      const byte = bytes[this.at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw new BadBody('a number is longer than ten bytes')
  }

  /** The number of a varint field. */
  unsigned(): number {
    this.expect(WIRE.varint)
    return this.varint()
  }

  /** An int64: negative ones are written as 2^64 less. */
  signed(): number {
    this.expect(WIRE.varint)
    const start = this.at
    const value = this.varint()
    if (value < 2 ** 63) return value
    this.at = start
    return Number(BigInt.asIntN(64, this.bigVarint()))
  }

  double(): number {
    this.expect(WIRE.fixed64)
    const at = this.skipped(8)
    return this.view.getFloat64(at, true)
  }

  /** A fixed64 of nanoseconds as whole microseconds, exact. */
  micros(): number {
    this.expect(WIRE.fixed64)
    const at = this.skipped(8)
    return microsOf(this.view.getUint32(at + 4, true), this.view.getUint32(at, true))
  }

  /** Enters the message of a length-delimited field; `leave` takes what this returns. */
  enter(): number {
    this.expect(WIRE.bytes)
    const length = this.varint()
    const outer = this.end
    const end = this.at + length
    if (end > outer) throw new BadBody('a message is longer than what it is in')
    this.end = end
    return outer
  }

  leave(outer: number): void {
    this.at = this.end
    this.end = outer
  }

  text(): string {
    const [start, end] = this.span()
    if (end - start > TABLE_TEXT_BYTES) return this.bytes.toString('utf8', start, end)
    return this.known(start, end)
  }

  hex(): string {
    const [start, end] = this.span()
    return this.bytes.toString('hex', start, end)
  }

  base64(bytesMax: number): string {
    const [start, end] = this.span()
    return this.bytes.toString('base64', start, Math.min(end, start + bytesMax))
  }

  /** Passes over the present field. */
  skip(): void {
    switch (this.wire) {
      case WIRE.varint:
        this.varint()
        return
      case WIRE.fixed64:
        this.skipped(8)
        return
      case WIRE.fixed32:
        this.skipped(4)
        return
      case WIRE.bytes:
        this.span()
        return
      default:
        throw new BadBody(`a field has the unknown wire type ${this.wire}`)
    }
  }

  private span(): readonly [start: number, end: number] {
    this.expect(WIRE.bytes)
    const length = this.varint()
    const start = this.skipped(length)
    return [start, start + length]
  }

  private expect(wire: number): void {
    if (this.wire !== wire) throw new BadBody(`field ${this.field} has another wire type`)
  }

  private skipped(length: number): number {
    const start = this.at
    if (start + length > this.end) throw new BadBody('a message ends in the middle of a field')
    this.at = start + length
    return start
  }

  private known(start: number, end: number): string {
    const { bytes, table } = this
    let hash = end - start
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0
    const slot = (hash ^ (hash >>> 12)) & (TABLE_SLOTS - 1)
    const found = table[slot]
    if (found !== undefined && isSame(found, bytes, start, end)) return found
    const text = bytes.toString('utf8', start, end)
    table[slot] = text
    return text
  }

  private bigVarint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++] ?? 0
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
}

/** For several readers in a row. */
export function newTextTable(): (string | undefined)[] {
  return new Array(TABLE_SLOTS).fill(undefined)
}

/** Whole µs of `high × 2^32 + low` nanoseconds, without what a double would lose. */
export function microsOf(high: number, low: number): number {
  // 2^32 = 4,294,967 × 1,000 + 296
  return high * 4_294_967 + Math.floor((high * 296 + low) / 1000)
}

/** Only texts of ASCII are found: others have fewer characters than bytes, or codes above 127. */
function isSame(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte > 0x7f || text.charCodeAt(at - start) !== byte) return false
  }
  return true
}
