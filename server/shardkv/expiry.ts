// Sessions of clients that went away: the leader has each shard looked through now and then, a
// bounded number of sessions per command, and the log's own time decides, so that all replicas
// agree. An idle session first gives up its replies and only refuses; much later it is forgotten.

import { SESSION_FORGET_MS } from '../limits.ts'
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
  /** Shards whose sessions go on after the last one looked at. */
  private readonly unfinished: { shard: number; after: string }[] = []

  constructor(state: GroupState) {
    this.state = state
  }

  clear(): void {
    this.nextAt = Number.POSITIVE_INFINITY
    this.unfinished.length = 0
  }

  wakeAt(): number {
    return this.unfinished.length > 0 ? 0 : this.nextAt
  }

  /** Only on a leader. What a round left over goes on by itself: it must not begin the next round. */
  on(context: MachineContext<ShardkvReply>): void {
    const { micros } = context.now
    for (const { shard, after } of this.unfinished.splice(0)) {
      context.propose(encodeCommand({ type: 'expire', shard, after }), null)
    }
    if (this.nextAt === Number.POSITIVE_INFINITY) {
      this.nextAt = micros + this.state.settings.sessionExpiryIntervalMs * MS
    }
    if (micros < this.nextAt) return
    this.nextAt = micros + this.state.settings.sessionExpiryIntervalMs * MS
    for (const [shard, { phase }] of this.state.shards) {
      if (phase !== 'serving') continue
      context.propose(encodeCommand({ type: 'expire', shard, after: '' }), null)
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
      if (idleMs >= SESSION_FORGET_MS) transaction.delete(key)
      else if (idleMs >= this.state.settings.sessionIdleMs && session.kept.length > 0) {
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
    this.unfinished.push({ shard, after: relativeKey(last).slice(1) })
  }
}
