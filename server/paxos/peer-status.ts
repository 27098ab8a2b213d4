// How the Paxos side of a replica stands, for `/v1/status`.

import type { Now, ReplicaStatus } from '../contract.ts'
import { formatBallot } from './ballot.ts'
import type { PeerState } from './state.ts'

/** `isLeading`: it leads, and what earlier leaders may have decided is applied here. */
export function peerStatus(
  peer: PeerState,
  now: Now,
  isLeading: boolean,
): Omit<ReplicaStatus, 'machine' | 'waiting'> {
  const { log, leadership, self, role, formation } = peer
  return {
    gid: peer.gid,
    replica: self.replica,
    incarnation: self.incarnation,
    role,
    leader: leadership !== null ? self.replica : (peer.leader?.replica ?? null),
    leaderSilentMicros: leadership !== null ? 0 : silentMicros(peer, now),
    ballot: formatBallot(leadership?.ballot ?? peer.promised),
    formation: formation?.id ?? null,
    slots: {
      first: log.first,
      decided: log.decided,
      applied: peer.applied,
      durable: peer.flushed,
    },
    members: (formation?.members ?? []).map(({ replica, incarnation }) => {
      const follower = leadership?.followers.get(replica)
      const lagSlots = follower === undefined ? null : Math.max(0, log.decided - follower.applied)
      const silentMicros = follower === undefined ? null : now.micros - follower.heardAt
      return { replica, incarnation, lagSlots, silentMicros }
    }),
    isReady: isReady(peer, isLeading),
    log: { entries: log.size, bytes: log.bytes, inFlight: leadership?.inFlight.size ?? 0 },
  }
}

function silentMicros({ leaderHeardAt }: PeerState, now: Now): number | null {
  return leaderHeardAt === Number.NEGATIVE_INFINITY ? null : now.micros - leaderHeardAt
}

/** It is led, it votes, and all that it knows to be decided is applied. */
export function isReady(peer: PeerState, isLeading: boolean): boolean {
  const { log, leadership, role, applied, catchUp, leader } = peer
  const isCurrent = log.decided >= catchUp.known && applied >= log.decided
  const isLed = leadership !== null ? isLeading : leader !== null
  return isLed && isCurrent && role !== 'stranger' && role !== 'forming'
}
