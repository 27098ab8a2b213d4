// The giving side of handoffs, on the group's leader: sends each leaving shard's frozen data part by
// part to the group that owns it next, until that group's log holds it all, then has the shard
// released in its own log and deleted in steps. What is here is forgotten with the leadership: the
// next leader asks the receiver how far it is. Every step may be repeated.

import type { Address, Sender } from '../contract.ts'
import { HANDOFF_RETRY_MS, HANDOFF_TIMEOUT_MIN_MS, HANDOFF_TIMEOUT_MS } from '../limits.ts'
import type { MachineContext } from '../machine.ts'
import type { StoreEntry } from '../store.ts'
import { encodeCommand } from './command.ts'
import { isData, relativeKey, shardRangeAfter } from './keyspace.ts'
import type { ReceiveResult, ShardkvMessage } from './message.ts'
import type { ShardkvReply } from './reply.ts'
import type { GroupState } from './state.ts'

type Transfer = {
  readonly config: number
  readonly to: number
  /** The replica of the receiving group that is asked. */
  replica: number
  cursor: string
  /** When the part under way was sent; null: none is. */
  sentAt: number | null
  /** For how long its answer is awaited, ms. */
  patienceMs: number
  /** Not before this time, µs. */
  nextAt: number
  /** When a replica last said that it is not the leader. */
  redirectedAt: number
  isReleaseProposed: boolean
  sentKeys: number
  sentBytes: number
}

const MS = 1000

export class Handoff {
  private readonly state: GroupState
  private readonly transfers = new Map<number, Transfer>()
  private readonly sweeping = new Set<number>()
  /** gid → the replica that took a part last: it leads there, and is asked first. */
  private readonly takers = new Map<number, number>()
  private wake = Number.POSITIVE_INFINITY

  constructor(state: GroupState) {
    this.state = state
  }

  /** Nothing of it is known to another leader. */
  clear(): void {
    this.transfers.clear()
    this.sweeping.clear()
    this.takers.clear()
    this.wake = Number.POSITIVE_INFINITY
  }

  wakeAt(): number {
    return this.wake
  }

  progress(): readonly Record<string, number>[] {
    return [...this.transfers].map(([shard, { config, to, sentKeys, sentBytes }]) => {
      const { keys, bytes } = this.state.shard(shard)
      return { shard, config, to, keys, bytes, sentKeys, sentBytes }
    })
  }

  /** Starts, repeats and finishes whatever is due. Only on a leader. */
  on(context: MachineContext<ShardkvReply>): void {
    this.wake = Number.POSITIVE_INFINITY
    this.dropFinished()
    const parallel = this.countByTaker()
    for (const shard of this.state.moving) {
      const state = this.state.shard(shard)
      if (state.phase === 'releasing') this.sweep(shard, context)
      if (state.phase !== 'leaving' || state.gid === 0) continue
      const transfer = this.transfers.get(shard) ?? this.begin(shard, parallel, context)
      if (transfer !== null) this.sendPart(shard, transfer, context)
    }
  }

  private dropFinished(): void {
    for (const [shard, transfer] of this.transfers) {
      const { phase, config } = this.state.shard(shard)
      if (phase !== 'leaving' || config !== transfer.config) this.transfers.delete(shard)
    }
  }

  /** gid → transfers to it. A receiver that does not get on must not hold up the others. */
  private countByTaker(): Map<number, number> {
    const counts = new Map<number, number>()
    for (const { to } of this.transfers.values()) counts.set(to, (counts.get(to) ?? 0) + 1)
    return counts
  }

  private begin(
    shard: number,
    parallel: Map<number, number>,
    context: MachineContext<ShardkvReply>,
  ): Transfer | null {
    const { config, gid } = this.state.shard(shard)
    const count = parallel.get(gid) ?? 0
    if (count >= this.state.settings.handoffsParallel) return null
    parallel.set(gid, count + 1)
    const transfer: Transfer = {
      config,
      to: gid,
      replica: this.takers.get(gid) ?? 0,
      cursor: '',
      sentAt: null,
      patienceMs: HANDOFF_TIMEOUT_MIN_MS,
      nextAt: context.now.micros,
      redirectedAt: Number.NEGATIVE_INFINITY,
      isReleaseProposed: false,
      sentKeys: 0,
      sentBytes: 0,
    }
    this.transfers.set(shard, transfer)
    return transfer
  }

  private sendPart(shard: number, transfer: Transfer, context: MachineContext<ShardkvReply>): void {
    if (transfer.isReleaseProposed) return
    const { micros } = context.now
    if (transfer.sentAt !== null) {
      const repeatAt = transfer.sentAt + transfer.patienceMs * MS
      if (micros < repeatAt) return this.wakeBy(repeatAt)
      transfer.patienceMs = Math.min(2 * transfer.patienceMs, HANDOFF_TIMEOUT_MS)
      this.askNext(transfer)
    }
    if (micros < transfer.nextAt) return this.wakeBy(transfer.nextAt)
    const message = this.readPart(shard, transfer, context)
    const to: Address = { gid: transfer.to, replica: transfer.replica }
    context.send([to], message)
    transfer.sentAt = micros
    this.wakeBy(micros + transfer.patienceMs * MS)
  }

  private readPart(
    shard: number,
    transfer: Transfer,
    context: MachineContext<ShardkvReply>,
  ): Extract<ShardkvMessage, { type: 'receiveShard' }> {
    const { config, cursor } = transfer
    const entries: StoreEntry[] = []
    let size = 0
    let isLast = true
    for (const [key, value] of context.store.range(shardRangeAfter(shard, cursor))) {
      if (size >= this.state.settings.handoffChunkBytes) {
        isLast = false
        break
      }
      entries.push([relativeKey(key), value])
      size += key.length + value.length
    }
    const keys = entries.filter(([key]) => isData(key)).length
    context.event({
      type: 'handoffChunk',
      config,
      shard,
      direction: 'out',
      peer: transfer.to,
      keys,
      bytes: size,
      isLeader: context.isLeader,
    })
    transfer.sentKeys += keys
    transfer.sentBytes += size
    const { keys: allKeys, bytes, version } = this.state.shard(shard)
    const total = isLast ? { keys: allKeys, bytes, version } : null
    return { type: 'receiveShard', config, shard, after: cursor, entries, total }
  }

  /** The receiver's answer: how far its log is, or why not. */
  onReply(
    from: Sender,
    message: Extract<ShardkvMessage, { type: 'receiveShardReply' }>,
    context: MachineContext<ShardkvReply>,
  ): void {
    const { shard, config, result } = message
    const transfer = this.transfers.get(shard)
    if (transfer === undefined || transfer.config !== config || transfer.to !== from.gid) return
    if (result.type !== 'notLeader') this.takers.set(from.gid, from.replica)
    // Only the answer to what is under way may send more: else each doubled one would send again.
    const isAwaited = transfer.sentAt !== null && transfer.replica === from.replica
    if (isAwaited || isNews(transfer, result)) this.take(transfer, shard, result, context)
    this.on(context)
  }

  private take(
    transfer: Transfer,
    shard: number,
    result: ReceiveResult,
    context: MachineContext<ShardkvReply>,
  ): void {
    const { config } = transfer
    const { micros } = context.now
    switch (result.type) {
      case 'installed':
        if (transfer.isReleaseProposed) return
        context.propose(encodeCommand({ type: 'release', config, shard }), null)
        transfer.isReleaseProposed = true
        context.event({ type: 'handoffAcknowledged', config, shard })
        return
      case 'progress':
        // A doubled answer to an earlier part says nothing new.
        if (result.cursor <= transfer.cursor && transfer.cursor !== '') return
        transfer.cursor = result.cursor
        transfer.replica = this.takers.get(transfer.to) ?? transfer.replica
        transfer.patienceMs = HANDOFF_TIMEOUT_MIN_MS
        transfer.sentAt = null
        transfer.nextAt = micros
        return
      case 'notReady':
        transfer.sentAt = null
        transfer.nextAt = micros + HANDOFF_RETRY_MS * MS
        return
      case 'notLeader':
        transfer.sentAt = null
        this.redirect(transfer, result.leader, micros)
        return
    }
  }

  /** At once where a leader is named, but not back and forth between two that name each other. */
  private redirect(transfer: Transfer, leader: number | null, micros: number): void {
    const pause = HANDOFF_RETRY_MS * MS
    const isAtOnce = leader !== null && micros - transfer.redirectedAt >= pause
    transfer.redirectedAt = micros
    transfer.nextAt = micros + (isAtOnce ? 0 : pause)
    if (leader === null || leader === transfer.replica) this.askNext(transfer)
    else transfer.replica = leader
  }

  private askNext(transfer: Transfer): void {
    const count = this.state.servers.get(transfer.to)?.length ?? 1
    transfer.replica = (transfer.replica + 1) % count
  }

  /** One step at a time: the next is proposed when this one was applied. */
  private sweep(shard: number, context: MachineContext<ShardkvReply>): void {
    if (this.sweeping.has(shard)) return
    if (context.propose(encodeCommand({ type: 'sweep', shard }), null) === 'taken') {
      this.sweeping.add(shard)
    }
  }

  onSwept(shard: number): void {
    this.sweeping.delete(shard)
  }

  private wakeBy(at: number): void {
    this.wake = Math.min(this.wake, at)
  }
}

/**
 * What is in the receiver's log is so whoever tells it, and however late: a slow one may answer when
 * another was asked meanwhile. It is new only once.
 */
function isNews({ cursor }: Transfer, result: ReceiveResult): boolean {
  return result.type === 'installed' || (result.type === 'progress' && result.cursor > cursor)
}
