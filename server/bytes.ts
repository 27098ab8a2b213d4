// Bytes in and out of records, commands and store values: one growing writer, one checking reader.
// Byte strings are JavaScript strings of the characters 0–255, one per byte: cheap map keys which
// compare in byte order. `Buffer` is used as a plain byte type; nothing here does I/O.

import { assert } from './assert.ts'

/** A string whose every character is one byte (0–255); compares and sorts in byte order. */
export type ByteString = string

/** The bytes were not written by a `ByteWriter` in the expected shape. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

const LIMIT = 2 ** 53

/** Writers that are done leave their room to the next one: most of what is written is short. */
let spare: Buffer | null = null
const SPARE_BYTES = 4096

export class ByteWriter {
  private buffer: Buffer
  private length = 0

  /** `capacity`: room for so many bytes is made at once. */
  constructor(capacity = 0) {
    this.buffer = capacity > SPARE_BYTES ? Buffer.allocUnsafe(capacity) : takeSpare()
  }

  u8(value: number): this {
    this.reserve(1)
    this.buffer[this.length++] = value
    return this
  }

  u32(value: number): this {
    this.reserve(4)
    this.length = this.buffer.writeUInt32LE(value, this.length)
    return this
  }

  /** A whole number from 0 to 2^53 − 1, in one to eight bytes of seven bits, low bits first. */
  uint(value: number): this {
    // What cannot be read again must not get into a log.
    assert(value >= 0 && value < LIMIT, `${value} is a whole number from 0 to 2^53 − 1`)
    this.reserve(8)
    let rest = value
    while (rest >= 128) {
      this.buffer[this.length++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.buffer[this.length++] = rest
    return this
  }

  /** Length first, then the bytes. */
  bytes(value: Uint8Array): this {
    this.uint(value.length)
    return this.raw(value)
  }

  raw(value: Uint8Array): this {
    this.reserve(value.length)
    this.buffer.set(value, this.length)
    this.length += value.length
    return this
  }

  byteString(value: ByteString): this {
    this.uint(value.length)
    this.reserve(value.length)
    this.length += this.buffer.write(value, this.length, 'latin1')
    return this
  }

  /** Any text, as UTF-8. */
  text(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'))
  }

  json(value: unknown): this {
    return this.text(JSON.stringify(value))
  }

  /** What was written so far; the writer must not be used afterwards. */
  done(): Buffer {
    const { buffer, length } = this
    if (buffer.length !== SPARE_BYTES) return buffer.subarray(0, length)
    spare = buffer
    const bytes = Buffer.allocUnsafe(length)
    buffer.copy(bytes, 0, 0, length)
    return bytes
  }

  get size(): number {
    return this.length
  }

  private reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffer = grown
  }
}

function takeSpare(): Buffer {
  const taken = spare ?? Buffer.allocUnsafeSlow(SPARE_BYTES)
  spare = null
  return taken
}

/** Reads what a `ByteWriter` wrote; anything else is a `DecodeError`. */
export class ByteReader {
  private readonly buffer: Buffer
  private at = 0

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.buffer.length - this.at
  }

  u8(): number {
    this.need(1)
    const value = this.buffer[this.at++]
    return value === undefined ? 0 : value
  }

  u32(): number {
    this.need(4)
    const value = this.buffer.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  uint(): number {
    let value = 0
    let scale = 1
    for (let index = 0; index < 8; index++) {
      const byte = this.u8()
      value += (byte % 128) * scale
      if (byte < 128) {
        if (value >= LIMIT) throw new DecodeError('number out of range')
        return value
      }
      scale *= 128
    }
    throw new DecodeError('number too long')
  }

  /** A view on the underlying buffer, not a copy. */
  bytes(): Buffer {
    return this.raw(this.uint())
  }

  raw(length: number): Buffer {
    this.need(length)
    const value = this.buffer.subarray(this.at, this.at + length)
    this.at += length
    return value
  }

  byteString(): ByteString {
    const length = this.uint()
    this.need(length)
    const value = this.buffer.toString('latin1', this.at, this.at + length)
    this.at += length
    return value
  }

  text(): string {
    return this.bytes().toString('utf8')
  }

  json(): unknown {
    try {
      return JSON.parse(this.text())
    } catch (cause) {
      throw new DecodeError('not JSON', { cause })
    }
  }

  end(): void {
    if (this.remaining !== 0) throw new DecodeError('trailing bytes')
  }

  private need(length: number): void {
    if (this.remaining < length) throw new DecodeError('too few bytes')
  }
}

/** FNV-1a 32 over bytes given as characters 0–255 (the course's hash), unsigned. */
export function fnv1a(text: ByteString, seed = 0x811c9dc5): number {
  let hash = seed
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** FNV-1a 32 over bytes, unsigned; `seed` continues an earlier hash. */
export function fnv1aBytes(bytes: Uint8Array, seed = 0x811c9dc5): number {
  let hash = seed
  for (let index = 0; index < bytes.length; index++) {
    hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193)
  }
  return hash >>> 0
}
