// One group's leader without a group, a disk or a network: for what a shardkv state machine does by itself.

import type { Message } from '../../server/contract.ts'
import type { GroupReply, MachineContext } from '../../server/machine.ts'
import { decodeCommand } from '../../server/shardkv/command.ts'
import { createShardkvMachine, type ShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { DEFAULT_SHARDKV_SETTINGS, type ShardkvSettings } from '../../server/shardkv/settings.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { TinyStore } from './tiny-store.ts'

/** Group 1's leader alone: what it proposes is decided at once, in the next turn. */
export class LoneLeader {
  readonly machine: ShardkvMachine
  readonly sent: { readonly to: number; readonly message: Message }[] = []
  /** Types of the commands that ran. */
  readonly ran: string[] = []
  isLeader = true
  private replied: ShardkvReply | GroupReply | null = null
  private readonly store = new TinyStore()
  private queue: Uint8Array[] = []
  private slot = 0
  private micros = 0

  constructor(settings: Partial<ShardkvSettings>) {
    const all = { ...DEFAULT_SHARDKV_SETTINGS, ...settings }
    this.machine = createShardkvMachine({ gid: 1, shardmasters: 1, settings: all })
    this.machine.load(this.store)
    this.machine.onLeadership(this.context())
  }

  propose(command: Uint8Array): void {
    this.queue.push(command)
  }

  /** Runs everything that is proposed now, as one slot. False when there was nothing. */
  turn(): boolean {
    const commands = this.queue
    this.queue = []
    if (commands.length === 0) return false
    this.slot += 1
    const applied = { slot: this.slot, wallMs: Math.floor(this.micros / 1000) }
    this.store.transact(transaction => {
      for (const command of commands) {
        this.ran.push(decodeCommand(command).type)
        this.machine.apply(command, applied, transaction, this.context())
      }
      this.machine.finish(transaction)
    })
    this.machine.onApplied(this.context())
    if (this.machine.wakeAt() <= this.micros) this.machine.onTick(this.context())
    return true
  }

  /** How many commands wait for a slot. */
  get waiting(): number {
    return this.queue.length
  }

  pass(ms: number): void {
    this.micros += ms * 1000
    this.machine.onTick(this.context())
  }

  hear(gid: number, replica: number, message: Message): void {
    this.machine.onMessage({ gid, replica, incarnation: 'x' }, message, this.context())
  }

  /** Leads again, knowing only what is in its store. */
  restart(): void {
    this.machine.load(this.store)
    this.machine.onLeadership(this.context())
  }

  /** Shards whose parts were sent. */
  offered(): number[] {
    return this.sent.flatMap(({ message }) =>
      message.type === 'receiveShard' ? [message.shard] : [],
    )
  }

  /** The next configuration comes from the shardmaster and is adopted. */
  follow(config: Config): void {
    const after = config.num - 1
    this.hear(0, 0, { type: 'configs', after, configs: [config], latest: config.num })
    while (this.turn());
  }

  context(): MachineContext<ShardkvReply> {
    return {
      now: { micros: this.micros, wallMs: Math.floor(this.micros / 1000) },
      self: { gid: 1, replica: 0 },
      isLeader: this.isLeader,
      leader: 0,
      leaderSilentMicros: 0,
      store: this.store,
      propose: command => {
        this.queue.push(command)
        return 'taken'
      },
      read: () => 'taken',
      reply: (_, reply) => {
        this.replied = reply
      },
      send: (to, message) => {
        for (const { replica } of to) this.sent.push({ to: replica, message })
      },
      event: () => {},
    }
  }

  /** What a read is answered at once. */
  get(key: string): ShardkvReply | GroupReply | null {
    this.replied = null
    const request = { type: 'get', key, consistency: 'linearizable' } as const
    this.machine.onRequest(1, request, this.context())
    return this.replied
  }

  write(client: string, key: string): void {
    const session = { client, number: 1, acked: 0 }
    const write = { op: 'put', value: Buffer.from('x') } as const
    const request = { type: 'write', key, write, condition: { type: 'none' }, session } as const
    this.machine.onRequest(1, request, this.context())
    while (this.turn());
  }
}

const GROUPS = {
  '1': ['http://a:1'],
  '2': ['http://b:1', 'http://b:2', 'http://b:3'],
  '3': ['http://c:1'],
}

export function config(num: number, shards: readonly number[]): Config {
  const start = initialConfig(shards.length, 'first-byte')
  return { ...start, num, shards, holders: shards, groups: num === 0 ? {} : GROUPS }
}
