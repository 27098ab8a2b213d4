// The acceptor (§2.2): promises not to accept lower ballots, and accepts values. Nothing that it
// answers leaves before the record behind it is durable: a restarted acceptor must not have forgotten
// what it said. An accept raises the promise too, or an older accept could follow it.

import { assert } from '../assert.ts'
import type { Sender } from '../contract.ts'
import { type Ballot, compareBallots } from './ballot.ts'
import type { Refusal, VotePhase } from './event.ts'
import { heardLeader, learnWatermark } from './learner.ts'
import type { PaxosMessage, Slot } from './message.ts'
import { stepDown } from './proposer.ts'
import { claim, delayElection, loseElection, type PeerState } from './state.ts'

type Prepare = Extract<PaxosMessage, { type: 'prepare' }>
type Accept = Extract<PaxosMessage, { type: 'accept' }>

/** Phase 1b. A repeated ballot is promised again: the first reply may be lost. */
export function onPrepare(state: PeerState, from: Sender, message: Prepare): void {
  const { log } = state
  const about = { phase: 'prepare', ballot: message.ballot, slot: 0 } as const
  if (compareBallots(message.ballot, state.promised) < 0) {
    return refuse(state, from, { ...about, reason: 'ballot' })
  }
  const isOwnLeader = state.leader?.replica === from.replica
  if (state.now < state.leaseHeldUntil && !isOwnLeader) {
    return refuse(state, from, { ...about, reason: 'lease' })
  }
  const isForgotten = message.from < log.first
  if (isForgotten || log.decided - message.from >= state.settings.candidateLag) {
    return refuse(state, from, { ...about, reason: 'behind' })
  }
  raisePromise(state, message.ballot)
  state.promisedAt = state.now
  delayElection(state)
  const promise: PaxosMessage = {
    type: 'promise',
    ballot: message.ballot,
    from: message.from,
    accepted: log.acceptedFrom(message.from),
    decided: log.decided,
  }
  claim(state, from.replica, { type: 'message', message: promise })
}

/** Makes a higher promise part of the next durable write; gives up what a lower ballot began. */
export function raisePromise(state: PeerState, ballot: Ballot): void {
  const order = compareBallots(ballot, state.promised)
  assert(order >= 0, 'a promise never falls')
  if (order === 0) return
  setPromised(state, ballot)
  state.effects.record({ type: 'promise', ballot })
}

function setPromised(state: PeerState, ballot: Ballot): void {
  state.promised = ballot
  state.highestRound = Math.max(state.highestRound, ballot.round)
  if (state.leadership !== null && compareBallots(ballot, state.leadership.ballot) > 0) {
    stepDown(state, 'ballot')
  }
  if (state.candidate !== null && compareBallots(ballot, state.candidate.ballot) > 0) {
    loseElection(state, 'ballot')
  }
}

/** Phase 2b. */
export function onAccept(state: PeerState, from: Sender, message: Accept): void {
  const { log } = state
  const { ballot, slot, value } = message
  if (compareBallots(ballot, state.promised) < 0 || isOvertaken(state, message)) {
    return refuse(state, from, { phase: 'accept', ballot, slot, reason: 'ballot' })
  }
  heardLeader(state, ballot)
  if (slot > log.decided + state.settings.retainedSlots) {
    return learnWatermark(state, from, ballot, message.decided)
  }
  if (slot <= log.decided) acceptDecided(state, message)
  else acceptOpen(state, ballot, slot, value)
  learnWatermark(state, from, ballot, message.decided)
  if (state.role === 'stranger') return
  claim(state, from.replica, {
    type: 'accepted',
    ballot,
    slot,
    confirm: message.confirm,
    sentAt: message.sentAt,
    receivedAt: state.now,
  })
}

/**
 * The slot was decided with another value, under a higher ballot that was promised elsewhere: this
 * replica only learned the outcome. Who proposes there still is a leader of the past. Where the slot
 * is forgotten this is not seen, and does no harm: a quorum promised the higher ballot, so those who
 * did not are too few to decide anything under a lower one.
 */
function isOvertaken(state: PeerState, { slot, ballot, value }: Accept): boolean {
  if (slot > state.log.decided) return false
  const held = state.log.get(slot)
  if (held === undefined || Buffer.compare(held.value, value) === 0) return false
  assert(compareBallots(held.ballot, ballot) !== 0, `slot ${slot} is decided once`)
  return true
}

/** The slot is decided here: it holds, or held, the same value. Only the promise is new. */
function acceptDecided(state: PeerState, message: Accept): void {
  raisePromise(state, message.ballot)
}

function acceptOpen(state: PeerState, ballot: Ballot, slot: number, value: Uint8Array): void {
  const { log } = state
  const held = log.get(slot)
  if (held !== undefined && compareBallots(held.ballot, ballot) === 0) {
    assert(Buffer.compare(held.value, value) === 0, `one value per slot ${slot} and ballot`)
    return
  }
  if (compareBallots(ballot, state.promised) > 0) setPromised(state, ballot)
  log.put(slot, { ballot, value })
  state.effects.record({ type: 'accept', slot, ballot, value, decided: log.decided })
}

/** Says why not, with what the asker needs to do better: the promise, and how far decisions are. */
export function refuse(
  state: PeerState,
  to: Sender,
  refused: {
    readonly phase: VotePhase
    readonly ballot: Ballot
    /** Of an accept; 0 otherwise. */
    readonly slot: Slot
    readonly reason: Refusal
  },
): void {
  const { promised } = state
  state.effects.event({ type: 'refused', ...refused, to: to.replica, promised })
  if (state.role === 'stranger') return
  state.effects.send(to.replica, {
    type: 'reject',
    ...refused,
    promised,
    decided: state.log.decided,
  })
}
