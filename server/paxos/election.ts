// Becoming leader: a pre-vote that changes nothing (a cut-off replica must not disturb a working
// leader), then phase 1 once for all later slots. Every value that a quorum's promises carry is
// proposed again under the new ballot before anything new: a value of an older ballot is not safe
// until a quorum accepted it under one ballot. Holes are filled with noops.

import type { Sender } from '../contract.ts'
import { raisePromise } from './acceptor.ts'
import { type Ballot, compareBallots } from './ballot.ts'
import { noteDecided } from './catch-up.ts'
import type { ElectionLoss, PromiseTiming } from './event.ts'
import { learnValue } from './learner.ts'
import type { AcceptedEntry, PaxosMessage, Slot } from './message.ts'
import { beginLeadership, proposeAt } from './proposer.ts'
import { delayElection, loseElection, type PeerState, quorumOf } from './state.ts'

export type Candidate = {
  /** Durable, and fixed, from the phase after the pre-vote on. */
  ballot: Ballot
  /** The first slot that it does not know to be decided. */
  readonly from: Slot
  readonly startedAt: number
  phase: 'preVote' | 'persisting' | 'prepare'
  readonly preVotes: Set<number>
  /** Number of the record with its own promise. */
  promiseRecord: number
  readonly promises: Map<number, Extract<PaxosMessage, { type: 'promise' }>>
  /** When the prepares left (0: not yet), and when which promise came. */
  preparedAt: number
  readonly timings: PromiseTiming[]
  /** When it last asked those who have not answered, and how often in this phase. */
  askedAt: number
  asked: number
}

type PreVote = Extract<PaxosMessage, { type: 'preVote' }>
type PreVoteReply = Extract<PaxosMessage, { type: 'preVoteReply' }>
type Promise1b = Extract<PaxosMessage, { type: 'promise' }>

const NOOP = new Uint8Array(0)

/** The leader is missed: asks whether a ballot above all seen so far would be promised. */
export function startPreVote(state: PeerState): void {
  delayElection(state)
  if (state.leader !== null && state.candidate === null) {
    const { leader, leaderHeardAt: heardAt } = state
    state.effects.event({ type: 'suspected', leader, heardAt })
  }
  loseElection(state, 'timeout')
  const ballot = nextBallot(state)
  state.role = 'candidate'
  state.candidate = {
    ballot,
    from: state.log.decided + 1,
    startedAt: state.now,
    phase: 'preVote',
    preVotes: new Set([state.self.replica]),
    promiseRecord: 0,
    promises: new Map(),
    preparedAt: 0,
    timings: [],
    askedAt: state.now,
    asked: 0,
  }
  state.effects.broadcast(state.others, { type: 'preVote', ballot, decided: state.log.decided })
  if (quorumOf(state) === 1) startPrepare(state, state.candidate)
}

/** A lost question or answer must not cost an election timeout: who was silent is asked again. */
export function askAgain(state: PeerState, candidate: Candidate): void {
  const { ballot, from, phase } = candidate
  if (phase === 'persisting' || state.now < askAgainAt(state, candidate)) return
  candidate.asked += 1
  candidate.askedAt = state.now
  if (phase === 'preVote') askPreVotes(state, candidate)
  else {
    const silent = state.others.filter(replica => !candidate.promises.has(replica))
    state.effects.broadcast(silent, { type: 'prepare', ballot, from })
  }
}

/** µs; ever more rarely within one election. */
export function askAgainAt(state: PeerState, { askedAt, asked }: Candidate): number {
  const { electionAsk, resend } = state.settings
  return askedAt + Math.min(resend, electionAsk * (1 + asked / 4))
}

function nextBallot(state: PeerState): Ballot {
  return { round: Math.max(state.highestRound, state.promised.round) + 1, ...state.self }
}

function askPreVotes(state: PeerState, { ballot, preVotes }: Candidate): void {
  const silent = state.others.filter(replica => !preVotes.has(replica))
  state.effects.broadcast(silent, { type: 'preVote', ballot, decided: state.log.decided })
}

export function onPreVote(state: PeerState, from: Sender, message: PreVote): void {
  const { log, settings } = state
  const isLeaderless =
    state.leadership === null && state.now - state.leaderHeardAt >= settings.electionMin
  // Two candidates that outdo each other for ever elect nobody.
  const isPromised =
    state.now - state.promisedAt < settings.electionMin && state.promised.replica !== from.replica
  const isFresh =
    message.decided + 1 >= log.first && log.decided - message.decided < settings.candidateLag
  const isHigher = compareBallots(message.ballot, state.promised) > 0
  noteDecided(state, from.replica, message.decided)
  // One that lags must catch up first; whoever misses the leader too, and knows more, stands itself.
  if (isLeaderless && !isFresh && state.candidate === null) state.electionAt = state.now
  state.effects.send(from.replica, {
    type: 'preVoteReply',
    ballot: message.ballot,
    isGranted: isLeaderless && !isPromised && isFresh && isHigher,
    promised: state.promised,
    decided: log.decided,
  })
}

export function onPreVoteReply(state: PeerState, from: Sender, message: PreVoteReply): void {
  state.highestRound = Math.max(state.highestRound, message.promised.round)
  noteDecided(state, from.replica, message.decided)
  const { candidate } = state
  if (candidate === null || candidate.phase !== 'preVote') return
  if (compareBallots(message.promised, candidate.ballot) >= 0) return outdo(state, candidate)
  if (!message.isGranted || compareBallots(message.ballot, candidate.ballot) !== 0) return
  candidate.preVotes.add(from.replica)
  if (candidate.preVotes.size >= quorumOf(state) && isCalled(state)) startPrepare(state, candidate)
}

/**
 * Whether others reach this replica. One that is answered and never called would win, step down as
 * unreachable, and let the next of its kind win: whoever is well must get the chance. Others' own
 * pre-votes are calls, so this holds nobody up for longer than an election.
 */
function isCalled(state: PeerState): boolean {
  return state.now - state.calledAt <= 2 * state.settings.electionMax
}

/** Someone promised as much: only a higher ballot can win. Nothing was promised for this one yet. */
function outdo(state: PeerState, candidate: Candidate): void {
  candidate.ballot = nextBallot(state)
  candidate.askedAt = state.now
  askPreVotes(state, candidate)
}

/** Promises its own ballot; the prepares leave when that is durable, so no restart reuses it. */
function startPrepare(state: PeerState, candidate: Candidate): void {
  if (compareBallots(candidate.ballot, state.promised) <= 0) return abandon(state, 'ballot')
  candidate.phase = 'persisting'
  state.promisedAt = state.now
  delayElection(state)
  const { ballot, startedAt } = candidate
  state.effects.event({ type: 'electionStarted', ballot, startedAt })
  raisePromise(state, ballot)
  candidate.promiseRecord = state.effects.recordCount
}

/** Called when more records are durable. */
export function onPromiseDurable(state: PeerState): void {
  const { candidate } = state
  if (candidate === null || candidate.phase !== 'persisting') return
  if (state.durable < candidate.promiseRecord) return
  candidate.phase = 'prepare'
  candidate.preparedAt = state.now
  candidate.askedAt = state.now
  candidate.asked = 0
  const { ballot, from } = candidate
  state.effects.broadcast(state.others, { type: 'prepare', ballot, from })
  const accepted = state.log.acceptedFrom(from)
  const { decided } = state.log
  addPromise(state, candidate, state.self.replica, {
    type: 'promise',
    ballot,
    from,
    accepted,
    decided,
  })
}

export function onPromise(state: PeerState, from: Sender, message: Promise1b): void {
  const { candidate } = state
  if (candidate === null || candidate.phase !== 'prepare') return
  if (compareBallots(message.ballot, candidate.ballot) !== 0) return
  if (message.from !== candidate.from) return
  addPromise(state, candidate, from.replica, message)
}

function addPromise(
  state: PeerState,
  candidate: Candidate,
  replica: number,
  promise: Promise1b,
): void {
  if (!candidate.promises.has(replica)) {
    candidate.timings.push({ replica, at: state.now, accepted: promise.accepted.length })
  }
  candidate.promises.set(replica, promise)
  if (candidate.promises.size >= quorumOf(state)) win(state, candidate)
}

/** The values that must be proposed again, and the fewest noops between them. */
function win(state: PeerState, candidate: Candidate): void {
  state.candidate = null
  state.promisedAt = Number.NEGATIVE_INFINITY
  learnFromPromises(state, candidate)
  const { highest, last } = highestAccepted(state, candidate)
  const leadership = beginLeadership(state, candidate.ballot)
  let noops = 0
  for (let slot = state.log.decided + 1; slot <= last; slot++) {
    const entry = highest.get(slot)
    if (entry === undefined) noops += 1
    const origin = entry === undefined ? 'noop' : 'inherited'
    proposeAt(state, slot, { value: entry?.value ?? NOOP, origin, waiters: [], queuedAt: 0 })
  }
  const { ballot, startedAt, preparedAt, timings: promises } = candidate
  const inherited = highest.size
  const barrier = Math.max(last, state.log.decided) + 1
  const taken = { inherited, noops, barrier }
  state.effects.event({ type: 'electionWon', ballot, startedAt, preparedAt, promises, ...taken })
  leadership.barrier = barrier
  const noop = { value: NOOP, origin: 'noop' as const, waiters: [], queuedAt: 0 }
  proposeAt(state, leadership.barrier, noop)
}

/** What a voter knows to be decided is taken as it is. */
function learnFromPromises(state: PeerState, candidate: Candidate): void {
  for (const promise of candidate.promises.values()) {
    for (const entry of promise.accepted) {
      if (entry.slot > promise.decided || entry.slot !== state.log.decided + 1) continue
      learnValue(state, entry.slot, entry.value)
    }
  }
}

/** Phase 2a (§2.2): of what the quorum accepted in a slot, the value of the highest ballot. */
function highestAccepted(
  state: PeerState,
  candidate: Candidate,
): { highest: Map<Slot, AcceptedEntry>; last: Slot } {
  const highest = new Map<Slot, AcceptedEntry>()
  let last = 0
  for (const promise of candidate.promises.values()) {
    for (const entry of promise.accepted) {
      if (entry.slot <= state.log.decided) continue
      const known = highest.get(entry.slot)
      if (known === undefined || compareBallots(entry.ballot, known.ballot) > 0) {
        highest.set(entry.slot, entry)
      }
      last = Math.max(last, entry.slot)
    }
  }
  return { highest, last }
}

export function onPrepareReject(
  state: PeerState,
  message: Extract<PaxosMessage, { type: 'reject' }>,
): void {
  const { candidate } = state
  if (candidate === null || compareBallots(message.ballot, candidate.ballot) !== 0) return
  // Others may still make a quorum; only a higher promise makes this ballot useless.
  if (message.reason === 'ballot') abandon(state, message.reason)
}

function abandon(state: PeerState, reason: ElectionLoss): void {
  if (state.candidate === null) return
  loseElection(state, reason)
  delayElection(state)
}
