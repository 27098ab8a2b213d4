// What the Paxos side of a replica tells about itself. Times are µs of this replica's clock.

import type { Ballot } from './ballot.ts'
import type { Slot } from './message.ts'

/** How a value came to be proposed in its slot. */
export type Origin = 'own' | 'inherited' | 'noop'

export type AcceptorTiming = {
  readonly replica: number
  /** When its answer came back (for the leader itself: when its own record was durable). */
  readonly at: number
  readonly durableMicros: number
}

/** `unreachable`: its messages get out, and nobody's get in. */
export type StepDownReason = 'ballot' | 'noQuorum' | 'unreachable' | 'slowDisk' | 'handedOver'

export type PaxosEvent =
  | { readonly type: 'formed'; readonly members: number }
  | { readonly type: 'suspected'; readonly leader: Ballot | null }
  | { readonly type: 'electionStarted'; readonly ballot: Ballot }
  | {
      readonly type: 'electionWon'
      readonly ballot: Ballot
      readonly inherited: number
      readonly noops: number
      readonly startedAt: number
    }
  | {
      readonly type: 'electionLost'
      readonly ballot: Ballot
      readonly reason: 'ballot' | 'lease' | 'behind' | 'timeout'
    }
  | { readonly type: 'leaderChanged'; readonly leader: number | null; readonly ballot: Ballot }
  | {
      readonly type: 'steppedDown'
      readonly ballot: Ballot
      readonly reason: StepDownReason
    }
  /** On the leader, once per slot that it proposed: the whole instance. */
  | {
      readonly type: 'slotDecided'
      readonly slot: Slot
      readonly ballot: Ballot
      readonly origin: Origin
      readonly commands: number
      readonly bytes: number
      /** When the oldest command in the batch came in; 0 when there is none. */
      readonly queuedAt: number
      readonly proposedAt: number
      readonly decidedAt: number
      readonly acceptors: readonly AcceptorTiming[]
    }
  /** Slots from…to were applied to the state machine in one step. */
  | { readonly type: 'applied'; readonly from: Slot; readonly to: Slot }
  | {
      readonly type: 'rejected'
      readonly phase: 'prepare' | 'accept' | 'heartbeat'
      readonly by: number
      readonly ballot: Ballot
      readonly promised: Ballot
    }
  | {
      readonly type: 'refused'
      readonly phase: 'prepare' | 'accept' | 'heartbeat'
      readonly ballot: Ballot
      readonly reason: 'ballot' | 'lease' | 'behind'
    }
  | { readonly type: 'resent'; readonly slot: Slot; readonly to: number }
  | {
      readonly type: 'caughtUp'
      readonly from: Slot
      readonly to: Slot
      readonly source: 'log' | 'snapshot'
    }
  | {
      readonly type: 'snapshotSent'
      readonly slot: Slot
      readonly to: number
      readonly bytes: number
    }
  | {
      readonly type: 'readsConfirmed'
      readonly count: number
      readonly waitMicros: number
      readonly path: 'quorum' | 'lease'
    }
  | { readonly type: 'trimmed'; readonly below: Slot }
