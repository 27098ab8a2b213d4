// Everything that replicas of one group say to each other. Messages are plain data; values are bytes.
// Each reply repeats what it answers (ballot, slot, …), so a late or doubled one is known as such.
// § refers to Lamport, Paxos Made Simple.

import type { ByteString } from '../bytes.ts'
import type { StoreEntry } from '../store.ts'
import type { Ballot } from './ballot.ts'

/** A position in a group's log, from 1. */
export type Slot = number

/** One life of one replica, as the group's log knows it. */
export type Member = { readonly replica: number; readonly incarnation: string }

/** A group's voters, fixed when all of them first met; `id` names this first meeting. */
export type Formation = { readonly id: string; readonly members: readonly Member[] }

/** What an acceptor holds in a slot. An empty value is a noop. */
export type AcceptedEntry = {
  readonly slot: Slot
  readonly ballot: Ballot
  readonly value: Uint8Array
}

export type DecidedEntry = { readonly slot: Slot; readonly value: Uint8Array }

export type PaxosMessage =
  // Forming the group: incarnations are exchanged before anyone votes.
  | { readonly type: 'hello'; readonly formation: Formation | null }
  | { readonly type: 'helloReply'; readonly formation: Formation | null }
  // Would you promise this ballot? Changes nothing; keeps a cut-off replica from disturbing a leader.
  | { readonly type: 'preVote'; readonly ballot: Ballot; readonly decided: Slot }
  | {
      readonly type: 'preVoteReply'
      readonly ballot: Ballot
      readonly isGranted: boolean
      readonly promised: Ballot
      readonly decided: Slot
    }
  // Phase 1 (§2.2) for all slots from `from` on.
  | { readonly type: 'prepare'; readonly ballot: Ballot; readonly from: Slot }
  | {
      readonly type: 'promise'
      readonly ballot: Ballot
      readonly from: Slot
      readonly accepted: readonly AcceptedEntry[]
      /** Of the entries, those up to here are known to be decided. */
      readonly decided: Slot
    }
  // Phase 2 (§2.2). `confirm` is the newest read confirmation asked for, 0 for none.
  | {
      readonly type: 'accept'
      readonly ballot: Ballot
      readonly slot: Slot
      readonly value: Uint8Array
      readonly decided: Slot
      readonly confirm: number
      /** The leader's clock at sending, in µs, returned as it came: leases count from the sending. */
      readonly sentAt: number
    }
  | {
      readonly type: 'accepted'
      readonly ballot: Ballot
      readonly slot: Slot
      readonly confirm: number
      readonly sentAt: number
      readonly applied: Slot
      /** From receipt to durable record, and until this left, in µs of the acceptor's clock. */
      readonly durableMicros: number
      readonly answeredMicros: number
    }
  // The leader lives; up to `decided` all is decided.
  | {
      readonly type: 'heartbeat'
      readonly ballot: Ballot
      readonly decided: Slot
      readonly confirm: number
      readonly sentAt: number
    }
  | {
      readonly type: 'heartbeatReply'
      readonly ballot: Ballot
      readonly confirm: number
      readonly sentAt: number
      readonly decided: Slot
      readonly applied: Slot
    }
  // A higher ballot was promised, a lease still holds, or the asker lags behind this one's log.
  | {
      readonly type: 'reject'
      readonly phase: 'prepare' | 'accept' | 'heartbeat'
      /** Of the accept; 0 otherwise. */
      readonly slot: Slot
      readonly ballot: Ballot
      readonly promised: Ballot
      readonly reason: 'ballot' | 'lease' | 'behind'
      readonly decided: Slot
    }
  // The leader gives up its lease and its leadership, and asks the receivers to take over at once.
  | { readonly type: 'handOver'; readonly ballot: Ballot }
  // Catch-up of decided slots, then of a snapshot of the store.
  | { readonly type: 'fetch'; readonly from: Slot }
  | {
      readonly type: 'entries'
      readonly from: Slot
      readonly entries: readonly DecidedEntry[]
      /** The lowest slot that the sender can still give; above `from`, a snapshot is needed. */
      readonly first: Slot
      readonly decided: Slot
    }
  /** Slot 0 asks for any snapshot; otherwise for the rest, after `cursor`, of the one at `slot`. */
  | { readonly type: 'snapshotFetch'; readonly slot: Slot; readonly cursor: ByteString }
  | {
      readonly type: 'snapshotChunk'
      readonly slot: Slot
      /** The cursor it answers. */
      readonly after: ByteString
      readonly entries: readonly StoreEntry[]
      readonly isLast: boolean
      /** FNV-1a 32 over the chunk's keys and values: damage on the way is not installed. */
      readonly checksum: number
    }
