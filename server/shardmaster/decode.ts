// JSON of the log and the store back into configurations and changes. Whatever is not exactly what
// this project writes is a DecodeError: the log or the store is then not what it must be.

import { DecodeError } from '../bytes.ts'
import type { Cause, Config, Partitioner } from './config.ts'
import type { Change, ShardmasterRequest } from './operation.ts'

type Json = Readonly<Record<string, unknown>>

/** The requests that wait until a quorum has confirmed the leader. */
export type ReadRequest = Extract<ShardmasterRequest, { type: 'plan' | 'query' | 'history' }>

/** JSON; `holders` is left out where it is the same as `shards`, which is nearly always. */
export function encodeConfig(config: Config): Uint8Array {
  const { holders, ...rest } = config
  const isSame = holders === config.shards
  return Buffer.from(JSON.stringify(isSame ? rest : { ...rest, holders }), 'utf8')
}

export function decodeConfig(bytes: Uint8Array): Config {
  const json = record(parse(bytes))
  const shards = gids(json.shards)
  return {
    num: whole(json.num),
    shards,
    holders: json.holders === undefined ? shards : gids(json.holders),
    groups: Object.fromEntries(
      Object.entries(record(json.groups)).map(([gid, servers]) => [gid, texts(servers)]),
    ),
    partitioner: partitioner(json.partitioner),
    cause: cause(json.cause),
    at: whole(json.at),
  }
}

export function decodeChange(value: unknown): Change {
  const json = record(value)
  const gid = whole(json.gid)
  if (json.op === 'join') return { op: json.op, gid, servers: texts(json.servers) }
  if (json.op === 'leave') return { op: json.op, gid }
  if (json.op === 'move') return { op: json.op, shard: whole(json.shard), gid }
  throw new DecodeError('change')
}

export function partitioner(value: unknown): Partitioner {
  if (value === 'hash' || value === 'first-byte') return value
  throw new DecodeError('partitioner')
}

/** Whether it is one of the requests that the machine gave to the log to be confirmed. */
export function isReadRequest(value: unknown): value is ReadRequest {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false
  return value.type === 'plan' || value.type === 'query' || value.type === 'history'
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    )
  } catch (cause) {
    throw new DecodeError('configuration: not JSON', { cause })
  }
}

function cause(value: unknown): Cause {
  const json = record(value)
  if (json.op === 'init') return { op: 'init' }
  return { ...decodeChange(json), actor: text(json.actor), reason: text(json.reason) }
}

export function record(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new DecodeError('not an object')
}

export function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new DecodeError('not a whole number')
}

export function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new DecodeError('not a text')
}

function texts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(text)
  throw new DecodeError('not a list')
}

/** Checked in place: there may be a million. */
function gids(value: unknown): readonly number[] {
  if (!Array.isArray(value)) throw new DecodeError('not a list')
  for (const gid of value) whole(gid)
  return value as number[]
}
