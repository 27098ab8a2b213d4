// Catching up: a replica that knows of decided slots which it does not hold asks for them, one
// request at a time; where the other's log begins later, for a snapshot of its store. A request that
// is not answered goes to another replica. Nothing here waits for anyone: nobody is held up by it.

import type { Sender } from '../contract.ts'
import { learnValue } from './learner.ts'
import type { PaxosMessage, Slot } from './message.ts'
import { requestSnapshot, type SnapshotTarget } from './snapshot.ts'
import type { PeerState } from './state.ts'

export type CatchUp = {
  /** The highest slot that anyone said to be decided, and who said it. */
  known: Slot
  source: number
  /** Since when there is a gap, µs; null when there is none. */
  behindSince: number | null
  /** The request under way: for slots from here on. */
  fetch: { readonly from: Slot; readonly at: number; readonly source: number } | null
  /** For how long its answer is awaited, µs. */
  patience: number
  snapshot: SnapshotTarget | null
}

export function noCatchUp(): CatchUp {
  return { known: 0, source: 0, behindSince: null, fetch: null, patience: 0, snapshot: null }
}

/** Someone knows that all slots up to `decided` are decided. */
export function noteDecided(state: PeerState, source: number, decided: Slot): void {
  const { catchUp } = state
  if (decided >= catchUp.known) {
    catchUp.known = decided
    catchUp.source = source
  }
  if (state.log.decided >= catchUp.known) catchUp.behindSince = null
  else catchUp.behindSince ??= state.now
}

/** Asks when a gap has lasted, and asks another when there was no answer. */
export function catchUpOn(state: PeerState): void {
  const { catchUp, settings } = state
  if (state.log.decided >= catchUp.known) {
    catchUp.behindSince = null
    catchUp.fetch = null
    return
  }
  if (catchUp.snapshot !== null) return requestSnapshot(state, catchUp.snapshot)
  if (catchUp.fetch !== null) {
    if (state.now - catchUp.fetch.at < catchUp.patience) return
    // A lost message is likelier than a slow one, at first.
    catchUp.patience = Math.min(2 * catchUp.patience, settings.fetchTimeout)
    catchUp.source = otherThan(state, catchUp.fetch.source)
  }
  catchUp.behindSince ??= state.now
  if (state.now - catchUp.behindSince < settings.fetchDelay) return
  sendFetch(state)
}

/** When `catchUpOn` has something to do next, µs. */
export function catchUpWakeAt(state: PeerState): number {
  const { catchUp, settings } = state
  if (state.log.decided >= catchUp.known) return Number.POSITIVE_INFINITY
  if (catchUp.snapshot !== null) return catchUp.snapshot.askedAt + settings.fetchTimeout
  if (catchUp.fetch !== null) return catchUp.fetch.at + catchUp.patience
  return (catchUp.behindSince ?? state.now) + settings.fetchDelay
}

function sendFetch(state: PeerState): void {
  const { catchUp } = state
  if (catchUp.source === state.self.replica) catchUp.source = otherThan(state, catchUp.source)
  const from = state.log.decided + 1
  if (catchUp.fetch === null) catchUp.patience = state.settings.fetchTimeoutMin
  catchUp.fetch = { from, at: state.now, source: catchUp.source }
  state.effects.send(catchUp.source, { type: 'fetch', from })
}

/** Another replica of the group, by chance. */
export function otherThan(state: PeerState, replica: number): number {
  const others = state.others.filter(other => other !== replica)
  const choice = others.length > 0 ? others : state.others
  return choice[Math.floor(state.random() * choice.length)] ?? replica
}

export function onFetch(
  state: PeerState,
  from: Sender,
  message: Extract<PaxosMessage, { type: 'fetch' }>,
): void {
  const { log, settings } = state
  const isHeld = message.from >= log.first
  state.effects.send(from.replica, {
    type: 'entries',
    from: message.from,
    entries: isHeld ? log.decidedFrom(message.from, settings.fetchBytes) : [],
    first: log.first,
    decided: log.decided,
  })
}

export function onEntries(
  state: PeerState,
  from: Sender,
  message: Extract<PaxosMessage, { type: 'entries' }>,
): void {
  const { catchUp, log } = state
  noteDecided(state, from.replica, message.decided)
  const before = log.decided
  const behindSince = catchUp.behindSince ?? state.now
  let bytes = 0
  for (const { slot, value } of message.entries) {
    if (slot !== log.decided + 1) continue
    learnValue(state, slot, value)
    bytes += value.length
  }
  if (log.decided > before) {
    const slots = { from: before + 1, to: log.decided, bytes }
    const isLevel = log.decided >= catchUp.known
    const { replica } = from
    state.effects.event({
      type: 'caughtUp',
      source: 'log',
      replica,
      ...slots,
      behindSince,
      isLevel,
    })
  }
  if (catchUp.fetch?.source !== from.replica || catchUp.fetch.from !== message.from) return
  catchUp.fetch = null
  if (log.decided >= catchUp.known) return
  if (message.first > log.decided + 1) {
    catchUp.snapshot = {
      source: from.replica,
      slot: 0,
      cursor: '',
      replacement: null,
      askedAt: Number.NEGATIVE_INFINITY,
      tries: 0,
      startedAt: state.now,
      received: { chunks: 0, keys: 0, bytes: 0 },
    }
    return requestSnapshot(state, catchUp.snapshot)
  }
  // The next part at once. A peer that is no further than this one has forgotten, in a restart, what
  // it once said: another is asked, after a while, or the two would go round as fast as they can.
  if (log.decided > before) return sendFetch(state)
  catchUp.source = otherThan(state, from.replica)
  catchUp.behindSince = state.now
}
