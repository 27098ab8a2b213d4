// What a leader does as time passes: heartbeats, resending, telling decisions, and stepping down when
// it gets no quorum of answers (a cut-off leader must not look alive), when no quorum can reach it
// (requests that are passed on to it would be lost for ever), or when its own disk stands still.

import type { Sender } from '../contract.ts'
import { refuse } from './acceptor.ts'
import { compareBallots } from './ballot.ts'
import { callAlong } from './forming.ts'
import { heardLeader, learnWatermark } from './learner.ts'
import type { PaxosMessage } from './message.ts'
import { type Leadership, noteAnswer, stepDown } from './proposer.ts'
import { resend, resendWakeAt } from './resend.ts'
import { isMember, type PeerState, quorumOf } from './state.ts'

type Heartbeat = Extract<PaxosMessage, { type: 'heartbeat' }>
type HeartbeatReply = Extract<PaxosMessage, { type: 'heartbeatReply' }>

export function onHeartbeat(state: PeerState, from: Sender, message: Heartbeat): void {
  if (compareBallots(message.ballot, state.promised) < 0) {
    const { ballot } = message
    return refuse(state, from, { phase: 'heartbeat', ballot, slot: 0, reason: 'ballot' })
  }
  heardLeader(state, message.ballot)
  learnWatermark(state, from, message.ballot, message.decided)
  if (state.role === 'stranger') return
  // Confirms no more than that no higher ballot was promised here: nothing needs to be durable.
  state.effects.send(from.replica, {
    type: 'heartbeatReply',
    ballot: message.ballot,
    confirm: message.confirm,
    sentAt: message.sentAt,
    decided: state.log.decided,
    applied: state.applied,
  })
  callAlong(state)
}

export function onHeartbeatReply(state: PeerState, from: Sender, message: HeartbeatReply): void {
  const { leadership } = state
  if (leadership === null || compareBallots(message.ballot, leadership.ballot) !== 0) return
  const follower = leadership.followers.get(from.replica)
  if (follower === undefined || !isMember(state, from)) return
  noteAnswer(state, follower, message)
  follower.decided = Math.max(follower.decided, message.decided)
}

export function sendHeartbeat(state: PeerState, leadership: Leadership): void {
  leadership.lastBroadcastAt = state.now
  leadership.toldDecided = state.log.decided
  state.effects.broadcast(state.others, {
    type: 'heartbeat',
    ballot: leadership.ballot,
    decided: state.log.decided,
    confirm: leadership.confirm,
    sentAt: state.now,
  })
}

/** All that is due now. */
export function leadOn(state: PeerState, leadership: Leadership): void {
  const { settings } = state
  if (state.now - quorumHeardAt(state, leadership) > settings.electionMax) {
    return stepDown(state, 'noQuorum')
  }
  const calls = [...leadership.followers.values()].map(f => f.calledAt)
  const calledAt = nthHighest(calls, quorumOf(state) - 1, state.now)
  if (state.now - calledAt > settings.leaderUncalled) return stepDown(state, 'unreachable')
  const oldestOwn = leadership.ownVotes[0]
  if (oldestOwn !== undefined && state.now - oldestOwn.at > settings.ownDisk) {
    return stepDown(state, 'slowDisk')
  }
  resend(state, leadership)
  const isBeatDue = state.now - leadership.lastBroadcastAt >= settings.heartbeat
  if (isBeatDue || isNoticeDue(state, leadership)) sendHeartbeat(state, leadership)
}

function isNoticeDue(state: PeerState, leadership: Leadership): boolean {
  const isUntold = leadership.toldDecided < state.log.decided
  return isUntold && state.now - leadership.decidedSince >= state.settings.decideNotice
}

/** When `leadOn` has something to do next, µs. */
export function leaderWakeAt(state: PeerState, leadership: Leadership): number {
  let at = leadership.lastBroadcastAt + state.settings.heartbeat
  if (leadership.toldDecided < state.log.decided) {
    at = Math.min(at, leadership.decidedSince + state.settings.decideNotice)
  }
  return Math.min(at, resendWakeAt(state, leadership))
}

/** The latest time since when a quorum, this replica included, has not been silent. */
export function quorumHeardAt(state: PeerState, leadership: Leadership): number {
  return nthHighest(
    [...leadership.followers.values()].map(f => f.heardAt),
    quorumOf(state) - 1,
    state.now,
  )
}

/** Until when followers' votes are kept for this leader: counted from when it sent, not heard. */
export function leaseUntil(state: PeerState, leadership: Leadership): number {
  const acked = [...leadership.followers.values()].map(f => f.ackedSentAt)
  return nthHighest(acked, quorumOf(state) - 1, state.now) + state.settings.leaseUse
}

/** The n-th highest of the values, counted from 1; `all` for n = 0 (a group of one). */
export function nthHighest(values: readonly number[], n: number, all: number): number {
  if (n === 0) return all
  return [...values].sort((a, b) => b - a)[n - 1] ?? Number.NEGATIVE_INFINITY
}
