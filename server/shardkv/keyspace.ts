// Where what stands in a group's store. All that belongs to a shard, data and sessions, is one range
// of keys, so that it can be handed over and deleted as one.

import { type ByteString, DecodeError } from '../bytes.ts'
import { prefixRange, type StoreRange } from '../store.ts'

/** The adopted configuration. */
export const CONFIG_KEY = 'c'
/** gid → servers, for every group that ever was in a configuration. */
export const GROUPS_KEY = 'g'
/** Shard records: phase, counters. */
export const SHARD_RECORDS: StoreRange = prefixRange('h')

const DATA = 'd'
const SESSION = 's'

/** Prefixes of shards are made once: they are on the path of every request. */
const prefixes: string[] = []

export function shardPrefix(shard: number): ByteString {
  let prefix = prefixes[shard]
  if (prefix === undefined) {
    prefix = `k${number4(shard)}`
    prefixes[shard] = prefix
  }
  return prefix
}

export function shardRecordKey(shard: number): ByteString {
  return `h${number4(shard)}`
}

export function shardOfRecordKey(key: ByteString): number {
  return Buffer.from(key.slice(1), 'latin1').readUInt32BE(0)
}

function number4(value: number): ByteString {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

export function dataKey(shard: number, key: ByteString): ByteString {
  return shardPrefix(shard) + DATA + key
}

export function sessionKey(shard: number, client: string): ByteString {
  return shardPrefix(shard) + SESSION + client
}

/** All of a shard that comes after `cursor`, a key relative to the shard ('' for all). */
export function shardRangeAfter(shard: number, cursor: ByteString): StoreRange {
  const prefix = shardPrefix(shard)
  const { to } = prefixRange(prefix)
  return { from: cursor === '' ? prefix : `${prefix}${cursor}\0`, to }
}

/** The shard's sessions after the given client ('' for all). */
export function sessionRangeAfter(shard: number, client: string): StoreRange {
  const { to } = prefixRange(shardPrefix(shard) + SESSION)
  const from = sessionKey(shard, client)
  return { from: client === '' ? from : `${from}\0`, to }
}

/** A store key without its shard's prefix. */
export function relativeKey(key: ByteString): ByteString {
  return key.slice(5)
}

export function isData(relative: ByteString): boolean {
  return relative.startsWith(DATA)
}

/** A value in the store: the version first, in bytes of seven bits as ByteWriter writes it. */
export type Versioned = {
  readonly version: number
  readonly stored: Uint8Array
  /** Where in `stored` the value begins. */
  readonly start: number
}

const MORE = 128
/** 2^53 has no more bytes of seven bits. */
const HEAD_BYTES_MAX = 8

/** Written by hand, like its reading: both are on the way of every write. */
export function encodeVersioned(version: number, value: Uint8Array): Uint8Array {
  let head = 1
  for (let rest = version; rest >= MORE; rest = Math.floor(rest / MORE)) head += 1
  const stored = Buffer.allocUnsafe(head + value.length)
  let rest = version
  for (let at = 0; at < head - 1; at++) {
    stored[at] = (rest % MORE) + MORE
    rest = Math.floor(rest / MORE)
  }
  stored[head - 1] = rest
  stored.set(value, head)
  return stored
}

/** The value itself stays where it is: most who ask need its length alone. */
export function decodeVersioned(stored: Uint8Array): Versioned {
  let version = 0
  let scale = 1
  for (let at = 0; at < HEAD_BYTES_MAX; at++) {
    const byte = stored[at]
    if (byte === undefined) throw new DecodeError('value without a version')
    version += (byte % MORE) * scale
    if (byte < MORE) return { version, stored, start: at + 1 }
    scale *= MORE
  }
  throw new DecodeError('version too long')
}

/** A view on what is stored. */
export function storedValue({ stored, start }: Versioned): Uint8Array {
  return stored.subarray(start)
}

export function storedLength({ stored, start }: Versioned): number {
  return stored.length - start
}
