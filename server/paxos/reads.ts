// Linearizable reads without a log entry (read index). A read waits until a quorum has confirmed,
// after the read came in, that it promised no higher ballot; then everything decided before is
// applied here, and nothing newer was decided elsewhere. One confirmation serves all reads that
// were waiting when it left. With leases a quorum's kept votes stand for the confirmation.

import { leaseUntil, nthHighest, sendHeartbeat } from './leader-duties.ts'
import type { Leadership } from './proposer.ts'
import { type PeerState, quorumOf } from './state.ts'

export type WaitingRead = { readonly id: number; readonly request: unknown; readonly at: number }

export type Reads = {
  /** Came in since the last confirmation left. */
  waiting: WaitingRead[]
  /** Wait for confirmation number `round`. */
  confirming: WaitingRead[]
  round: number
}

export function noReads(): Reads {
  return { waiting: [], confirming: [], round: 0 }
}

/** Reads that may be answered from the store as it is now. Call it when all decided is applied. */
export function readsReady(state: PeerState, leadership: Leadership, reads: Reads): WaitingRead[] {
  if (state.applied < leadership.barrier) return []
  const ready = takeConfirmed(state, leadership, reads)
  if (reads.waiting.length === 0) return ready
  if (isLeased(state, leadership)) {
    ready.push(...release(state, reads.waiting, 'lease'))
    reads.waiting = []
    return ready
  }
  if (reads.confirming.length > 0) return ready
  startRound(state, leadership, reads)
  ready.push(...takeConfirmed(state, leadership, reads))
  return ready
}

function takeConfirmed(state: PeerState, leadership: Leadership, reads: Reads): WaitingRead[] {
  if (reads.confirming.length === 0) return []
  const confirmed = [...leadership.followers.values()].map(follower => follower.confirmed)
  const reached = nthHighest(confirmed, quorumOf(state) - 1, Number.POSITIVE_INFINITY)
  if (reached < reads.round) return []
  const ready = release(state, reads.confirming, 'quorum')
  reads.confirming = []
  return ready
}

function startRound(state: PeerState, leadership: Leadership, reads: Reads): void {
  leadership.confirm += 1
  reads.round = leadership.confirm
  reads.confirming = reads.waiting
  reads.waiting = []
  sendHeartbeat(state, leadership)
}

function isLeased(state: PeerState, leadership: Leadership): boolean {
  return state.settings.readPath === 'lease' && state.now < leaseUntil(state, leadership)
}

function release(state: PeerState, reads: WaitingRead[], path: 'quorum' | 'lease'): WaitingRead[] {
  const oldest = reads[0]
  if (oldest === undefined) return []
  const waitMicros = state.now - oldest.at
  state.effects.event({ type: 'readsConfirmed', count: reads.length, waitMicros, path })
  return reads.slice()
}
