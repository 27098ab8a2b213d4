// What a replica's core is to the world: one call that takes inputs and returns what is to be done.
// No clock, chance, timer or I/O in it; the shell (host/host.ts) or the simulation does all that.
//
// The order of an Output, and what the shell owes for it:
//   records  are appended to the log in this order, as one unit; `durable` comes back as an input.
//   sends    may leave at once. What claims something (a promise, an accepted) is put here by the
//            core only after it was told that the record behind it is durable.
//   replies  answer this replica's own waiters; each request id is answered exactly once.
//   events   say what happened, for metrics and traces; nothing depends on them.
// The store has been changed by the time a step returns; it is told to be durable by `flushed`.

import type { PaxosEvent } from './paxos/event.ts'
import type { PaxosMessage, Slot } from './paxos/message.ts'
import type { LogRecord } from './paxos/record.ts'
import type { ShardkvEvent } from './shardkv/event.ts'
import type { ShardkvMessage } from './shardkv/message.ts'
import type { ShardmasterEvent } from './shardmaster/event.ts'

/** A replica anywhere in the cluster. Group 0 is the shardmaster group. */
export type Address = { readonly gid: number; readonly replica: number }

/** Who sent a message: its address and its life (see Ballot). */
export type Sender = Address & { readonly incarnation: string }

/** Monotonic time in whole µs for all decisions; wall time in whole ms since 1970 for the record. */
export type Now = { readonly micros: number; readonly wallMs: number }

export type Message = PaxosMessage | ShardkvMessage

export type Input<Request> =
  | { readonly type: 'message'; readonly from: Sender; readonly message: Message }
  | { readonly type: 'request'; readonly id: number; readonly request: Request }
  /**
   * All records up to number `upTo` (counted from 1 since this core was made) are durable, since
   * `at` if that is known, µs.
   */
  | { readonly type: 'durable'; readonly upTo: number; readonly at?: number }
  /** The store is durable up to this slot: the log may be cut behind it. */
  | { readonly type: 'flushed'; readonly slot: Slot }
  /** Time has passed; comes at `wakeAt` at the latest. */
  | { readonly type: 'tick' }
  /** The process is about to stop: give the leadership away. */
  | { readonly type: 'handOver' }

export type Send = { readonly to: readonly Address[]; readonly message: Message }

export type Event = PaxosEvent | ShardkvEvent | ShardmasterEvent

export type Output<Reply> = {
  readonly records: readonly LogRecord[]
  readonly sends: readonly Send[]
  readonly replies: readonly { readonly id: number; readonly reply: Reply }[]
  readonly events: readonly Event[]
  /** The log may forget the slots below this one (0: nothing new). */
  readonly trimBelow: Slot
  /** A `tick` is wanted at this time of the monotonic clock, in µs. */
  readonly wakeAt: number
  /** Others wait for these records: they are written before anything else is done. */
  readonly isAwaited: boolean
  /** Decided slots were left for the next step, which is to come (without inputs, if there are
   * none) when this has been performed: what others wait for leaves before one's own applying. */
  readonly hasMore: boolean
}

/** A replica's core, of either kind. */
export interface Replica<Request, Reply> {
  step(now: Now, inputs: readonly Input<Request>[]): Output<Reply>
  status(now: Now): ReplicaStatus
  /** Records with which a new log segment begins, so that older ones can go: promise, formation. */
  durableState(): readonly LogRecord[]
  /** Base URL of a replica of another group, as far as its state machine knows it. */
  urlOf(address: Address): string | null
}

/** The Paxos side of `/v1/status`. */
export type ReplicaStatus = {
  readonly gid: number
  readonly replica: number
  readonly incarnation: string
  /** `stranger`: its incarnation is not among the group's members; it learns, and does not vote. */
  readonly role: 'forming' | 'stranger' | 'follower' | 'candidate' | 'leader'
  readonly leader: number | null
  /** µs since a leader was last heard, 0 on the leader itself; null: none was, or it left. */
  readonly leaderSilentMicros: number | null
  readonly ballot: string
  /** Names the group's log, and so its instances' traces; null before the replicas first met. */
  readonly formation: string | null
  readonly slots: {
    readonly first: Slot
    readonly decided: Slot
    readonly applied: Slot
    readonly durable: Slot
  }
  readonly members: readonly {
    readonly replica: number
    readonly incarnation: string
    /** On the leader: slots decided but not yet applied there, and µs since its last answer. */
    readonly lagSlots: number | null
    readonly silentMicros: number | null
  }[]
  readonly isReady: boolean
  readonly log: { readonly entries: number; readonly bytes: number; readonly inFlight: number }
  /** What waits on the leader: commands for a slot, reads for a confirmation. */
  readonly waiting: { readonly commands: number; readonly reads: number }
  /** The state machine's part. */
  readonly machine: Readonly<Record<string, unknown>>
}
