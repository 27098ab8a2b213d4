// The commands of a shardkv group's log, as bytes. What cannot be decoded was written by a newer
// version, or is damaged: a broken invariant, for every replica must run the same commands.

import { ByteReader, type ByteString, ByteWriter, DecodeError } from '../bytes.ts'
import type { Config } from '../shardmaster/config.ts'
import { decodeConfig, encodeConfig } from '../shardmaster/decode.ts'
import type { StoreEntry } from '../store.ts'
import type { ShardTotal } from './message.ts'
import { readWriteRequest, type WriteRequest, writeWriteRequest } from './operation.ts'

export type Command =
  | { readonly type: 'write'; readonly request: WriteRequest }
  /** Follow this configuration; has no effect unless it is the next one and may be adopted. */
  | { readonly type: 'config'; readonly config: Config }
  /** A part of a shard that comes in: what follows `after`; `total` is set on the last. */
  | {
      readonly type: 'receive'
      readonly config: number
      readonly shard: number
      readonly after: ByteString
      readonly entries: readonly StoreEntry[]
      readonly total: ShardTotal | null
    }
  /** The receiver's log holds the whole shard as of this configuration. */
  | { readonly type: 'release'; readonly config: number; readonly shard: number }
  /** Delete the next keys of a released shard. */
  | { readonly type: 'sweep'; readonly shard: number }
  /** Look at the next sessions of a shard for idle ones. */
  | { readonly type: 'expire'; readonly shard: number; readonly after: ByteString }

const KINDS = ['write', 'config', 'receive', 'release', 'sweep', 'expire'] as const

export function encodeCommand(command: Command): Uint8Array {
  const writer = new ByteWriter().u8(KINDS.indexOf(command.type))
  switch (command.type) {
    case 'write':
      return writeWriteRequest(writer, command.request).done()
    case 'config':
      return writer.bytes(encodeConfig(command.config)).done()
    case 'receive':
      writer.uint(command.config).uint(command.shard).byteString(command.after)
      writer.uint(command.entries.length)
      for (const [key, value] of command.entries) writer.byteString(key).bytes(value)
      return writeTotal(writer, command.total).done()
    case 'release':
      return writer.uint(command.config).uint(command.shard).done()
    case 'sweep':
      return writer.uint(command.shard).done()
    case 'expire':
      return writer.uint(command.shard).byteString(command.after).done()
  }
}

export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new ByteReader(bytes)
  const command = readCommand(reader)
  reader.end()
  return command
}

function readCommand(reader: ByteReader): Command {
  const type = KINDS[reader.u8()]
  switch (type) {
    case 'write':
      return { type, request: readWriteRequest(reader) }
    case 'config':
      return { type, config: decodeConfig(reader.bytes()) }
    case 'receive': {
      const config = reader.uint()
      const shard = reader.uint()
      const after = reader.byteString()
      const entries: StoreEntry[] = []
      for (let left = reader.uint(); left > 0; left--) {
        entries.push([reader.byteString(), reader.bytes()])
      }
      return { type, config, shard, after, entries, total: readTotal(reader) }
    }
    case 'release':
      return { type, config: reader.uint(), shard: reader.uint() }
    case 'sweep':
      return { type, shard: reader.uint() }
    case 'expire':
      return { type, shard: reader.uint(), after: reader.byteString() }
    default:
      throw new DecodeError('command of an unknown kind')
  }
}

function writeTotal(writer: ByteWriter, total: ShardTotal | null): ByteWriter {
  if (total === null) return writer.u8(0)
  return writer.u8(1).uint(total.keys).uint(total.bytes).uint(total.version)
}

function readTotal(reader: ByteReader): ShardTotal | null {
  if (reader.u8() === 0) return null
  return { keys: reader.uint(), bytes: reader.uint(), version: reader.uint() }
}
