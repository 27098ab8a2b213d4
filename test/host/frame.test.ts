import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DecodeError } from '../../server/bytes.ts'
import type { Message } from '../../server/contract.ts'
import { shardkvCalls, shardmasterCalls } from '../../server/host/call-schema.ts'
import {
  decodeFrame,
  decodeFrameOf,
  decodeJson,
  encodeFrame,
  encodeFrameOf,
  encodeJson,
  FrameReader,
} from '../../server/host/frame.ts'
import { messageSchema, REPLY_TYPES } from '../../server/host/message-schema.ts'
import type { Schema } from '../../server/host/schema.ts'
import { FRAME_COPIED_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../server/limits.ts'
import {
  ALL_BYTES,
  CONFIG,
  KV_REPLIES,
  KV_REQUESTS,
  MASTER_REPLIES,
  MASTER_REQUESTS,
  MESSAGES,
  ZERO,
} from '../support/message-samples.ts'

const test = suite('frame')

/** A copy, since decoding may reuse what it is given, and bytes as one type. */
function normal<T>(value: T): unknown {
  return JSON.parse(JSON.stringify(value, hexBytes))
}

function hexBytes(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') }
  const isBufferJson =
    typeof value === 'object' && value !== null && 'data' in value && Array.isArray(value.data)
  return isBufferJson ? { hex: Buffer.from(value.data as number[]).toString('hex') } : value
}

function assertRoundTrip<T>(schema: Schema<T>, value: T): void {
  const before = normal(value)
  const frame = encodeFrameOf(schema, value)
  assert.is(frame.readUInt32LE(0), frame.length - 4)
  assert.equal(normal(decodeFrameOf(schema, frame.subarray(4))), before, 'as a frame')
  assert.equal(normal(decodeJson(schema, encodeJson(schema, value))), before, 'as JSON')
  assert.equal(normal(value), before, 'encoding changes nothing')
}

test('every message survives both forms exactly', () => {
  for (const message of MESSAGES) assertRoundTrip(messageSchema, message)
  const types = new Set(MESSAGES.map(message => message.type))
  assert.is(types.size, 20, 'all types are there')
})

test('every request and reply survives both forms exactly', () => {
  for (const request of KV_REQUESTS) assertRoundTrip(shardkvCalls.request, request)
  for (const reply of KV_REPLIES) assertRoundTrip(shardkvCalls.reply, reply)
  for (const request of MASTER_REQUESTS) assertRoundTrip(shardmasterCalls.request, request)
  for (const reply of MASTER_REPLIES) assertRoundTrip(shardmasterCalls.reply, reply)
})

test('any keys and values survive', () => {
  const key = fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes).toString('latin1'))
  const entry = fc.tuple(key, fc.uint8Array({ maxLength: 300 }))
  const chunk = fc.record({
    type: fc.constant('snapshotChunk' as const),
    slot: fc.maxSafeNat(),
    after: key,
    entries: fc.array(entry),
    isLast: fc.boolean(),
    checksum: fc.nat(),
  })
  fc.assert(fc.property(chunk, message => assertRoundTrip(messageSchema, message)))
})

test('a value of a small frame does not pin the chunk that it came in', () => {
  const accept: Message = { ...acceptOf(Buffer.from('small')) }
  const chunk = Buffer.concat([encodeFrame(accept), Buffer.alloc(FRAME_COPIED_BYTES_MAX)])
  const decoded = decodeFrame(chunk.subarray(4, encodeFrame(accept).length))
  if (decoded.type !== 'accept') throw new Error('not an accept')
  assert.is(decoded.value.buffer.byteLength, 5)
  chunk.fill(0)
  assert.is(Buffer.from(decoded.value).toString(), 'small')
})

test('replies are among the messages that can answer', () => {
  const types = new Set(MESSAGES.map(message => message.type))
  for (const [request, replies] of Object.entries(REPLY_TYPES)) {
    assert.ok(types.has(request as Message['type']))
    for (const reply of replies) assert.ok(types.has(reply))
  }
})

const BAD: readonly (readonly [why: string, json: string])[] = [
  ['no JSON', '{'],
  ['no object', '[]'],
  ['null', 'null'],
  ['no type', '{}'],
  ['an unknown type', '{"type":"chat"}'],
  ['a type of Object.prototype', '{"type":"constructor"}'],
  ['a missing field', '{"type":"fetch"}'],
  ['an unknown field', '{"type":"fetch","from":1,"to":2}'],
  ['a field named __proto__', '{"type":"fetch","from":1,"__proto__":{"a":1}}'],
  ['a slot below 0', '{"type":"fetch","from":-1}'],
  ['a slot of 2^53', '{"type":"fetch","from":9007199254740992}'],
  ['a slot of 2^63', '{"type":"fetch","from":9223372036854775808}'],
  ['half a slot', '{"type":"fetch","from":1.5}'],
  ['a slot as a text', '{"type":"fetch","from":"1"}'],
  ['an infinite slot', '{"type":"fetch","from":1e999}'],
  ['a ballot without a replica', '{"type":"handOver","ballot":{"round":1,"incarnation":"a"}}'],
  [
    'an incarnation that is not hex',
    '{"type":"handOver","ballot":{"round":1,"replica":0,"incarnation":"xyz"}}',
  ],
  [
    'an incarnation without end',
    `{"type":"handOver","ballot":{"round":1,"replica":0,"incarnation":"${'a'.repeat(65)}"}}`,
  ],
  ['a cursor above 255', '{"type":"snapshotFetch","slot":1,"cursor":"\\u0100"}'],
  ['a cursor without end', `{"type":"snapshotFetch","slot":1,"cursor":"${'a'.repeat(1979)}"}`],
  ['a formation without members', '{"type":"hello","formation":{"id":"a"}}'],
  ['a boolean as a number', '{"type":"hello","formation":0}'],
  ['too many members', `{"type":"hello","formation":{"id":"a","members":[${manyMembers()}]}}`],
  ['a list as an object', '{"type":"configPoll","after":1,"sizes":{"length":1}}'],
  ['bytes that are no base64', acceptJson('{"base64":"?"}')],
  ['base64 with a tail', acceptJson('{"base64":"YQ==YQ=="}')],
  ['bytes with another field', acceptJson('{"base64":"","x":1}')],
  ['bytes as a number', acceptJson('5')],
  [
    'a group that is no gid',
    JSON.stringify({
      type: 'configs',
      after: 0,
      configs: [{ ...CONFIG, groups: { x: [] } }],
      latest: 3,
    }),
  ],
]

function manyMembers(): string {
  return Array.from({ length: 101 }, () => '{"replica":0,"incarnation":"a"}').join(',')
}

function acceptOf(value: Uint8Array): Message {
  return { type: 'accept', ballot: ZERO, slot: 1, value, decided: 0, confirm: 0, sentAt: 0 }
}

function acceptJson(value: string): string {
  const json = JSON.stringify({ ...acceptOf(ALL_BYTES), value: 'HERE' })
  return json.replace('"HERE"', () => value)
}

for (const [why, json] of BAD) {
  test(`a message with ${why} is refused`, () => {
    assert.throws(() => decodeJson(messageSchema, json), isDecodeError)
    const header = Buffer.from(json)
    assert.throws(() => decodeFrame(frameOf(header)), isDecodeError)
  })
}

test('bytes may be written as a text by people', () => {
  const decoded = decodeJson(messageSchema, acceptJson('"hé"'))
  assert.equal(normal(decoded), normal(acceptOf(Buffer.from('hé'))))
})

test('a frame whose lengths do not fit is refused', () => {
  const frame = encodeFrame(acceptOf(ALL_BYTES)).subarray(4)
  assert.throws(() => decodeFrame(frame.subarray(0, frame.length - 1)), isDecodeError)
  assert.throws(() => decodeFrame(Buffer.concat([frame, Buffer.alloc(1)])), isDecodeError)
  assert.throws(() => decodeFrame(Buffer.alloc(0)), isDecodeError)
  assert.throws(() => decodeFrame(Buffer.alloc(3)), isDecodeError)
  const longHeader = Buffer.from(frame)
  longHeader.writeUInt32LE(2 ** 31, 0)
  assert.throws(() => decodeFrame(longHeader), isDecodeError)
  for (const length of ['-1', '0.5', '257', '9007199254740992', 'null']) {
    const json = acceptJson(length)
    const bad = Buffer.concat([frameOf(Buffer.from(json)), ALL_BYTES])
    assert.throws(() => decodeFrame(bad), isDecodeError, length)
  }
})

test('lengths that only fit together are refused', () => {
  const { from, first, decided } = { from: 1, first: 1, decided: 1 }
  const entries = [-1, 257].map(value => ({ slot: 1, value }))
  const json = JSON.stringify({ type: 'entries', from, entries, first, decided })
  const frame = Buffer.concat([frameOf(Buffer.from(json)), ALL_BYTES])
  assert.throws(() => decodeFrame(frame), isDecodeError)
  const plain = encodeFrame({ type: 'fetch', from: 1 }).subarray(4)
  plain.writeUInt32LE(plain.length - 3, 0)
  assert.throws(() => decodeFrame(plain), isDecodeError)
})

test('frames come out whole, whatever the chunks they came in', () => {
  const frames = [...MESSAGES, acceptOf(Buffer.alloc(100_000, 7))].map(encodeFrame)
  const stream = Buffer.concat(frames)
  for (const size of [1, 2, 3, 5, 7, 64, 1000, 65_536, stream.length]) {
    const reader = new FrameReader()
    const got: Buffer[] = []
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size), frame => got.push(Buffer.from(frame)))
    }
    assert.is(got.length, frames.length, `chunks of ${size}`)
    for (const [index, frame] of frames.entries()) {
      assert.ok(frame.subarray(4).equals(got[index]!), `chunks of ${size}, frame ${index}`)
    }
  }
})

test('a length that no frame has is refused before anything is kept for it', () => {
  for (const length of [0, 3, MESSAGE_BYTES_MAX + 1, 2 ** 32 - 1]) {
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32LE(length)
    assert.throws(() => new FrameReader().push(prefix, () => {}), isDecodeError)
  }
})

test('mutated frames are refused or are valid messages, and never anything else', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e6)
  const random = splitmix(seed)
  const frames = MESSAGES.map(message => encodeFrame(message).subarray(4))
  const outcomes = { valid: 0, refused: 0 }
  let slowest = 0
  for (let round = 0; round < 100_000; round++) {
    const frame = mutate(frames[random() % frames.length]!, random)
    const startedAt = performance.now()
    try {
      const message = decodeFrame(frame)
      slowest = Math.max(slowest, performance.now() - startedAt)
      outcomes.valid += 1
      assertRoundTrip(messageSchema, message)
    } catch (error) {
      if (!isDecodeError(error)) throw new Error(`seed ${seed}, round ${round}`, { cause: error })
      outcomes.refused += 1
    }
  }
  assert.ok(outcomes.refused > 10_000, `seed ${seed}: ${JSON.stringify(outcomes)}`)
  assert.ok(outcomes.valid > 100, `seed ${seed}: ${JSON.stringify(outcomes)}`)
  assert.ok(slowest < 50, `seed ${seed}: ${slowest} ms`)
})

/** One to three of: a bit flipped, a byte replaced, a part cut out, doubled or exchanged. */
function mutate(original: Buffer, random: () => number): Buffer {
  let frame: Buffer = Buffer.from(original)
  for (let left = 1 + (random() % 3); left > 0 && frame.length > 0; left--) {
    const at = random() % frame.length
    const length = random() % 8
    const kind = random() % 5
    if (kind === 0) frame[at] = frame[at]! ^ (1 << (random() % 8))
    else if (kind === 1) frame[at] = '0129-"{}[],:.ena\u00ff'.charCodeAt(random() % 17)
    else if (kind === 2) frame = splice(frame, at, length, Buffer.alloc(0))
    else if (kind === 3) frame = splice(frame, at, 0, frame.subarray(at, at + length))
    else frame = splice(frame, at, length, Buffer.from('null'))
  }
  return frame
}

/** Keeps the header's length right half of the time, so that mutations get past it. */
function splice(frame: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  const result = Buffer.concat([frame.subarray(0, at), added, frame.subarray(at + removed)])
  const cut = Math.min(removed, frame.length - at)
  if (at >= 4 && at % 2 === 0 && result.length >= 4) {
    const header = frame.readUInt32LE(0) + added.length - cut
    result.writeUInt32LE(Math.max(0, header) >>> 0, 0)
  }
  return result
}

function frameOf(header: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(header.length)
  return Buffer.concat([length, header])
}

function isDecodeError(error: unknown): boolean {
  return error instanceof DecodeError
}

function splitmix(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

test.run()
