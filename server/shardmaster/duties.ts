// What a shardmaster's leader sees to by itself: that there is a configuration 0, and that sessions
// which nobody uses any more are given up. Both go through the log; proposing twice does no harm.

import {
  INIT_RETRY_MS,
  SESSION_EXPIRY_INTERVAL_MS,
  SESSION_EXPIRY_PAUSE_MS,
  SESSION_EXPIRY_STEP,
  SESSION_FORGET_MS,
  SESSION_IDLE_MS,
} from '../limits.ts'
import type { MachineContext } from '../machine.ts'
import { encodeCommand } from './command.ts'
import type { Partitioner } from './config.ts'
import type { ShardmasterReply } from './operation.ts'
import { previewExpiry } from './sessions.ts'
import type { ShardmasterState } from './state.ts'

type Context = MachineContext<ShardmasterReply>

const NEVER = Number.POSITIVE_INFINITY

export class Duties {
  private readonly state: ShardmasterState
  private readonly initCommand: Uint8Array
  private initAt = NEVER
  private expiryAt = NEVER
  /** The client after which the next look at sessions begins, '' for the first. */
  private after = ''

  constructor(
    state: ShardmasterState,
    options: { readonly shardCount: number; readonly partitioner: Partitioner },
  ) {
    this.state = state
    this.initCommand = encodeCommand({ type: 'init', ...options })
  }

  /** µs of the monotonic clock; Infinity on all but the leader. */
  get wakeAt(): number {
    return Math.min(this.initAt, this.expiryAt)
  }

  onLeadership(context: Context): void {
    const { micros } = context.now
    this.initAt = context.isLeader && this.state.history.latest === null ? micros : NEVER
    this.expiryAt = context.isLeader ? micros + SESSION_EXPIRY_INTERVAL_MS * 1000 : NEVER
    this.after = ''
    this.onTick(context)
  }

  onTick(context: Context): void {
    const { micros } = context.now
    if (this.state.history.latest !== null) this.initAt = NEVER
    if (this.initAt <= micros) {
      this.initAt = micros + INIT_RETRY_MS * 1000
      context.propose(this.initCommand, null)
    }
    if (this.expiryAt <= micros) this.expire(context)
  }

  /** One step; the next follows soon until all sessions were seen, then after the interval. */
  private expire(context: Context): void {
    const step = { after: this.after, limit: SESSION_EXPIRY_STEP }
    const seen = previewExpiry(context.store, { ...step, wallMs: context.now.wallMs })
    if (seen.isNeeded) {
      const bounds = { idleMs: SESSION_IDLE_MS, forgetMs: SESSION_FORGET_MS }
      context.propose(encodeCommand({ type: 'expire', ...step, ...bounds }), null)
    }
    this.after = seen.next
    const waitMs = this.after === '' ? SESSION_EXPIRY_INTERVAL_MS : SESSION_EXPIRY_PAUSE_MS
    this.expiryAt = context.now.micros + waitMs * 1000
  }
}
