// Sessions of clients that went away: the leader has each shard looked through now and then, a
// bounded number of sessions per command, and the log's own time decides, so that all replicas
// agree. An idle session first gives up its replies and only refuses; much later it is forgotten.
// A few commands are on their way at once, and a round begins when the last one is over: on a slow
// disk they would otherwise pile up before everything else in the log.

import { SESSION_EXPIRIES_OPEN_MAX, SESSION_FORGET_MS } from '../limits.ts'
import type { MachineContext } from '../machine.ts'
import { decodeSession, encodeSession, retired } from '../session.ts'
import type { StoreEntry, StoreTransaction } from '../store.ts'
import { type Command, encodeCommand } from './command.ts'
import { relativeKey, sessionRangeAfter } from './keyspace.ts'
import type { ShardkvReply } from './reply.ts'
import type { GroupState } from './state.ts'

const MS = 1000

export class Expiry {
  private readonly state: GroupState
  private nextAt = Number.POSITIVE_INFINITY
  /** What is left of the round: a shard, and the last session of it that was looked at. */
  private left: { readonly shard: number; readonly after: string }[] = []
  /** Commands proposed and not applied. */
  private open = 0

  constructor(state: GroupState) {
    this.state = state
  }

  clear(): void {
    this.nextAt = Number.POSITIVE_INFINITY
    this.left = []
    this.open = 0
  }

  wakeAt(): number {
    if (this.open >= SESSION_EXPIRIES_OPEN_MAX) return Number.POSITIVE_INFINITY
    if (this.left.length > 0) return 0
    return this.open > 0 ? Number.POSITIVE_INFINITY : this.nextAt
  }

  /** Only on a leader. */
  on(context: MachineContext<ShardkvReply>): void {
    if (this.open === 0 && this.left.length === 0) this.beginRound(context.now.micros)
    const room = SESSION_EXPIRIES_OPEN_MAX - this.open
    for (const { shard, after } of this.left.splice(0, room)) {
      if (context.propose(encodeCommand({ type: 'expire', shard, after }), null) === 'taken') {
        this.open += 1
      }
    }
  }

  private beginRound(micros: number): void {
    const isFirst = this.nextAt === Number.POSITIVE_INFINITY
    if (!isFirst && micros < this.nextAt) return
    this.nextAt = micros + this.state.settings.sessionExpiryIntervalMs * MS
    if (isFirst) return
    for (const [shard, { phase }] of this.state.shards) {
      if (phase === 'serving') this.left.push({ shard, after: '' })
    }
  }

  /** A frozen shard stays as it is: its copy elsewhere must be the same. */
  apply(
    command: Extract<Command, { type: 'expire' }>,
    wallMs: number,
    transaction: StoreTransaction,
    context: MachineContext<ShardkvReply>,
  ): void {
    const { shard, after } = command
    this.open = Math.max(0, this.open - 1)
    if (this.state.shard(shard).phase !== 'serving') return
    const looked: StoreEntry[] = []
    for (const entry of transaction.range(sessionRangeAfter(shard, after))) {
      looked.push(entry)
      if (looked.length >= this.state.settings.sessionExpiryStep) break
    }
    let count = 0
    for (const [key, value] of looked) {
      const session = decodeSession(value)
      const idleMs = wallMs - session.activeAt
      if (idleMs >= SESSION_FORGET_MS) {
        transaction.delete(key)
        this.state.sessions.add(shard, -1)
      } else if (idleMs >= this.state.settings.sessionIdleMs && session.kept.length > 0) {
        transaction.put(key, encodeSession(retired(session)))
        count += 1
      }
    }
    if (count > 0) context.event({ type: 'sessionsRetired', shard, count })
    const last = looked.at(-1)?.[0]
    if (
      looked.length < this.state.settings.sessionExpiryStep ||
      last === undefined ||
      !context.isLeader
    )
      return
    this.left.push({ shard, after: relativeKey(last).slice(1) })
  }
}
