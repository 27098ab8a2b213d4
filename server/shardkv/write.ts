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
  storedLength,
  storedValue,
  type Versioned,
} from './keyspace.ts'
import type { OpenSessions } from './open-sessions.ts'
import { type Condition, fingerprintOf, type Write, type WriteRequest } from './operation.ts'
import { decodeRunReply, encodeRunReply, type RefusedReply, type RunReply } from './reply.ts'
import type { ShardState } from './shard.ts'

export type WriteResult = {
  readonly reply: RunReply | RefusedReply
  /** The shard's record is another one now. */
  readonly isChanged: boolean
  readonly isRepeated: boolean
  /** It is the first that its client did here. */
  readonly isNewSession: boolean
}

const EMPTY = new Uint8Array(0)

/** The shard must be serving: the caller checked, in the same apply. Counts in its record. */
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
    return { reply: decodeRunReply(known.reply), ...UNCHANGED, isRepeated: true }
  }
  if (known.type === 'mismatch') return refused('requestMismatch')
  if (known.type === 'expired') return refused('sessionExpired')
  const isNewSession = session.isNew
  const before = state.version
  const reply = runOnce(request, state, { shard, slot: applied.slot, transaction })
  const kept = encodeRunReply(reply)
  session.remember({ id, fingerprint, reply: kept, at: applied.wallMs }, bounds)
  sessions.change(place)
  return { reply, isChanged: state.version !== before, isRepeated: false, isNewSession }
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

const UNCHANGED = { isChanged: false, isRepeated: false, isNewSession: false } as const

function refused(type: 'requestMismatch' | 'sessionExpired'): WriteResult {
  return { reply: { type }, ...UNCHANGED }
}

function runOnce(
  request: WriteRequest,
  state: ShardState,
  options: { shard: number; slot: number; transaction: StoreTransaction },
): RunReply {
  const { slot, transaction } = options
  const { write, condition, key } = request
  const place = dataKey(options.shard, key)
  const stored = transaction.get(place)
  const current = stored === undefined ? null : decodeVersioned(stored)
  if (!holds(condition, current)) {
    return { type: 'conditionFailed', version: current?.version ?? 0, slot }
  }
  if (write.op === 'delete' && current === null) return { type: 'noSuchKey', slot }
  const version = state.version + 1
  // Read before the new one is put: it is a view on what the store holds.
  const previous = write.op === 'puthash' && current !== null ? storedValue(current) : EMPTY
  const value = valueAfter(write, previous)
  if (value === null) transaction.delete(place)
  else transaction.put(place, encodeVersioned(version, value))
  count(state, { key, version, current, value })
  return { type: 'ok', version, value: previous, slot }
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
function valueAfter(write: Write, previous: Uint8Array): Uint8Array | null {
  if (write.op === 'delete') return null
  if (write.op === 'put') return write.value
  const hash = fnv1aBytes(write.value, fnv1aBytes(previous))
  return Buffer.from(String(hash), 'latin1')
}

function count(
  state: ShardState,
  change: { key: string; version: number; current: Versioned | null; value: Uint8Array | null },
): void {
  const { key, version, current, value } = change
  const before = current === null ? 0 : key.length + storedLength(current)
  const after = value === null ? 0 : key.length + value.length
  state.version = version
  state.keys += (value === null ? 0 : 1) - (current === null ? 0 : 1)
  state.bytes += after - before
}
