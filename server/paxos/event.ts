// What the Paxos side of a replica tells about itself. Times are µs of this replica's clock; an event
// without a time of its own happened in the step that told it.

import type { Ballot } from './ballot.ts'
import type { Formation, Slot } from './message.ts'

/** How a value came to be proposed in its slot. */
export type Origin = 'own' | 'inherited' | 'noop'

export type AcceptorTiming = {
  readonly replica: number
  /** When its answer came back (for the leader itself: when its own record was durable). */
  readonly at: number
  /** From receipt to the durable record, on the acceptor's clock. */
  readonly durableMicros: number
  /** From receipt until the answer left, on the acceptor's clock. */
  readonly answeredMicros: number
}

/** One voter's promise to a candidate. */
export type PromiseTiming = {
  readonly replica: number
  readonly at: number
  /** Entries that it had accepted and the candidate did not know to be decided. */
  readonly accepted: number
}

export type Resend = { readonly to: number; readonly at: number }

/** `unreachable`: its messages get out, and nobody's get in. */
export type StepDownReason = 'ballot' | 'noQuorum' | 'unreachable' | 'slowDisk' | 'handedOver'

/** `leader`: another one was heard. */
export type ElectionLoss = 'ballot' | 'lease' | 'behind' | 'timeout' | 'leader'

export type Refusal = 'ballot' | 'lease' | 'behind'
export type VotePhase = 'prepare' | 'accept' | 'heartbeat'

/** What a leader knows of a slot that it proposed in. */
export type ProposalFacts = {
  readonly slot: Slot
  readonly ballot: Ballot
  readonly origin: Origin
  readonly commands: number
  readonly bytes: number
  /** When the oldest command in the batch came in; 0 when there is none. */
  readonly queuedAt: number
  readonly proposedAt: number
  /** In the order in which they answered; who answers later is told by `acceptedLate`. */
  readonly acceptors: readonly AcceptorTiming[]
  /** The first few, oldest first (RESENDS_TOLD_MAX). */
  readonly resends: readonly Resend[]
}

export type PaxosEvent =
  /** The replica was made, from what its disk holds. */
  | {
      readonly type: 'recovered'
      readonly formation: Formation | null
      readonly promised: Ballot
      readonly applied: Slot
      readonly decided: Slot
      readonly entries: number
    }
  /** For the first time in this life it has a leader and everything that is decided. */
  | { readonly type: 'ready' }
  | { readonly type: 'formed'; readonly formation: Formation }
  /** `heardAt`: when it was heard last; −Infinity when it said that it leaves. */
  | { readonly type: 'suspected'; readonly leader: Ballot; readonly heardAt: number }
  /** A quorum would promise: its own promise is being made durable. */
  | { readonly type: 'electionStarted'; readonly ballot: Ballot; readonly startedAt: number }
  | {
      readonly type: 'electionWon'
      readonly ballot: Ballot
      readonly inherited: number
      readonly noops: number
      /** The first slot of its own; what it proposes below is what it inherited, and gaps. */
      readonly barrier: Slot
      readonly startedAt: number
      /** When the prepares left. */
      readonly preparedAt: number
      readonly promises: readonly PromiseTiming[]
    }
  | {
      readonly type: 'electionLost'
      readonly ballot: Ballot
      readonly reason: ElectionLoss
      readonly startedAt: number
      /** 0: it never came to that. */
      readonly preparedAt: number
      readonly promises: readonly PromiseTiming[]
    }
  | { readonly type: 'leaderChanged'; readonly leader: number | null; readonly ballot: Ballot }
  | { readonly type: 'steppedDown'; readonly ballot: Ballot; readonly reason: StepDownReason }
  /**
   * On the leader, once per slot that it proposed: the whole instance. `isLearned`: no quorum's
   * answers came, another replica said that the slot is decided, with this very value.
   */
  | (ProposalFacts & {
      readonly type: 'slotDecided'
      readonly decidedAt: number
      readonly isLearned: boolean
    })
  /** It ceased to lead with the slot open: what is decided there, the next leader tells. */
  | (ProposalFacts & { readonly type: 'slotAbandoned'; readonly reason: StepDownReason })
  /** On the leader: an acceptor answered when the slot was decided already. May come twice. */
  | {
      readonly type: 'acceptedLate'
      readonly slot: Slot
      readonly ballot: Ballot
      readonly timing: AcceptorTiming
    }
  /** On an acceptor: its answer to an accept left. */
  | {
      readonly type: 'acceptAnswered'
      readonly slot: Slot
      readonly ballot: Ballot
      readonly receivedAt: number
      readonly durableMicros: number
      readonly answeredMicros: number
    }
  /** Slots from…to were applied to the state machine in one step. */
  | { readonly type: 'applied'; readonly from: Slot; readonly to: Slot }
  /** On the asker. `slot` is that of the accept, 0 otherwise. */
  | {
      readonly type: 'rejected'
      readonly phase: VotePhase
      readonly slot: Slot
      readonly by: number
      readonly ballot: Ballot
      readonly promised: Ballot
      readonly reason: Refusal
    }
  /** On the acceptor. */
  | {
      readonly type: 'refused'
      readonly phase: VotePhase
      readonly slot: Slot
      readonly to: number
      readonly ballot: Ballot
      readonly promised: Ballot
      readonly reason: Refusal
    }
  | { readonly type: 'resent'; readonly slot: Slot; readonly to: number }
  /** Slots from…to came from another replica, in answer to one question. */
  | {
      readonly type: 'caughtUp'
      readonly from: Slot
      readonly to: Slot
      readonly source: 'log' | 'snapshot'
      readonly replica: number
      readonly bytes: number
      /** Since when it was behind. */
      readonly behindSince: number
      /** All that is known to be decided is here. */
      readonly isLevel: boolean
    }
  /** The last part of a snapshot left. */
  | {
      readonly type: 'snapshotSent'
      readonly slot: Slot
      readonly to: number
      readonly startedAt: number
      readonly chunks: number
      readonly keys: number
      readonly bytes: number
    }
  | {
      readonly type: 'snapshotInstalled'
      readonly slot: Slot
      readonly replica: number
      readonly startedAt: number
      readonly chunks: number
      readonly keys: number
      readonly bytes: number
    }
  | {
      readonly type: 'readsConfirmed'
      readonly count: number
      readonly waitMicros: number
      readonly path: 'quorum' | 'lease'
    }
  | { readonly type: 'trimmed'; readonly below: Slot }
