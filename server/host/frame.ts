// Two forms of one message. On a channel it is a frame: u32 length of what follows, u32 length of
// the header, the header (JSON, with the length of each byte string in the place of its bytes), the
// byte strings one after the other. For people and plain POSTs it is JSON with {"base64": …}.
// Numbers are little endian. What arrives is checked against the schema before anyone sees it.

import { DecodeError } from '../bytes.ts'
import type { Message } from '../contract.ts'
import { FRAME_COPIED_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.ts'
import { messageSchema } from './message-schema.ts'
import type { Schema } from './schema.ts'

const PREFIX = 4
const EMPTY: Buffer = Buffer.alloc(0)

/** One message as a frame, the same bytes for all its receivers. */
export function encodeFrame(message: Message): Buffer {
  return encodeFrameOf(messageSchema, message)
}

/** The message in a frame without its first length, as `FrameReader` gives it. */
export function decodeFrame(frame: Buffer): Message {
  return decodeFrameOf(messageSchema, frame)
}

export function encodeFrameOf<T>(schema: Schema<T>, value: T): Buffer {
  const attached: Uint8Array[] = []
  let length = 0
  const json = schema.encode(value, bytes => {
    attached.push(bytes)
    length += bytes.length
    return bytes.length
  })
  const header = JSON.stringify(json)
  const headerLength = Buffer.byteLength(header)
  const frame = Buffer.allocUnsafe(2 * PREFIX + headerLength + length)
  frame.writeUInt32LE(PREFIX + headerLength + length, 0)
  frame.writeUInt32LE(headerLength, PREFIX)
  let at = 2 * PREFIX + frame.write(header, 2 * PREFIX)
  for (const bytes of attached) {
    frame.set(bytes, at)
    at += bytes.length
  }
  return frame
}

export function decodeFrameOf<T>(schema: Schema<T>, frame: Buffer): T {
  if (frame.length < PREFIX) throw new DecodeError('frame without a header')
  const start = PREFIX + frame.readUInt32LE(0)
  if (start > frame.length) throw new DecodeError('header longer than its frame')
  const raw = parse(frame.toString('utf8', PREFIX, start))
  const attached = attachments(frame, start)
  let at = 0
  const value = schema.decode(raw, placeholder => {
    if (typeof placeholder !== 'number' || !Number.isInteger(placeholder) || placeholder < 0) {
      throw new DecodeError('not the length of an attachment')
    }
    const end = at + placeholder
    if (end > attached.length) throw new DecodeError('attachment longer than its frame')
    const bytes = attached.subarray(at, end)
    at = end
    return bytes
  })
  if (at !== attached.length) throw new DecodeError('bytes behind the last attachment')
  return value
}

/** What a frame's values are views of: see FRAME_COPIED_BYTES_MAX. */
function attachments(frame: Buffer, start: number): Buffer {
  const part = frame.subarray(start)
  if (part.length === 0 || frame.length > FRAME_COPIED_BYTES_MAX) return part
  const copy = Buffer.allocUnsafeSlow(part.length)
  part.copy(copy)
  return copy
}

/** JSON for people: bytes are `{"base64": …}`. */
export function encodeJson<T>(schema: Schema<T>, value: T): string {
  return JSON.stringify(schema.encode(value, toBase64))
}

/** From JSON of people, who may also write bytes as a plain text, which stands for its UTF-8. */
export function decodeJson<T>(schema: Schema<T>, json: string): T {
  return schema.decode(parse(json), fromBase64)
}

function toBase64(bytes: Uint8Array): { readonly base64: string } {
  const { buffer, byteOffset, byteLength } = bytes
  return { base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
}

function fromBase64(raw: unknown): Uint8Array {
  if (typeof raw === 'string') return Buffer.from(raw, 'utf8')
  if (typeof raw === 'object' && raw !== null && 'base64' in raw) {
    const { base64 } = raw
    if (typeof base64 === 'string' && Object.keys(raw).length === 1) {
      const bytes = Buffer.from(base64, 'base64')
      if (bytes.toString('base64') === base64) return bytes
    }
  }
  throw new DecodeError('neither a text nor {"base64": …}')
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new DecodeError('not JSON', { cause })
  }
}

/** Cuts a stream of bytes into frames, whatever the chunks that it comes in. */
export class FrameReader {
  /** The frame under way, first length included, with room for all of it. */
  private partial: Buffer | null = null
  private filled = 0
  /** Fewer bytes than tell a frame's length. */
  private rest: Buffer = EMPTY

  /** Calls `onFrame` with each complete frame without its first length. */
  push(arrived: Buffer, onFrame: (frame: Buffer) => void): void {
    let chunk = arrived
    if (this.partial !== null) chunk = this.fill(this.partial, chunk, onFrame)
    if (this.rest.length > 0) chunk = Buffer.concat([this.rest, chunk])
    let at = 0
    while (chunk.length - at >= PREFIX) {
      const end = at + PREFIX + frameLength(chunk, at)
      if (end > chunk.length) {
        this.begin(chunk.subarray(at), end - at)
        return
      }
      onFrame(chunk.subarray(at + PREFIX, end))
      at = end
    }
    this.rest = at === chunk.length ? EMPTY : Buffer.from(chunk.subarray(at))
  }

  /** Adds to the frame under way; gives what belongs to the next ones. */
  private fill(partial: Buffer, chunk: Buffer, onFrame: (frame: Buffer) => void): Buffer {
    const taken = chunk.copy(partial, this.filled)
    this.filled += taken
    if (this.filled === partial.length) {
      this.partial = null
      onFrame(partial.subarray(PREFIX))
    }
    return chunk.subarray(taken)
  }

  private begin(start: Buffer, length: number): void {
    this.partial = Buffer.allocUnsafeSlow(length)
    this.filled = start.copy(this.partial)
    this.rest = EMPTY
  }
}

function frameLength(chunk: Buffer, at: number): number {
  const length = chunk.readUInt32LE(at)
  if (length < PREFIX || length > MESSAGE_BYTES_MAX) throw new DecodeError('length of a frame')
  return length
}
