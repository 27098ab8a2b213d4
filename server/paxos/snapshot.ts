// A snapshot: the whole store of another replica as of one applied slot, in chunks, while that one
// goes on. The receiver fills a replacement of its own store, puts it in place in one step, and
// continues with the log behind it. A transfer resumes after its cursor as long as the source still
// holds the view; otherwise it begins anew with a newer one.

import { type ByteString, fnv1a, fnv1aBytes } from '../bytes.ts'
import type { Sender } from '../contract.ts'
import type { StoreEntry, StoreReplacement, StoreSnapshot } from '../store.ts'
import { otherThan } from './catch-up.ts'
import type { PaxosMessage, Slot } from './message.ts'
import { stepDown } from './proposer.ts'
import type { PeerState } from './state.ts'

/** The view that is being read from; one at a time, shared by all that ask. */
export type SnapshotSource = {
  readonly slot: Slot
  readonly view: StoreSnapshot
  usedAt: number
  /** replica → what it was sent of it. */
  readonly sent: Map<number, Progress & { readonly startedAt: number }>
}

/** How much has gone over, repeated parts included. */
type Progress = { chunks: number; keys: number; bytes: number }

/** What is being received. Slot 0: no chunk came yet. */
export type SnapshotTarget = {
  readonly source: number
  slot: Slot
  cursor: ByteString
  replacement: StoreReplacement | null
  askedAt: number
  tries: number
  readonly startedAt: number
  readonly received: Progress
}

type Chunk = Extract<PaxosMessage, { type: 'snapshotChunk' }>

/** All keys: none begins with the byte 0xff. */
const ALL_KEYS_END = '\xff'
/** Two seconds without an answer: the source is gone, and another one holds a newer view anyway. */
const TRIES_MAX = 4

export function onSnapshotFetch(
  state: PeerState,
  from: Sender,
  message: Extract<PaxosMessage, { type: 'snapshotFetch' }>,
): void {
  const source = viewFor(state, message.slot)
  if (source === null) return
  source.usedAt = state.now
  const after = message.slot === source.slot ? message.cursor : ''
  const chunk = readChunk(source, after, state.settings.snapshotChunkBytes)
  state.effects.send(from.replica, chunk)
  const { replica } = from
  const begun = after === '' ? undefined : source.sent.get(replica)
  const sent = begun ?? { chunks: 0, keys: 0, bytes: 0, startedAt: state.now }
  count(sent, chunk)
  source.sent.set(replica, sent)
  if (!chunk.isLast) return
  source.sent.delete(replica)
  state.effects.event({ type: 'snapshotSent', slot: source.slot, to: replica, ...sent })
}

function count(progress: Progress, { entries }: Chunk): void {
  progress.chunks += 1
  progress.keys += entries.length
  for (const [key, value] of entries) progress.bytes += key.length + value.length
}

/** The view asked for; a new one when that is gone, or when its slot's log is gone already. */
function viewFor(state: PeerState, slot: Slot): SnapshotSource | null {
  const held = state.snapshotSource
  const isUseful = held !== null && held.slot + 1 >= state.log.first
  if (held !== null && (held.slot === slot || (slot === 0 && isUseful))) return held
  if (state.applied === 0) return null
  held?.view.close()
  state.snapshotSource = {
    slot: state.applied,
    view: state.store.snapshot(),
    usedAt: state.now,
    sent: new Map(),
  }
  return state.snapshotSource
}

function readChunk(source: SnapshotSource, after: ByteString, bytesMax: number): Chunk {
  const entries: StoreEntry[] = []
  let bytes = 0
  let isLast = true
  const from = after === '' ? '' : `${after}\0`
  for (const entry of source.view.range({ from, to: ALL_KEYS_END })) {
    if (bytes >= bytesMax) {
      isLast = false
      break
    }
    entries.push(entry)
    bytes += entry[0].length + entry[1].length
  }
  const checksum = checksumOf(entries)
  return { type: 'snapshotChunk', slot: source.slot, after, entries, isLast, checksum }
}

/** Lets a view go that nobody has read from for a while. */
export function closeIdleSnapshot(state: PeerState): void {
  const held = state.snapshotSource
  if (held === null || state.now - held.usedAt < state.settings.snapshotIdle) return
  held.view.close()
  state.snapshotSource = null
}

/** Asks for the next chunk, again after a time without answer, in the end from another replica. */
export function requestSnapshot(state: PeerState, target: SnapshotTarget): void {
  if (state.now - target.askedAt < state.settings.fetchTimeout) return
  target.tries += 1
  if (target.tries > TRIES_MAX) {
    abandon(state, target)
    state.catchUp.source = otherThan(state, target.source)
    return
  }
  ask(state, target)
}

function ask(state: PeerState, target: SnapshotTarget): void {
  target.askedAt = state.now
  const { slot, cursor } = target
  state.effects.send(target.source, { type: 'snapshotFetch', slot, cursor })
}

function abandon(state: PeerState, target: SnapshotTarget): void {
  target.replacement?.abort()
  state.catchUp.snapshot = null
  state.catchUp.fetch = null
}

/** Returns whether the store was replaced: the state machine must then load anew. */
export function onSnapshotChunk(state: PeerState, from: Sender, chunk: Chunk): boolean {
  const target = state.catchUp.snapshot
  if (target === null || from.replica !== target.source) return false
  if (checksumOf(chunk.entries) !== chunk.checksum) return false
  if (state.log.decided >= chunk.slot) {
    // The log has got there on its own: no step back.
    abandon(state, target)
    return false
  }
  if (chunk.slot !== target.slot) {
    if (chunk.after !== '' || chunk.slot < target.slot) return false
    target.replacement?.abort()
    target.slot = chunk.slot
    target.replacement = state.store.beginReplacement()
  } else if (chunk.after !== target.cursor) return false
  target.replacement?.put(chunk.entries)
  count(target.received, chunk)
  target.cursor = chunk.entries.at(-1)?.[0] ?? target.cursor
  target.tries = 0
  if (chunk.isLast) return install(state, target)
  ask(state, target)
  return false
}

function install(state: PeerState, target: SnapshotTarget): boolean {
  const from = state.log.decided + 1
  const behindSince = state.catchUp.behindSince ?? target.startedAt
  // What is open here was decided elsewhere, perhaps otherwise.
  stepDown(state, 'ballot')
  loseDecided(state)
  target.replacement?.commit()
  state.catchUp.snapshot = null
  state.catchUp.fetch = null
  state.log.resetTo(target.slot)
  state.effects.record({ type: 'installed', slot: target.slot })
  state.applied = target.slot
  tellInstalled(state, target, { from, behindSince })
  return true
}

function tellInstalled(
  state: PeerState,
  target: SnapshotTarget,
  before: { readonly from: Slot; readonly behindSince: number },
): void {
  const { slot, source: replica, startedAt, received } = target
  const { bytes } = received
  const isLevel = slot >= state.catchUp.known
  const part = { source: 'snapshot', to: slot, replica, bytes, isLevel } as const
  state.effects.event({ type: 'snapshotInstalled', slot, replica, startedAt, ...received })
  state.effects.event({ type: 'caughtUp', ...before, ...part })
}

/** What was decided here and not applied yet is skipped: its replies are in nobody's hands now. */
function loseDecided(state: PeerState): void {
  for (const [slot, waiters] of state.decidedWaiters) {
    state.lostWaiters.push(...waiters)
    state.decidedWaiters.delete(slot)
  }
}

function checksumOf(entries: readonly StoreEntry[]): number {
  let hash = 0x811c9dc5
  for (const [key, value] of entries) hash = fnv1aBytes(value, fnv1a(key, hash))
  return hash
}
