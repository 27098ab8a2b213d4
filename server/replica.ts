// One replica of a group: a Paxos peer with a state machine on its log. Takes inputs, cuts waiting
// commands into batches, applies what is decided in one store transaction, answers waiters.
// The order inside a step: inputs, what time demands, proposals, applying, reads, proposals that
// followed from applying. One input is handled at a time, so there are no locks.

import { assert } from './assert.ts'
import type {
  Address,
  Event,
  Input,
  Message,
  Now,
  Output,
  Replica,
  ReplicaStatus,
  Send,
  Sender,
} from './contract.ts'
import { APPLY_BEHIND_SLOTS } from './limits.ts'
import type { GroupReply, Machine, MachineContext, Taken } from './machine.ts'
import { decodeBatch, encodeBatch } from './paxos/batch.ts'
import type { PaxosMessage, Slot } from './paxos/message.ts'
import {
  createPeer,
  handOver,
  onDurable,
  onPaxosMessage,
  type PeerOptions,
  peerOn,
  peerWakeAt,
} from './paxos/peer.ts'
import { isReady, peerStatus } from './paxos/peer-status.ts'
import { proposeAt } from './paxos/proposer.ts'
import { noReads, type Reads, readsReady } from './paxos/reads.ts'
import type { LogRecord } from './paxos/record.ts'
import type { PeerState } from './paxos/state.ts'
import { readApplied, writeApplied } from './store-meta.ts'

export type ReplicaOptions<Request, Reply> = Omit<PeerOptions, 'applied'> & {
  readonly machine: Machine<Request, Reply>
}

type Queued = { readonly command: Uint8Array; readonly waiter: number | null; readonly at: number }

const MACHINE_MESSAGES = new Set<Message['type']>([
  'configPoll',
  'configs',
  'receiveShard',
  'receiveShardReply',
])

export function createReplica<Request, Reply>(
  options: ReplicaOptions<Request, Reply>,
): GroupReplica<Request, Reply> {
  return new GroupReplica(options)
}

class GroupReplica<Request, Reply> implements Replica<Request, Reply | GroupReply> {
  private readonly peer: PeerState
  private readonly machine: Machine<Request, Reply>
  private readonly address: Address
  private queue: Queued[] = []
  private queueBytes = 0
  private reads: Reads = noReads()
  private replies: { id: number; reply: Reply | GroupReply }[] = []
  private sends: Send[] = []
  private events: Event[] = []
  private now: Now
  private isLeading = false
  private trimmedBelow: Slot = 0
  private wasReady = false

  constructor(options: ReplicaOptions<Request, Reply>) {
    this.machine = options.machine
    this.address = { gid: options.gid, replica: options.self.replica }
    this.now = { micros: options.nowMicros, wallMs: 0 }
    this.peer = createPeer({ ...options, applied: readApplied(options.store) })
    this.machine.load(options.store)
    this.applyDecided()
  }

  step(now: Now, inputs: readonly Input<Request>[]): Output<Reply | GroupReply> {
    this.now = now
    this.peer.now = now.micros
    for (const input of inputs) this.take(input)
    peerOn(this.peer)
    this.dropLost()
    this.proposeQueued()
    if (inputs.length > 0 && this.speaksFirst()) return this.takeOutput(true)
    this.settle()
    if (now.micros >= this.machine.wakeAt()) this.machine.onTick(this.context)
    this.settle()
    this.trim()
    this.noteReady()
    return this.takeOutput(false)
  }

  /** Whether applying can wait until others have what they wait for. Not for ever: see the bound. */
  private speaksFirst(): boolean {
    const { log, applied, effects } = this.peer
    const behind = log.decided - applied
    if (behind === 0 || behind > APPLY_BEHIND_SLOTS) return false
    return effects.records.length > 0 || effects.sends.length > 0
  }

  /** The last slot in the store, without asking the store: a read of LMDB costs a turn to let go of. */
  get applied(): Slot {
    return this.peer.applied
  }

  private take(input: Input<Request>): void {
    switch (input.type) {
      case 'message':
        return this.onMessage(input.from, input.message)
      case 'request':
        return this.machine.onRequest(input.id, input.request, this.context)
      case 'durable':
        return onDurable(this.peer, input.upTo, input.at ?? this.now.micros)
      case 'flushed':
        this.peer.flushed = Math.max(this.peer.flushed, input.slot)
        return
      case 'handOver':
        return handOver(this.peer)
      case 'tick':
        return
    }
  }

  private onMessage(from: Sender, message: Message): void {
    if (isMachineMessage(message)) return this.machine.onMessage(from, message, this.context)
    if (from.gid !== this.peer.gid || from.replica === this.peer.self.replica) return
    if (!onPaxosMessage(this.peer, from, message)) return
    this.machine.load(this.peer.store)
  }

  /** Everything that can follow from what is known now, without new input. */
  private settle(): void {
    this.dropLost()
    this.proposeQueued()
    this.applyDecided()
    this.noteLeadership()
    this.answerReads()
    this.proposeQueued()
  }

  /** The leadership is gone: proposals may yet be decided, the rest certainly did nothing here. */
  private dropLost(): void {
    const { peer } = this
    for (const waiter of peer.lostWaiters) {
      if (waiter !== null) this.replies.push({ id: waiter, reply: { type: 'unknown' } })
    }
    peer.lostWaiters = []
    if (peer.leadership !== null) return
    const reply: GroupReply = { type: 'notLeader', leader: peer.leader?.replica ?? null }
    for (const { waiter } of this.queue) {
      if (waiter !== null) this.replies.push({ id: waiter, reply })
    }
    this.queue = []
    this.queueBytes = 0
    for (const { id } of this.reads.waiting) this.replies.push({ id, reply })
    for (const { id } of this.reads.confirming) this.replies.push({ id, reply })
    this.reads = noReads()
  }

  /** Cuts what waits into batches, as long as the window of open slots has room. */
  private proposeQueued(): void {
    const { peer } = this
    const { leadership, settings } = peer
    if (leadership === null) return
    while (
      this.queue.length > 0 &&
      leadership.inFlight.size < settings.pipelineSlots &&
      leadership.inFlightBytes < settings.pipelineBytes
    ) {
      const batch = this.cutBatch()
      const value = encodeBatch({
        wallMs: this.now.wallMs,
        commands: batch.map(queued => queued.command),
      })
      proposeAt(peer, leadership.nextSlot, {
        value,
        origin: 'own',
        waiters: batch.map(queued => queued.waiter),
        queuedAt: batch[0]?.at ?? this.now.micros,
      })
    }
  }

  /** At least one command, then as many as fit. */
  private cutBatch(): Queued[] {
    const { batchOps, batchBytes } = this.peer.settings
    let bytes = 0
    let count = 0
    for (const { command } of this.queue) {
      if (count > 0 && (count >= batchOps || bytes + command.length > batchBytes)) break
      bytes += command.length
      count += 1
    }
    this.queueBytes -= bytes
    return this.queue.splice(0, count)
  }

  /** Runs all decided slots that were not run yet, in order, in one transaction. */
  private applyDecided(): void {
    const { peer } = this
    const from = peer.applied + 1
    if (peer.log.decided < from) return
    peer.store.transact(transaction => {
      while (peer.applied < peer.log.decided) {
        this.applySlot(peer.applied + 1, transaction)
        peer.applied += 1
      }
      this.machine.finish?.(transaction)
      writeApplied(transaction, peer.applied)
    })
    this.events.push({ type: 'applied', from, to: peer.applied })
    this.machine.onApplied(this.context)
  }

  private applySlot(
    slot: Slot,
    transaction: Parameters<Machine<Request, Reply>['apply']>[2],
  ): void {
    const { peer } = this
    const entry = peer.log.get(slot)
    assert(entry !== undefined, `decided slot ${slot} is held until it is applied`)
    const { wallMs, commands } = decodeBatch(entry.value)
    const waiters = peer.decidedWaiters.get(slot)
    let position = 0
    for (const command of commands) {
      const reply = this.machine.apply(command, { slot, wallMs }, transaction, this.context)
      const waiter = waiters?.[position] ?? null
      position += 1
      if (waiter === null) continue
      assert(reply !== null, 'a command with a waiter has a reply')
      this.replies.push({ id: waiter, reply })
    }
    if (waiters !== undefined) peer.decidedWaiters.delete(slot)
  }

  /** Leading begins when all that earlier leaders may have decided is applied here. */
  private noteLeadership(): void {
    const { leadership, applied } = this.peer
    const isLeading = leadership !== null && applied >= leadership.barrier
    if (isLeading === this.isLeading) return
    this.isLeading = isLeading
    this.machine.onLeadership(this.context)
  }

  private answerReads(): void {
    const { leadership } = this.peer
    if (leadership === null) return
    for (const { id, request } of readsReady(this.peer, leadership, this.reads)) {
      this.machine.onReadable(id, request, this.context)
    }
  }

  private noteReady(): void {
    if (this.wasReady || !isReady(this.peer, this.isLeading)) return
    this.wasReady = true
    this.events.push({ type: 'ready' })
  }

  /** Forgets what every live use is done with; a dead replica is given a snapshot instead. */
  private trim(): void {
    const { log, settings, applied, flushed } = this.peer
    let below = log.first
    let bytes = log.bytes
    while (below <= applied) {
      const isOver = log.decided - below >= settings.retainedSlots || bytes > settings.retainedBytes
      if (!isOver) break
      bytes -= (log.get(below)?.value.length ?? 0) + 100
      below += 1
    }
    if (below > log.first) log.trimBelow(below)
    const trimBelow = Math.min(log.first, flushed + 1)
    if (trimBelow <= this.trimmedBelow) return
    this.trimmedBelow = trimBelow
    this.events.push({ type: 'trimmed', below: trimBelow })
  }

  private takeOutput(hasMore: boolean): Output<Reply | GroupReply> {
    const { effects } = this.peer
    const output = {
      records: effects.records,
      sends: this.sends.length === 0 ? effects.sends : [...effects.sends, ...this.sends],
      replies: this.replies,
      events: this.events.length === 0 ? effects.events : [...effects.events, ...this.events],
      trimBelow: this.trimmedBelow,
      wakeAt: Math.min(peerWakeAt(this.peer), this.machine.wakeAt()),
      isAwaited: effects.records.length > 0 && this.peer.claims.length > 0,
      hasMore,
    }
    effects.records = []
    effects.sends = []
    effects.events = []
    this.replies = []
    this.sends = []
    this.events = []
    return output
  }

  private readonly context: MachineContext<Reply> = this.makeContext()

  private makeContext(): MachineContext<Reply> {
    const replica = this
    return {
      get now() {
        return replica.now
      },
      get self() {
        return replica.address
      },
      get isLeader() {
        const { leadership, applied } = replica.peer
        return leadership !== null && applied >= leadership.barrier
      },
      get leader() {
        return replica.peer.leader?.replica ?? null
      },
      get leaderSilentMicros() {
        const { leadership, now, leaderHeardAt } = replica.peer
        return leadership === null ? now - leaderHeardAt : 0
      },
      get store() {
        return replica.peer.store
      },
      propose: (command, waiter) => replica.enqueue(command, waiter),
      read: (id, request) => replica.enqueueRead(id, request),
      reply: (id, reply) => {
        replica.replies.push({ id, reply })
      },
      send: (to, message) => {
        replica.sends.push({ to, message })
      },
      event: event => {
        replica.events.push(event)
      },
    }
  }

  private enqueue(command: Uint8Array, waiter: number | null): Taken {
    const { leadership, settings } = this.peer
    if (leadership === null) return 'notLeader'
    // The group's own commands are few, and must not starve behind clients.
    const isFull = this.queue.length >= settings.queueOps || this.queueBytes >= settings.queueBytes
    if (waiter !== null && isFull) return 'overloaded'
    this.queue.push({ command, waiter, at: this.now.micros })
    this.queueBytes += command.length
    return 'taken'
  }

  private enqueueRead(id: number, request: unknown): Taken {
    const { leadership, settings } = this.peer
    if (leadership === null) return 'notLeader'
    if (this.reads.waiting.length >= settings.reads) return 'overloaded'
    this.reads.waiting.push({ id, request, at: this.now.micros })
    return 'taken'
  }

  durableState(): readonly LogRecord[] {
    const { promised, formation } = this.peer
    const records: LogRecord[] = formation === null ? [] : [{ type: 'formed', formation }]
    if (promised.round > 0) records.push({ type: 'promise', ballot: promised })
    return records
  }

  urlOf(address: Address): string | null {
    return this.machine.urlOf(address)
  }

  status(now: Now): ReplicaStatus {
    const { waiting, confirming } = this.reads
    return {
      ...peerStatus(this.peer, now, this.isLeading),
      waiting: { commands: this.queue.length, reads: waiting.length + confirming.length },
      machine: this.machine.status(),
    }
  }
}

function isMachineMessage(message: Message): message is Exclude<Message, PaxosMessage> {
  return MACHINE_MESSAGES.has(message.type)
}

export type { GroupReplica }
