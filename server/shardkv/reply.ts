// What a shardkv replica answers. Every outcome says whether it is definite: `unknown` alone may
// take effect yet, and is to be repeated with the same request number.

import { ByteReader, ByteWriter, DecodeError } from '../bytes.ts'

/** Outcomes of a request that was run: these are kept in sessions. */
export type RunReply =
  | {
      readonly type: 'ok'
      /** The key's version: for a read the one read, for a delete the one that the delete took. */
      readonly version: number
      /** A read's value, or puthash's previous value (empty if there was none); else empty. */
      readonly value: Uint8Array
      readonly slot: number
    }
  | { readonly type: 'noSuchKey'; readonly slot: number }
  /** The condition did not hold; `version` is the key's, 0 when it is absent. */
  | { readonly type: 'conditionFailed'; readonly version: number; readonly slot: number }

/** Outcomes of a request that was not run: it had no effect here, except `unknown`. */
export type RefusedReply =
  /** The same request number came with other content. */
  | { readonly type: 'requestMismatch' }
  /** It may have been run before; its reply is not kept any more. */
  | { readonly type: 'sessionExpired' }
  /** The shard belongs to group `gid` in configuration `config`, as far as is known here. */
  | {
      readonly type: 'wrongGroup'
      readonly config: number
      readonly gid: number
      readonly servers: readonly string[]
    }
  /** The shard is being handed over to this group; it serves again in a moment. */
  | { readonly type: 'shardMoving'; readonly config: number }
  | { readonly type: 'noGroup'; readonly config: number }
  | { readonly type: 'notLeader'; readonly leader: number | null }
  | { readonly type: 'overloaded' }
  | { readonly type: 'unknown' }

export type ShardkvReply = (RunReply | RefusedReply) & {
  /** Set on stale reads: µs since this replica last heard from a leader, 0 on the leader. */
  readonly staleMicros?: number
}

const RUN_TYPES = ['ok', 'noSuchKey', 'conditionFailed'] as const

export function encodeRunReply(reply: RunReply): Uint8Array {
  const writer = new ByteWriter(24).u8(RUN_TYPES.indexOf(reply.type)).uint(reply.slot)
  if (reply.type === 'noSuchKey') return writer.done()
  writer.uint(reply.version)
  return reply.type === 'ok' ? writer.bytes(reply.value).done() : writer.done()
}

export function decodeRunReply(bytes: Uint8Array): RunReply {
  const reader = new ByteReader(bytes)
  const type = RUN_TYPES[reader.u8()]
  const slot = reader.uint()
  if (type === 'noSuchKey') return { type, slot }
  const version = reader.uint()
  if (type === 'conditionFailed') return { type, slot, version }
  if (type === 'ok') return { type, slot, version, value: reader.bytes() }
  throw new DecodeError('run reply')
}
