// The leader's side of phase 2 (§2.2): one ballot, a window of slots, one value per slot and ballot.
// A slot is decided when a quorum of members accepted it under this ballot, this replica among them
// only once its own record is durable.

import { assert } from '../assert.ts'
import type { Sender } from '../contract.ts'
import { type Ballot, compareBallots } from './ballot.ts'
import type { AcceptorTiming, Origin, ProposalFacts, Resend, StepDownReason } from './event.ts'
import type { PaxosMessage, Slot } from './message.ts'
import { type AnswerTime, noteAnswerTime, unknownAnswerTime } from './resend.ts'
import { SlotMap } from './slot-map.ts'
import { delayElection, type PeerState, quorumOf } from './state.ts'

/** A value in its slot, proposed and not yet known to be decided in order. */
export type InFlight = {
  readonly value: Uint8Array
  readonly origin: Origin
  /** Requests that wait for its commands, in the order of the commands; null for none. */
  readonly waiters: readonly (number | null)[]
  readonly queuedAt: number
  readonly proposedAt: number
  sentAt: number
  readonly votes: Set<number>
  readonly timings: AcceptorTiming[]
  resends: readonly Resend[]
  decidedAt: number
}

export type Proposal = Pick<InFlight, 'value' | 'origin' | 'waiters' | 'queuedAt'>

export type Follower = {
  /** When its last answer to this ballot came. */
  heardAt: number
  /** When it last called unasked: answers alone come through to a leader that is cut off, too. */
  calledAt: number
  /** When the newest message that it answered was sent, by this leader's clock. */
  ackedSentAt: number
  /** The newest read confirmation that it answered. */
  confirmed: number
  applied: Slot
  decided: Slot
}

export type Leadership = {
  readonly ballot: Ballot
  readonly inFlight: SlotMap<InFlight>
  inFlightBytes: number
  nextSlot: Slot
  /** The first slot of its own: reads wait until it is applied. */
  barrier: Slot
  readonly followers: Map<number, Follower>
  /** Own records not yet durable, oldest first. */
  readonly ownVotes: { readonly record: number; readonly slot: Slot; readonly at: number }[]
  lastBroadcastAt: number
  /** The highest watermark that was told to everyone. */
  toldDecided: Slot
  decidedSince: number
  /** The newest read confirmation asked for. */
  confirm: number
  /** Of accepts. */
  readonly answerTime: AnswerTime
  /** No accept is sent again before this time. */
  resendAt: number
}

type Accepted = Extract<PaxosMessage, { type: 'accepted' }>

/** Nearly all proposals share it. */
const NO_RESENDS: readonly Resend[] = []

export function beginLeadership(state: PeerState, ballot: Ballot): Leadership {
  const followers = new Map<number, Follower>()
  for (const { replica } of state.formation?.members ?? []) {
    if (replica === state.self.replica) continue
    followers.set(replica, {
      heardAt: state.now,
      calledAt: state.now,
      ackedSentAt: Number.NEGATIVE_INFINITY,
      confirmed: 0,
      applied: 0,
      decided: 0,
    })
  }
  state.role = 'leader'
  state.leader = ballot
  const leadership: Leadership = {
    ballot,
    inFlight: new SlotMap(),
    inFlightBytes: 0,
    nextSlot: state.log.decided + 1,
    barrier: Number.POSITIVE_INFINITY,
    followers,
    ownVotes: [],
    lastBroadcastAt: state.now,
    toldDecided: 0,
    decidedSince: state.now,
    confirm: 0,
    answerTime: unknownAnswerTime(),
    resendAt: 0,
  }
  state.leadership = leadership
  state.effects.event({ type: 'leaderChanged', leader: state.self.replica, ballot })
  return leadership
}

/** Phase 2a: records the value and sends it to all, both at once; neither waits for the other. */
export function proposeAt(state: PeerState, slot: Slot, proposal: Proposal): void {
  const { leadership, log, effects } = state
  assert(leadership !== null, 'only a leader proposes')
  assert(!leadership.inFlight.has(slot), `one value per slot ${slot} and ballot`)
  const { ballot } = leadership
  leadership.nextSlot = slot + 1
  leadership.inFlightBytes += proposal.value.length
  leadership.inFlight.set(slot, {
    ...proposal,
    proposedAt: state.now,
    sentAt: state.now,
    votes: new Set(),
    timings: [],
    resends: NO_RESENDS,
    decidedAt: 0,
  })
  log.put(slot, { ballot, value: proposal.value })
  const record = effects.record({
    type: 'accept',
    slot,
    ballot,
    value: proposal.value,
    decided: log.decided,
  })
  leadership.ownVotes.push({ record, slot, at: state.now })
  effects.broadcast(state.others, acceptMessage(state, leadership, slot, proposal.value))
  leadership.lastBroadcastAt = state.now
  leadership.toldDecided = log.decided
}

export function acceptMessage(
  state: PeerState,
  leadership: Leadership,
  slot: Slot,
  value: Uint8Array,
): PaxosMessage {
  return {
    type: 'accept',
    ballot: leadership.ballot,
    slot,
    value,
    decided: state.log.decided,
    confirm: leadership.confirm,
    sentAt: state.now,
  }
}

/** The leader's own votes, for all its records that are durable by now. */
export function onOwnRecordsDurable(state: PeerState): void {
  const { leadership } = state
  if (leadership === null) return
  let done = 0
  for (const own of leadership.ownVotes) {
    if (own.record > state.durable) break
    done += 1
    vote(state, leadership, own.slot, {
      replica: state.self.replica,
      at: state.now,
      durableMicros: Math.max(0, state.durableAt - own.at),
      answeredMicros: state.now - own.at,
    })
  }
  leadership.ownVotes.splice(0, done)
}

export function onAccepted(state: PeerState, from: Sender, message: Accepted): void {
  const { leadership } = state
  if (leadership === null || compareBallots(message.ballot, leadership.ballot) !== 0) return
  const follower = leadership.followers.get(from.replica)
  if (follower === undefined) return
  noteAnswer(state, follower, message)
  noteAnswerTime(leadership.answerTime, state.now - message.sentAt)
  vote(state, leadership, message.slot, {
    replica: from.replica,
    at: state.now,
    durableMicros: message.durableMicros,
    answeredMicros: message.answeredMicros,
  })
}

/** What any answer to this ballot tells: it is alive, and how far it is. */
export function noteAnswer(
  state: PeerState,
  follower: Follower,
  message: { sentAt: number; confirm: number; applied: Slot },
): void {
  follower.heardAt = state.now
  follower.ackedSentAt = Math.max(follower.ackedSentAt, message.sentAt)
  follower.confirmed = Math.max(follower.confirmed, message.confirm)
  follower.applied = Math.max(follower.applied, message.applied)
}

/** A set of members, so that a doubled answer counts once. */
function vote(state: PeerState, leadership: Leadership, slot: Slot, timing: AcceptorTiming): void {
  const inFlight = leadership.inFlight.get(slot)
  if (inFlight === undefined) {
    const { ballot } = leadership
    return state.effects.event({ type: 'acceptedLate', slot, ballot, timing })
  }
  if (inFlight.votes.has(timing.replica)) return
  inFlight.votes.add(timing.replica)
  inFlight.timings.push(timing)
  if (inFlight.decidedAt !== 0 || inFlight.votes.size < quorumOf(state)) return
  inFlight.decidedAt = state.now
  decideInOrder(state, leadership)
}

/** A later slot may be decided first: the watermark stops before the first that is not. */
function decideInOrder(state: PeerState, leadership: Leadership): void {
  const { log } = state
  for (;;) {
    const slot = log.decided + 1
    const inFlight = leadership.inFlight.get(slot)
    if (inFlight === undefined || inFlight.decidedAt === 0) return
    if (leadership.toldDecided === log.decided) leadership.decidedSince = state.now
    log.decideNext()
    leadership.inFlight.delete(slot)
    leadership.inFlightBytes -= inFlight.value.length
    if (inFlight.waiters.length > 0) state.decidedWaiters.set(slot, inFlight.waiters)
    tellDecided(state, leadership.ballot, slot, inFlight)
  }
}

/** `decidedAt` 0: it was learned just now. */
function tellDecided(state: PeerState, ballot: Ballot, slot: Slot, inFlight: InFlight): void {
  const isLearned = inFlight.decidedAt === 0
  state.effects.event({
    type: 'slotDecided',
    ...factsOf(ballot, slot, inFlight),
    decidedAt: isLearned ? state.now : inFlight.decidedAt,
    isLearned,
  })
}

function factsOf(ballot: Ballot, slot: Slot, inFlight: InFlight): ProposalFacts {
  const { origin, queuedAt, proposedAt, timings: acceptors, resends } = inFlight
  const size = { commands: inFlight.waiters.length, bytes: inFlight.value.length }
  return { slot, ballot, origin, ...size, queuedAt, proposedAt, acceptors, resends }
}

/**
 * The leader was told by another replica that the slot is decided. Its own proposal there is done
 * with; a value that it did not propose was decided under a higher ballot: it leads no more.
 */
export function onLearned(state: PeerState, slot: Slot, value: Uint8Array): void {
  const { leadership } = state
  if (leadership === null) return
  const inFlight = leadership.inFlight.get(slot)
  const isOwn = inFlight !== undefined && Buffer.compare(inFlight.value, value) === 0
  if (!isOwn || inFlight === undefined) return stepDown(state, 'ballot')
  leadership.inFlight.delete(slot)
  leadership.inFlightBytes -= inFlight.value.length
  if (inFlight.waiters.length > 0) state.decidedWaiters.set(slot, inFlight.waiters)
  tellDecided(state, leadership.ballot, slot, inFlight)
  decideInOrder(state, leadership)
}

/** What becomes of an open proposal is not seen here, unless it only waited for an earlier slot. */
function tellLeft(
  state: PeerState,
  ballot: Ballot,
  slot: Slot,
  inFlight: InFlight,
  reason: StepDownReason,
): void {
  if (inFlight.decidedAt !== 0) return tellDecided(state, ballot, slot, inFlight)
  state.effects.event({ type: 'slotAbandoned', ...factsOf(ballot, slot, inFlight), reason })
}

/** Ceases to lead. What was proposed may be decided yet, by the next leader: waiters are lost. */
export function stepDown(state: PeerState, reason: StepDownReason): void {
  const { leadership } = state
  if (leadership === null) return
  for (const [slot, inFlight] of leadership.inFlight) {
    state.lostWaiters.push(...inFlight.waiters)
    tellLeft(state, leadership.ballot, slot, inFlight, reason)
  }
  state.leadership = null
  state.role = 'follower'
  state.leader = null
  state.effects.event({ type: 'steppedDown', ballot: leadership.ballot, reason })
  delayElection(state)
  // A sick disk or a lost network is no place to lead from again at once.
  if (reason !== 'ballot') state.electionAt += state.settings.electionMax
}
