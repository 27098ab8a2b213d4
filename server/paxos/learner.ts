// The learner (§2.3): which slots are decided. Leaders tell a watermark; a slot up to it is decided
// here only if its value was accepted under that leader's own ballot, for a leader proposes one value
// per slot. An older entry may be another value: those slots are fetched (catch-up.ts).

import { assert } from '../assert.ts'
import type { Sender } from '../contract.ts'
import { type Ballot, compareBallots, ZERO_BALLOT } from './ballot.ts'
import { noteDecided } from './catch-up.ts'
import type { Slot } from './message.ts'
import { onLearned, stepDown } from './proposer.ts'
import { delayElection, loseElection, type PeerState } from './state.ts'

/** A leader with this ballot is alive. Called only for ballots that are not below the promise. */
export function heardLeader(state: PeerState, ballot: Ballot): void {
  if (state.leadership !== null && compareBallots(ballot, state.leadership.ballot) > 0) {
    stepDown(state, 'ballot')
  }
  if (state.leader === null || compareBallots(state.leader, ballot) !== 0) {
    state.leader = ballot
    state.effects.event({ type: 'leaderChanged', leader: ballot.replica, ballot })
  }
  state.leaderHeardAt = state.now
  state.promisedAt = Number.NEGATIVE_INFINITY
  state.leaseHeldUntil = state.now + state.settings.leaseHold
  state.highestRound = Math.max(state.highestRound, ballot.round)
  loseElection(state, 'leader')
  delayElection(state)
}

/** All slots up to `decided` are decided, says the leader with this ballot. */
export function learnWatermark(
  state: PeerState,
  from: Sender,
  ballot: Ballot,
  decided: Slot,
): void {
  const { log } = state
  while (log.decided < decided) {
    const held = log.get(log.decided + 1)
    if (held === undefined || compareBallots(held.ballot, ballot) !== 0) break
    log.decideNext()
  }
  noteDecided(state, from.replica, decided)
}

/** The next slot's decided value, learned from another replica. */
export function learnValue(state: PeerState, slot: Slot, value: Uint8Array): void {
  const { log } = state
  assert(slot === log.decided + 1, 'values are learned in order')
  const held = log.get(slot)
  if (held === undefined || Buffer.compare(held.value, value) !== 0) {
    log.put(slot, { ballot: ZERO_BALLOT, value })
    state.effects.record({ type: 'learn', slot, value })
  }
  log.decideNext()
  onLearned(state, slot, value)
}
