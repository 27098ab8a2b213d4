// The state of one replica's Paxos side, shared by the roles (acceptor, election, proposer, learner,
// reads, catch-up), and the effects that a step collects. Everything here is changed by one input at
// a time; nothing here knows what the values in the log mean.

import type { Message, Send, Sender } from '../contract.ts'
import type { Store } from '../store.ts'
import type { Ballot } from './ballot.ts'
import type { CatchUp } from './catch-up.ts'
import type { Candidate } from './election.ts'
import type { ElectionLoss, PaxosEvent } from './event.ts'
import type { Log } from './log.ts'
import type { Formation, Member, PaxosMessage, Slot } from './message.ts'
import type { Leadership } from './proposer.ts'
import type { LogRecord } from './record.ts'
import type { Settings } from './settings.ts'
import type { SlotMap } from './slot-map.ts'
import type { SnapshotSource } from './snapshot.ts'

export type Role = 'forming' | 'stranger' | 'follower' | 'candidate' | 'leader'

/** Something said to another replica as soon as the record with this number is durable. */
export type Claim = { readonly after: number; readonly to: number; readonly build: ClaimBuild }

/** What the claim says; an accepted tells how long it took to become durable. */
export type ClaimBuild =
  | { readonly type: 'message'; readonly message: PaxosMessage }
  | {
      readonly type: 'accepted'
      readonly ballot: Ballot
      readonly slot: Slot
      readonly confirm: number
      readonly sentAt: number
      readonly receivedAt: number
    }

export type PeerState = {
  readonly gid: number
  readonly self: Member
  /** Ids of all replicas of the group, this one included. */
  readonly peers: readonly number[]
  readonly others: readonly number[]
  readonly settings: Settings
  /** 0 ≤ random() < 1, seeded by the shell. */
  readonly random: () => number
  readonly store: Store
  readonly log: Log
  readonly effects: Effects
  /** Monotonic clock of this step, µs. */
  now: number
  role: Role
  formation: Formation | null
  /** Incarnations of unformed peers, while forming. */
  readonly fresh: Map<number, string>
  nextHelloAt: number
  promised: Ballot
  /** When a candidate, perhaps this one, was promised that and has not won since. */
  promisedAt: number
  /** The ballot of the leader that was heard last and not outdone since. */
  leader: Ballot | null
  leaderHeardAt: number
  /** When a member last said something here that is no answer, µs; at first, the start. */
  calledAt: number
  /** No vote for others before this time: a leader may be reading on its lease. */
  leaseHeldUntil: number
  highestRound: number
  electionAt: number
  candidate: Candidate | null
  leadership: Leadership | null
  catchUp: CatchUp
  snapshotSource: SnapshotSource | null
  applied: Slot
  /** The store is durable up to here. */
  flushed: Slot
  /** Number of the last durable record, and when it became so. */
  durable: number
  durableAt: number
  readonly claims: Claim[]
  /** Of decided slots: requests to be answered when they are applied, in the order of commands. */
  readonly decidedWaiters: SlotMap<readonly (number | null)[]>
  /** Requests whose outcome this replica will not see: it lost the leadership. */
  lostWaiters: (number | null)[]
}

/** What a step has collected so far. Records are numbered from 1 over the life of the peer. */
export class Effects {
  records: LogRecord[] = []
  sends: Send[] = []
  events: PaxosEvent[] = []
  recordCount = 0
  private readonly gid: number

  constructor(gid: number) {
    this.gid = gid
  }

  /** The number under which `durable` will report it. */
  record(record: LogRecord): number {
    this.records.push(record)
    this.recordCount += 1
    return this.recordCount
  }

  send(to: number, message: Message): void {
    this.sends.push({ to: [{ gid: this.gid, replica: to }], message })
  }

  broadcast(to: readonly number[], message: Message): void {
    if (to.length === 0) return
    this.sends.push({ to: to.map(replica => ({ gid: this.gid, replica })), message })
  }

  event(event: PaxosEvent): void {
    this.events.push(event)
  }
}

/** More than half of the members; 0 members have no quorum. */
export function quorumOf(state: PeerState): number {
  const members = state.formation?.members.length ?? 0
  return members === 0 ? Number.POSITIVE_INFINITY : Math.floor(members / 2) + 1
}

/** Whether the sender is a voter of this group, in the life that the group knows. */
export function isMember(
  state: PeerState,
  sender: Pick<Sender, 'replica' | 'incarnation'>,
): boolean {
  for (const member of state.formation?.members ?? []) {
    if (member.replica === sender.replica) return member.incarnation === sender.incarnation
  }
  return false
}

/** Holds back a message until everything recorded so far is durable. */
export function claim(state: PeerState, to: number, build: ClaimBuild): void {
  state.claims.push({ after: state.effects.recordCount, to, build })
}

/** The candidate gives up, and follows. */
export function loseElection(state: PeerState, reason: ElectionLoss): void {
  const { candidate } = state
  if (candidate === null) return
  const { ballot, startedAt, preparedAt, timings: promises } = candidate
  state.effects.event({
    type: 'electionLost',
    ballot,
    reason,
    startedAt,
    preparedAt,
    promises,
  })
  state.candidate = null
  if (state.role === 'candidate') state.role = 'follower'
}

/** A fresh random wait of one election timeout. */
export function delayElection(state: PeerState): void {
  const { electionMin, electionMax } = state.settings
  state.electionAt =
    state.now + electionMin + Math.floor(state.random() * (electionMax - electionMin))
}
