// Running one write: at most once per (client, number), under its condition, with the next version
// of its shard. What is stored of it, the reply included, goes into the same transaction.

import { fnv1aBytes } from '../bytes.ts'
import type { Applied } from '../machine.ts'
import { DEFAULT_SESSION_BOUNDS, decodeSession, lookUp, type SessionBounds } from '../session.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import {
  dataKey,
  decodeVersioned,
  encodeVersioned,
  sessionKey,
  type Versioned,
} from './keyspace.ts'
import type { OpenSessions } from './open-sessions.ts'
import { type Condition, fingerprintOf, type Write, type WriteRequest } from './operation.ts'
import { decodeRunReply, encodeRunReply, type RefusedReply, type RunReply } from './reply.ts'
import type { ShardState } from './shard.ts'

export type WriteResult = {
  readonly reply: RunReply | RefusedReply
  /** The shard's record after it. */
  readonly state: ShardState
  readonly isRepeated: boolean
  /** It is the first that its client did here. */
  readonly isNewSession: boolean
}

const EMPTY = new Uint8Array(0)

/** The shard must be serving: the caller checked, in the same apply. */
export function runWrite(
  request: WriteRequest,
  state: ShardState,
  options: {
    shard: number
    applied: Applied
    transaction: StoreTransaction
    sessions: OpenSessions
    bounds?: SessionBounds
  },
): WriteResult {
  const { shard, applied, transaction, sessions, bounds = DEFAULT_SESSION_BOUNDS } = options
  const { session: id } = request
  const place = sessionKey(shard, id.client)
  const session = sessions.at(place, transaction)
  const fingerprint = fingerprintOf(request)
  const known = session.lookUp(id, fingerprint)
  if (known.type === 'repeated') {
    return { reply: decodeRunReply(known.reply), state, isRepeated: true, isNewSession: false }
  }
  if (known.type === 'mismatch') return refused('requestMismatch', state)
  if (known.type === 'expired') return refused('sessionExpired', state)
  const isNewSession = session.isNew
  const run = runOnce(request, state, { shard, slot: applied.slot, transaction })
  const reply = encodeRunReply(run.reply)
  session.remember({ id, fingerprint, reply, at: applied.wallMs }, bounds)
  sessions.change(place)
  return { ...run, isRepeated: false, isNewSession }
}

/** The reply of a write that has run already, as far as the store knows; null for any other. */
export function replyOfRun(
  request: WriteRequest,
  shard: number,
  store: Pick<StoreReader, 'get'>,
): RunReply | null {
  const stored = store.get(sessionKey(shard, request.session.client))
  const session = stored === undefined ? null : decodeSession(stored)
  const known = lookUp(session, request.session, fingerprintOf(request))
  return known.type === 'repeated' ? decodeRunReply(known.reply) : null
}

function refused(type: 'requestMismatch' | 'sessionExpired', state: ShardState): WriteResult {
  return { reply: { type }, state, isRepeated: false, isNewSession: false }
}

type Run = { readonly reply: RunReply; readonly state: ShardState }

function runOnce(
  request: WriteRequest,
  state: ShardState,
  options: { shard: number; slot: number; transaction: StoreTransaction },
): Run {
  const { slot, transaction } = options
  const { write, condition, key } = request
  const place = dataKey(options.shard, key)
  const stored = transaction.get(place)
  const current = stored === undefined ? null : decodeVersioned(stored)
  if (!holds(condition, current)) {
    return { reply: { type: 'conditionFailed', version: current?.version ?? 0, slot }, state }
  }
  if (write.op === 'delete' && current === null)
    return { reply: { type: 'noSuchKey', slot }, state }
  const version = state.version + 1
  const value = valueAfter(write, current)
  if (value === null) transaction.delete(place)
  else transaction.put(place, encodeVersioned(version, value))
  const answered = write.op === 'puthash' ? (current?.value ?? EMPTY) : EMPTY
  const reply: RunReply = { type: 'ok', version, value: answered, slot }
  return { reply, state: recounted(state, { key, version, current, value }) }
}

function holds(condition: Condition, current: Versioned | null): boolean {
  switch (condition.type) {
    case 'none':
      return true
    case 'ifAbsent':
      return current === null
    case 'ifPresent':
      return current !== null
    case 'ifVersion':
      return current?.version === condition.version
  }
}

/** null: the key is deleted. */
function valueAfter(write: Write, current: Versioned | null): Uint8Array | null {
  if (write.op === 'delete') return null
  if (write.op === 'put') return write.value
  const hash = fnv1aBytes(write.value, fnv1aBytes(current?.value ?? EMPTY))
  return Buffer.from(String(hash), 'latin1')
}

function recounted(
  state: ShardState,
  change: { key: string; version: number; current: Versioned | null; value: Uint8Array | null },
): ShardState {
  const { key, version, current, value } = change
  const before = current === null ? 0 : key.length + current.value.length
  const after = value === null ? 0 : key.length + value.length
  const keys = state.keys + (value === null ? 0 : 1) - (current === null ? 0 : 1)
  return { ...state, version, keys, bytes: state.bytes + after - before }
}
