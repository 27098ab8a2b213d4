// What the simulation found in the shardkv state machine, each cut down to its smallest scenario.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { SESSION_EXPIRIES_OPEN_MAX } from '../../server/limits.ts'
import type { GroupReply, MachineContext } from '../../server/machine.ts'
import { decodeCommand } from '../../server/shardkv/command.ts'
import { createShardkvMachine, type ShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { DEFAULT_SHARDKV_SETTINGS, type ShardkvSettings } from '../../server/shardkv/settings.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { TinyStore } from '../support/tiny-store.ts'

const test = suite('found by simulation in shardkv')

/** Group 1's leader alone: what it proposes is decided at once, in the next turn. */
class LoneLeader {
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

function config(num: number, shards: readonly number[]): Config {
  const start = initialConfig(shards.length, 'first-byte')
  return { ...start, num, shards, holders: shards, groups: num === 0 ? {} : GROUPS }
}

test('a round of expiry that takes several commands does not begin the next one', () => {
  const leader = new LoneLeader({ sessionExpiryStep: 1, sessionExpiryIntervalMs: 1_000 })
  leader.follow(config(0, [0]))
  leader.follow(config(1, [1]))
  for (let client = 0; client < 5; client++) leader.write(`c${client}`, 'a')
  leader.ran.length = 0
  leader.pass(1_000)
  for (let turns = 0; leader.turn(); turns++) assert.ok(turns < 100, 'the round ends')
  assert.equal(leader.ran, new Array(6).fill('expire'), 'five sessions, and then nothing')
})

test('rounds of expiry do not pile up in the log where it is slow', () => {
  const leader = new LoneLeader({ sessionExpiryStep: 1, sessionExpiryIntervalMs: 1_000 })
  leader.follow(config(0, [0, 0]))
  leader.follow(config(1, [1, 1]))
  for (const key of ['a', 'b']) leader.write('c', key)
  for (let second = 0; second < 5; second++) leader.pass(1_000)
  assert.is(leader.waiting, 2, 'one command for each shard')
  while (leader.turn());
  leader.ran.length = 0
  leader.pass(1_000)
  while (leader.turn());
  assert.equal(leader.ran, new Array(4).fill('expire'), 'and the next round comes all the same')
})

test('a long round of expiry has few commands in the log at once', () => {
  const shards = new Array(SESSION_EXPIRIES_OPEN_MAX + 5).fill(1)
  const leader = new LoneLeader({ sessionExpiryIntervalMs: 1_000 })
  leader.follow(config(0, new Array(shards.length).fill(0)))
  leader.follow(config(1, shards))
  leader.pass(1_000)
  leader.pass(1_000)
  assert.is(leader.waiting, SESSION_EXPIRIES_OPEN_MAX)
  leader.ran.length = 0
  for (let turns = 0; leader.turn(); turns++) assert.ok(turns < 100, 'the round ends')
  // The second round was due meanwhile, and follows at once.
  assert.is(leader.ran.length % shards.length, 0, 'every shard was looked at')
})

test('a slow receiver is believed though another replica was asked meanwhile', () => {
  const leader = new LoneLeader({ handoffsParallel: 1, handoffChunkBytes: 1 })
  leader.follow(config(0, [0]))
  leader.follow(config(1, [1]))
  leader.write('c', 'a')
  leader.follow(config(2, [2]))
  leader.pass(200)
  const parts = () =>
    leader.sent.flatMap(({ to, message }) =>
      message.type === 'receiveShard' ? [`${to} after '${message.after}'`] : [],
    )
  assert.equal(parts(), ["0 after ''", "1 after ''"])
  const result = { type: 'progress', cursor: 'da' } as const
  leader.hear(2, 0, { type: 'receiveShardReply', config: 2, shard: 0, result })
  assert.equal(parts(), ["0 after ''", "1 after ''", "0 after 'da'"])
  leader.hear(2, 0, { type: 'receiveShardReply', config: 2, shard: 0, result })
  assert.is(parts().length, 3, 'told again, it is not new')
})

test('the next shard is offered to the replica that took the last one', () => {
  const leader = new LoneLeader({ handoffsParallel: 1 })
  leader.follow(config(0, [0, 0]))
  leader.follow(config(1, [1, 1]))
  leader.follow(config(2, [2, 2]))
  const offers = () =>
    leader.sent.flatMap(({ to, message }) => (message.type === 'receiveShard' ? [to] : []))
  assert.equal(offers(), [0], 'nothing is known of the others yet')
  leader.pass(1_000)
  assert.equal(offers(), [0, 1], 'the first does not answer')
  const installed = { type: 'installed' } as const
  leader.hear(2, 1, { type: 'receiveShardReply', config: 2, shard: 0, result: installed })
  while (leader.turn());
  assert.equal(offers(), [0, 1, 1])
})

test('shards that an older configuration moves go first, also after a restart', () => {
  const leader = new LoneLeader({ handoffsParallel: 1 })
  leader.follow(config(0, [0, 0]))
  leader.follow(config(1, [1, 1]))
  leader.follow(config(2, [1, 2]))
  leader.follow(config(3, [2, 2]))
  leader.sent.length = 0
  leader.restart()
  // Group 2 may not follow configuration 3 before it has what 2 gives it.
  assert.equal(leader.offered(), [1])
})

test('a group that takes nothing does not hold up what goes to others', () => {
  const leader = new LoneLeader({ handoffsParallel: 1 })
  leader.follow(config(0, [0, 0]))
  leader.follow(config(1, [1, 1]))
  leader.follow(config(2, [2, 3]))
  assert.equal(leader.offered(), [0, 1])
})

test('a follower that has not seen a shard come sends clients to its leader', () => {
  const leader = new LoneLeader({})
  leader.follow(config(0, [0]))
  leader.follow(config(1, [2]))
  leader.follow(config(2, [1]))
  assert.is(leader.get('a')?.type, 'shardMoving', 'the leader knows')
  leader.isLeader = false
  assert.equal(leader.get('a'), { type: 'notLeader', leader: 0 })
})

test.run()
