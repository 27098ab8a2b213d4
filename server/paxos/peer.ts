// The Paxos side of one replica: puts each message to the role it is for, and says when it wants to
// be woken. Who may vote is checked here, once: only members of the formation, in the life that the
// formation names, and leaders only under their own ballots.

import { unreachable } from '../assert.ts'
import type { Sender } from '../contract.ts'
import type { Store } from '../store.ts'
import { onAccept, onPrepare } from './acceptor.ts'
import type { Ballot } from './ballot.ts'
import { catchUpOn, catchUpWakeAt, noCatchUp, noteDecided, onEntries, onFetch } from './catch-up.ts'
import {
  askAgain,
  askAgainAt,
  onPrepareReject,
  onPreVote,
  onPreVoteReply,
  onPromise,
  onPromiseDurable,
  startPreVote,
} from './election.ts'
import { callLeader, formOn, isCalling, isIn, onHello } from './forming.ts'
import { leaderWakeAt, leadOn, onHeartbeat, onHeartbeatReply } from './leader-duties.ts'
import type { Member, PaxosMessage, Slot } from './message.ts'
import { onAccepted, onOwnRecordsDurable, stepDown } from './proposer.ts'
import type { LogRecord } from './record.ts'
import { recover } from './recovery.ts'
import type { Settings } from './settings.ts'
import { SlotMap } from './slot-map.ts'
import { closeIdleSnapshot, onSnapshotChunk, onSnapshotFetch } from './snapshot.ts'
import { type ClaimBuild, delayElection, Effects, isMember, type PeerState } from './state.ts'

export type PeerOptions = {
  readonly gid: number
  readonly self: Member
  /** Ids of all replicas that the group is created with, this one included. */
  readonly peers: readonly number[]
  readonly settings: Settings
  readonly random: () => number
  readonly store: Store
  /** What the log holds, oldest first, and the slot that the store has applied. */
  readonly records: readonly LogRecord[]
  readonly applied: Slot
  readonly nowMicros: number
}

export function createPeer(options: PeerOptions): PeerState {
  const { gid, self, peers, settings, random, store, applied, nowMicros } = options
  const { formation, promised, log } = recover(options.records, applied)
  const state: PeerState = {
    gid,
    self,
    peers,
    others: peers.filter(replica => replica !== self.replica),
    settings,
    random,
    store,
    log,
    effects: new Effects(gid),
    now: nowMicros,
    role: 'forming',
    formation,
    fresh: new Map(),
    nextHelloAt: nowMicros,
    promised,
    promisedAt: Number.NEGATIVE_INFINITY,
    leader: null,
    leaderHeardAt: Number.NEGATIVE_INFINITY,
    calledAt: nowMicros,
    // A vote kept for a lease before the restart is still kept.
    leaseHeldUntil: promised.round === 0 ? 0 : nowMicros + settings.leaseHold,
    highestRound: promised.round,
    electionAt: 0,
    candidate: null,
    leadership: null,
    catchUp: noCatchUp(),
    snapshotSource: null,
    applied,
    flushed: applied,
    durable: 0,
    durableAt: nowMicros,
    claims: [],
    decidedWaiters: new SlotMap(),
    lostWaiters: [],
  }
  if (formation !== null) state.role = isIn(formation, state) ? 'follower' : 'stranger'
  delayElection(state)
  const { decided, size: entries } = log
  state.effects.event({ type: 'recovered', formation, promised, applied, decided, entries })
  return state
}

/** What a replica says unasked: whoever gets one can be reached. All else is an answer. */
const QUESTIONS: ReadonlySet<PaxosMessage['type']> = new Set<PaxosMessage['type']>([
  'hello',
  'preVote',
  'prepare',
  'accept',
  'heartbeat',
  'handOver',
  'fetch',
  'snapshotFetch',
])

/** Handles one message; true when the store was replaced by a snapshot. */
export function onPaxosMessage(state: PeerState, from: Sender, message: PaxosMessage): boolean {
  if (QUESTIONS.has(message.type) && isMember(state, from)) state.calledAt = state.now
  switch (message.type) {
    case 'hello':
    case 'helloReply':
      onHello(state, from, message)
      return false
    case 'fetch':
      onFetch(state, from, message)
      return false
    case 'entries':
      if (isMember(state, from)) onEntries(state, from, message)
      return false
    case 'snapshotFetch':
      onSnapshotFetch(state, from, message)
      return false
    case 'snapshotChunk':
      return isMember(state, from) && onSnapshotChunk(state, from, message)
    default:
      if (isMember(state, from)) onVote(state, from, message)
      return false
  }
}

type Vote = Exclude<
  PaxosMessage,
  { type: 'hello' | 'helloReply' | 'fetch' | 'entries' | 'snapshotFetch' | 'snapshotChunk' }
>

/** Messages between members. A replica that is none takes in what leaders say, and says nothing. */
function onVote(state: PeerState, from: Sender, message: Vote): void {
  if ('ballot' in message && isLeadersOwn(message) && !isOwn(from, message.ballot)) return
  if (message.type === 'accept') return onAccept(state, from, message)
  if (message.type === 'heartbeat') return onHeartbeat(state, from, message)
  if (state.role === 'stranger' || state.role === 'forming') return
  switch (message.type) {
    case 'prepare':
      return onPrepare(state, from, message)
    case 'preVote':
      return onPreVote(state, from, message)
    case 'preVoteReply':
      return onPreVoteReply(state, from, message)
    case 'promise':
      return onPromise(state, from, message)
    case 'accepted':
      return onAccepted(state, from, message)
    case 'heartbeatReply':
      return onHeartbeatReply(state, from, message)
    case 'reject':
      return onReject(state, from, message)
    case 'handOver':
      return onHandOver(state, from, message.ballot)
    default:
      return unreachable(message)
  }
}

/** Sent by the owner of the ballot alone. */
function isLeadersOwn(message: Vote): boolean {
  const { type } = message
  return ['accept', 'heartbeat', 'prepare', 'preVote', 'handOver'].includes(type)
}

function isOwn(from: Sender, ballot: Ballot): boolean {
  return ballot.replica === from.replica && ballot.incarnation === from.incarnation
}

function isSame(a: Ballot | null, b: Ballot): boolean {
  return a !== null && a.round === b.round && isOwn({ gid: 0, ...a }, b)
}

function onReject(
  state: PeerState,
  from: Sender,
  message: Extract<PaxosMessage, { type: 'reject' }>,
): void {
  const { phase, slot, ballot, promised, reason } = message
  const by = from.replica
  state.effects.event({ type: 'rejected', phase, slot, by, ballot, promised, reason })
  state.highestRound = Math.max(state.highestRound, promised.round)
  noteDecided(state, from.replica, message.decided)
  if (phase === 'prepare') return onPrepareReject(state, message)
  // Someone promised a higher ballot, and will refuse this one for ever: begin again above it.
  if (isSame(state.leadership?.ballot ?? null, ballot)) stepDown(state, 'ballot')
}

/** Gives the leadership and its lease up to the others; the nearest id above asks for it first. */
export function handOver(state: PeerState): void {
  const { leadership } = state
  if (leadership === null || state.others.length === 0) return
  stepDown(state, 'handedOver')
  state.effects.broadcast(state.others, { type: 'handOver', ballot: leadership.ballot })
}

function onHandOver(state: PeerState, from: Sender, ballot: Ballot): void {
  if (!isSame(state.leader, ballot)) return
  state.leader = null
  state.leaderHeardAt = Number.NEGATIVE_INFINITY
  state.promisedAt = Number.NEGATIVE_INFINITY
  state.leaseHeldUntil = state.now
  const count = state.peers.length
  const distance =
    (state.peers.indexOf(state.self.replica) - state.peers.indexOf(from.replica) + count) % count
  state.electionAt = state.now + (distance - 1) * state.settings.fetchDelay * 2
}

/** Records up to `upTo` are durable since `at`: what was claimed on them may be said. */
export function onDurable(state: PeerState, upTo: number, at: number): void {
  state.durable = Math.max(state.durable, upTo)
  state.durableAt = at
  tellDurable(state)
  onPromiseDurable(state)
  onOwnRecordsDurable(state)
}

/** Says what was held back for a record that is durable by now. */
function tellDurable(state: PeerState): void {
  let done = 0
  for (const { after, to, build } of state.claims) {
    if (after > state.durable) break
    done += 1
    if (build.type === 'message') {
      state.effects.send(to, build.message)
      continue
    }
    tellAccepted(state, to, build)
  }
  if (done > 0) state.claims.splice(0, done)
}

function tellAccepted(
  state: PeerState,
  to: number,
  build: Extract<ClaimBuild, { type: 'accepted' }>,
): void {
  const { ballot, slot, confirm, sentAt, receivedAt } = build
  const { applied, now, effects } = state
  // What was durable before it came, such as a repeated accept's record, took no time.
  const durableMicros = Math.max(0, state.durableAt - receivedAt)
  const answeredMicros = now - receivedAt
  const took = { durableMicros, answeredMicros }
  effects.send(to, { type: 'accepted', ballot, slot, confirm, sentAt, applied, ...took })
  effects.event({ type: 'acceptAnswered', slot, ballot, receivedAt, ...took })
}

/** All that is due by now. */
export function peerOn(state: PeerState): void {
  // A repeated accept or prepare writes nothing new: no write would ever end to let its answer go.
  tellDurable(state)
  if (state.role === 'forming') return formOn(state)
  if (state.leadership !== null) leadOn(state, state.leadership)
  else if (state.role !== 'stranger' && state.now >= state.electionAt) startPreVote(state)
  else if (state.candidate !== null) askAgain(state, state.candidate)
  callLeader(state)
  catchUpOn(state)
  closeIdleSnapshot(state)
}

/** When `peerOn` has something to do next, µs. */
export function peerWakeAt(state: PeerState): number {
  if (state.role === 'forming') return state.nextHelloAt
  let at = catchUpWakeAt(state)
  if (state.leadership !== null) at = Math.min(at, leaderWakeAt(state, state.leadership))
  else if (state.role !== 'stranger') at = Math.min(at, state.electionAt)
  if (isCalling(state)) at = Math.min(at, state.nextHelloAt)
  if (state.candidate !== null && state.candidate.phase !== 'persisting') {
    at = Math.min(at, askAgainAt(state, state.candidate))
  }
  if (state.snapshotSource !== null) {
    at = Math.min(at, state.snapshotSource.usedAt + state.settings.snapshotIdle)
  }
  return at
}
