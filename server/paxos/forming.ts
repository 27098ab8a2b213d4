// A group forms once, when all of its configured replicas have met: the one with the lowest id writes
// down everybody's incarnation, and only those lives vote from then on. A replica that comes back
// with an emptied disk has another incarnation: it learns, and has no vote, for it may have forgotten
// what it promised. (Amnesia of one acceptor is enough to decide a slot twice.)

import type { Sender } from '../contract.ts'
import type { Formation, PaxosMessage } from './message.ts'
import { delayElection, isMember, type PeerState } from './state.ts'

export function formOn(state: PeerState): void {
  if (state.formation !== null || state.now < state.nextHelloAt) return
  state.nextHelloAt = state.now + state.settings.hello
  state.effects.broadcast(state.others, { type: 'hello', formation: null })
  tryToForm(state)
}

/**
 * A follower calls its leader now and then, unasked. Where an answer comes back the way that its
 * question went, a leader may hear everyone's answers and yet be out of everyone's reach.
 */
export function callLeader(state: PeerState): void {
  if (state.now >= state.nextHelloAt) call(state)
}

/** … a little early where it has just heard and answered it: one wakeup for both, on both sides. */
export function callAlong(state: PeerState): void {
  if (state.now >= state.nextHelloAt - state.settings.heartbeat) call(state)
}

function call(state: PeerState): void {
  if (!isCalling(state) || state.leader === null) return
  state.nextHelloAt = state.now + state.settings.leaderCall
  state.effects.send(state.leader.replica, { type: 'hello', formation: state.formation })
}

/** Whether it has a leader other than itself, which counts on its vote. */
export function isCalling(state: PeerState): boolean {
  return state.role === 'follower' && state.leader !== null
}

export function onHello(
  state: PeerState,
  from: Sender,
  message: Extract<PaxosMessage, { type: 'hello' | 'helloReply' }>,
): void {
  // The call of a follower to its leader needs no answer: it says all there is to say by coming.
  const isCall = message.formation !== null && state.formation !== null
  if (message.type === 'hello' && !isCall) {
    state.effects.send(from.replica, { type: 'helloReply', formation: state.formation })
  }
  const follower = state.leadership?.followers.get(from.replica)
  if (follower !== undefined && isMember(state, from)) follower.calledAt = state.now
  if (state.formation !== null) return
  if (message.formation !== null) return adopt(state, message.formation)
  state.fresh.set(from.replica, from.incarnation)
  tryToForm(state)
}

/** The lowest replica forms the group, when it has heard of every other one's life. */
function tryToForm(state: PeerState): void {
  if (state.self.replica !== Math.min(...state.peers)) return
  const members = [state.self]
  for (const replica of state.others) {
    const incarnation = state.fresh.get(replica)
    if (incarnation === undefined) return
    members.push({ replica, incarnation })
  }
  members.sort((a, b) => a.replica - b.replica)
  const id = members.map(member => member.incarnation.slice(0, 8)).join('-')
  const formation: Formation = { id, members }
  adopt(state, formation)
  state.electionAt = state.now
  state.effects.broadcast(state.others, { type: 'helloReply', formation })
}

/** Durable before anything that this replica says as a voter: records keep their order. */
function adopt(state: PeerState, formation: Formation): void {
  state.formation = formation
  state.effects.record({ type: 'formed', formation })
  state.role = isIn(formation, state) ? 'follower' : 'stranger'
  delayElection(state)
  state.effects.event({ type: 'formed', formation })
}

/** Whether this very life of the replica is a member. */
export function isIn(formation: Formation, state: Pick<PeerState, 'self'>): boolean {
  return formation.members.some(
    member =>
      member.replica === state.self.replica && member.incarnation === state.self.incarnation,
  )
}
