// What stands on top of a group's log: a deterministic state machine. It changes its state only in
// `apply`, which every replica calls with the same commands in the same order; all else only reads,
// asks for proposals, and sends messages. server/replica.ts joins it to a Paxos peer.

import type { Address, Event, Message, Now, Sender } from './contract.ts'
import type { Slot } from './paxos/message.ts'
import type { Store, StoreReader, StoreTransaction } from './store.ts'

/** Outcomes that come from the log and not from the state machine. */
export type GroupReply =
  /** Definite: nothing was proposed here. `leader` is a replica id, null when unknown. */
  | { readonly type: 'notLeader'; readonly leader: number | null }
  /** Definite: too much is waiting here. */
  | { readonly type: 'overloaded' }
  /** Indefinite: proposed, and the leadership was lost before it was seen applied. */
  | { readonly type: 'unknown' }

/** Whether a proposal or a read was taken on. */
export type Taken = 'taken' | 'notLeader' | 'overloaded'

export interface MachineContext<Reply> {
  readonly now: Now
  readonly self: Address
  readonly isLeader: boolean
  /** The replica believed to lead, null when unknown. */
  readonly leader: number | null
  /** µs since a leader was last heard, 0 on the leader. */
  readonly leaderSilentMicros: number
  readonly store: Store
  /**
   * Puts a command into the log's queue (leader only). With a waiter, a request's id, the reply
   * that `apply` returns here answers it; if it is never seen applied here: `unknown`.
   */
  propose(command: Uint8Array, waiter: number | null): Taken
  /** Calls `onReadable(id, request)` once a quorum confirmed this leader after this call. */
  read(id: number, request: unknown): Taken
  /** Answers a request of this replica's own clients; each id once. */
  reply(id: number, reply: Reply | GroupReply): void
  send(to: readonly Address[], message: Message): void
  event(event: Event): void
}

/** Where in the log a command stands, and the wall time that its leader logged with it. */
export type Applied = { readonly slot: Slot; readonly wallMs: number }

export interface Machine<Request, Reply> {
  /** Loads what it holds in memory from the store: at the start, and after a snapshot came in. */
  load(store: StoreReader): void
  onRequest(id: number, request: Request, context: MachineContext<Reply>): void
  /** The state includes all that was decided before the read was asked for. */
  onReadable(id: number, request: unknown, context: MachineContext<Reply>): void
  /**
   * Runs one decided command. Must depend on nothing but the command, `applied` and the state.
   * Returns what to answer to its waiter, if it has one here.
   */
  apply(
    command: Uint8Array,
    applied: Applied,
    transaction: StoreTransaction,
    context: MachineContext<Reply>,
  ): Reply | null
  /** The transaction of `apply`s is about to end: what was changed in memory alone goes in. */
  finish?(transaction: StoreTransaction): void
  /** After the transaction of `apply`s ended: time to send what follows from them. */
  onApplied(context: MachineContext<Reply>): void
  /** A message that is not Paxos's own. */
  onMessage(from: Sender, message: Message, context: MachineContext<Reply>): void
  /** This replica became its group's leader and has applied all earlier slots, or ceased to be. */
  onLeadership(context: MachineContext<Reply>): void
  onTick(context: MachineContext<Reply>): void
  /** When it wants `onTick`, µs of the monotonic clock; Infinity for not at all. */
  wakeAt(): number
  /** Base URL of a replica of another group, as far as known; null otherwise. */
  urlOf(address: Address): string | null
  /** Its part of `/v1/status`: plain JSON, small. */
  status(): Readonly<Record<string, unknown>>
}
