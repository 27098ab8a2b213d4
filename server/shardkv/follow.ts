// Following the shardmaster, on the group's leader: asks for the configurations after its own, keeps
// what comes, and puts the next one into the log as soon as the shards that it concerns allow it.
// Configurations are adopted one by one, none is left out.

import type { Sender } from '../contract.ts'
import { CONFIG_POLL_REPEAT_MS, CONFIG_POLL_TIMEOUT_MS } from '../limits.ts'
import type { MachineContext } from '../machine.ts'
import type { Config } from '../shardmaster/config.ts'
import { encodeCommand } from './command.ts'
import type { ShardkvMessage, ShardSize } from './message.ts'
import type { ShardkvReply } from './reply.ts'
import { changeOf, isReadyFor } from './shard.ts'
import type { GroupState } from './state.ts'

const MS = 1000
/** So many polls without news, and the next ones wait twice as long. */
const QUIET_POLLS = 8

export class Follow {
  private readonly state: GroupState
  private readonly shardmasters: number
  /** Known and not yet adopted, by number. */
  private readonly coming = new Map<number, Config>()
  private asked: { readonly after: number; readonly at: number } | null = null
  private shardmaster = 0
  /** The newest that was put into the log by this leader, −1 for none: 0 is a number too. */
  private proposed = -1
  /** Polls in a row that brought nothing, up to a few. */
  private quiet = 0
  private wake = Number.POSITIVE_INFINITY
  /** When a shardmaster last answered, or else when it was first asked; and when that was looked at. */
  private heardAt: number | null = null
  private onAt = 0

  constructor(state: GroupState, shardmasters: number) {
    this.state = state
    this.shardmasters = shardmasters
  }

  clear(): void {
    this.coming.clear()
    this.asked = null
    this.proposed = -1
    this.quiet = 0
    this.wake = Number.POSITIVE_INFINITY
    this.heardAt = null
  }

  wakeAt(): number {
    return this.wake
  }

  /** µs without an answer of a shardmaster, as of the last poll; 0 where this replica does not lead. */
  get silentMicros(): number {
    return this.heardAt === null ? 0 : this.onAt - this.heardAt
  }

  /** Only on a leader. */
  on(context: MachineContext<ShardkvReply>): void {
    this.wake = Number.POSITIVE_INFINITY
    this.proposeNext(context)
    this.poll(context)
  }

  private get adopted(): number {
    return this.state.config?.num ?? -1
  }

  private proposeNext(context: MachineContext<ShardkvReply>): void {
    const { adopted } = this
    for (const num of this.coming.keys()) if (num <= adopted) this.coming.delete(num)
    const next = this.coming.get(adopted + 1)
    if (next === undefined || this.proposed === next.num || !canAdopt(this.state, next)) return
    if (context.propose(encodeCommand({ type: 'config', config: next }), null) === 'taken') {
      this.proposed = next.num
    }
  }

  private poll(context: MachineContext<ShardkvReply>): void {
    const { micros } = context.now
    this.onAt = micros
    this.heardAt ??= micros
    const after = this.adopted + this.coming.size
    if (this.asked !== null) {
      const repeatAt = this.asked.at + this.patience
      if (micros < repeatAt) {
        this.wake = repeatAt
        return
      }
      this.shardmaster = (this.shardmaster + 1) % this.shardmasters
      this.quiet += 1
    }
    this.asked = { after, at: micros }
    this.wake = micros + this.patience
    const to = { gid: 0, replica: this.shardmaster }
    context.send([to], { type: 'configPoll', after, sizes: this.sizes() })
  }

  /**
   * µs: short at the start and after a change, when another is likely, and long when nothing has
   * happened for a while: each poll wakes two processes. Thousands of groups together must not ask
   * more often than they are answered.
   */
  private get patience(): number {
    const groups = Object.keys(this.state.config?.groups ?? {}).length
    const soon = (CONFIG_POLL_REPEAT_MS + groups) * 2 ** Math.floor(this.quiet / QUIET_POLLS)
    return Math.min(CONFIG_POLL_TIMEOUT_MS, soon) * MS
  }

  private sizes(): ShardSize[] {
    const sizes: ShardSize[] = []
    for (const [shard, { phase, keys, bytes }] of this.state.shards) {
      if (phase === 'serving' || phase === 'leaving') sizes.push({ shard, keys, bytes })
    }
    return sizes
  }

  onConfigs(
    from: Sender,
    message: Extract<ShardkvMessage, { type: 'configs' }>,
    context: MachineContext<ShardkvReply>,
  ): void {
    if (from.gid !== 0 || this.asked === null || this.asked.after !== message.after) return
    // That nothing is new is for the one to say that was asked last: each answer asks once more.
    if (message.configs.length === 0 && from.replica !== this.shardmaster) return
    this.asked = null
    this.heardAt = context.now.micros
    this.quiet = message.configs.length === 0 ? this.quiet + 1 : 0
    for (const config of message.configs) {
      if (config.num !== this.adopted + this.coming.size + 1) continue
      this.coming.set(config.num, config)
      context.event({ type: 'configHeard', config: config.num })
    }
    this.on(context)
  }
}

/**
 * Whether every shard that the configuration takes from or gives to this group is where that can
 * start. Shards that it does not concern may still be on their way: no more is held up than that.
 */
export function canAdopt(state: GroupState, next: Config): boolean {
  const { config, gid } = state
  if (config === null) return next.num === 0
  if (next.num !== config.num + 1) return false
  for (let shard = 0; shard < next.shards.length; shard++) {
    if (!isReadyFor(state.shard(shard), changeOf(gid, shard, config, next))) return false
  }
  return true
}
