// What clients ask of keys, and the form in which writes stand in a group's log.

import {
  type ByteReader,
  type ByteString,
  type ByteWriter,
  DecodeError,
  fnv1a,
  fnv1aBytes,
} from '../bytes.ts'
import type { RequestId } from '../session.ts'

/** What must hold of the key for a write to happen. Versions are those of `ETag`. */
export type Condition =
  | { readonly type: 'none' }
  | { readonly type: 'ifVersion'; readonly version: number }
  | { readonly type: 'ifAbsent' }
  /** `If-Match: *`: the key exists, whatever its version. */
  | { readonly type: 'ifPresent' }

export type Write =
  | { readonly op: 'put'; readonly value: Uint8Array }
  | { readonly op: 'delete' }
  /** New value = decimal FNV-1a 32 of previous + value; answers the previous value. */
  | { readonly op: 'puthash'; readonly value: Uint8Array }

export type ShardkvRequest =
  /** `key` is given as the characters of its UTF-8 bytes, here and everywhere inside. */
  | {
      readonly type: 'get'
      readonly key: ByteString
      readonly consistency: 'linearizable' | 'stale'
    }
  | {
      readonly type: 'write'
      readonly key: ByteString
      readonly write: Write
      readonly condition: Condition
      readonly session: RequestId
    }

export type WriteRequest = Extract<ShardkvRequest, { type: 'write' }>

const OPS = ['put', 'delete', 'puthash'] as const
const CONDITIONS = ['none', 'ifVersion', 'ifAbsent', 'ifPresent'] as const
const EMPTY = new Uint8Array(0)

/** op → the hash of what precedes the key where there is no condition, as nearly always. */
const PLAIN_HEADS: Readonly<Record<Write['op'], number>> = {
  put: fnv1a('put none 0 '),
  delete: fnv1a('delete none 0 '),
  puthash: fnv1a('puthash none 0 '),
}

/** Identifies the content of a write, so that a number used twice for different things is noticed. */
export function fingerprintOf(request: WriteRequest): number {
  const { key, write, condition } = request
  const head = fnv1a(key, headOf(write, condition))
  return write.op === 'delete' ? head : fnv1aBytes(write.value, head)
}

function headOf({ op }: Write, condition: Condition): number {
  if (condition.type === 'none') return PLAIN_HEADS[op]
  const version = condition.type === 'ifVersion' ? condition.version : 0
  return fnv1a(`${op} ${condition.type} ${version} `)
}

export function writeWriteRequest(writer: ByteWriter, request: WriteRequest): ByteWriter {
  const { key, write, condition, session } = request
  writer.u8(OPS.indexOf(write.op)).u8(CONDITIONS.indexOf(condition.type))
  writer.uint(condition.type === 'ifVersion' ? condition.version : 0)
  writer.byteString(session.client).uint(session.number).uint(session.acked)
  return writer.byteString(key).bytes(write.op === 'delete' ? EMPTY : write.value)
}

export function readWriteRequest(reader: ByteReader): WriteRequest {
  const op = OPS[reader.u8()]
  const conditionType = CONDITIONS[reader.u8()]
  const version = reader.uint()
  const session = { client: reader.byteString(), number: reader.uint(), acked: reader.uint() }
  const key = reader.byteString()
  const value = reader.bytes()
  if (op === undefined || conditionType === undefined) throw new DecodeError('write request')
  const condition: Condition =
    conditionType === 'ifVersion' ? { type: conditionType, version } : { type: conditionType }
  const write: Write = op === 'delete' ? { op } : { op, value }
  return { type: 'write', key, write, condition, session }
}
