// Asking for configurations where questions, answers and those who are asked get lost.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import {
  CONFIG_POLL_MS,
  CONFIG_POLL_REPEAT_MS,
  CONFIG_POLL_TIMEOUT_MS,
} from '../../server/limits.ts'
import type { MachineContext } from '../../server/machine.ts'
import { Follow } from '../../server/shardkv/follow.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { GroupState } from '../../server/shardkv/state.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { TinyStore } from '../support/tiny-store.ts'

const test = suite('following the shardmaster')

const EMPTY = initialConfig(10, 'hash')

/** A group's leader that has adopted `config`, in the hands of a test. */
class Leader {
  micros = 0
  readonly polls: { replica: number; after: number }[] = []
  proposals = 0
  readonly follow: Follow
  private readonly context: MachineContext<ShardkvReply>

  constructor(config: Config) {
    const state = new GroupState(1)
    const store = new TinyStore()
    store.transact(transaction => state.setConfig(config, transaction))
    this.follow = new Follow(state, 3)
    const leader = this
    this.context = {
      get now() {
        return { micros: leader.micros, wallMs: 0 }
      },
      self: { gid: 1, replica: 0 },
      isLeader: true,
      leader: 0,
      leaderSilentMicros: 0,
      store,
      propose: () => {
        leader.proposals += 1
        return 'taken'
      },
      read: () => 'notLeader',
      reply: () => {},
      send: (to, message) => leader.note(to[0]?.replica ?? -1, message),
      event: () => {},
    }
    this.follow.on(this.context)
  }

  private note(replica: number, message: Message): void {
    if (message.type === 'configPoll') this.polls.push({ replica, after: message.after })
  }

  /** Wakes it when it wants to be woken, until the time is over. */
  pass(ms: number): void {
    const until = this.micros + ms * 1000
    while (this.follow.wakeAt() <= until) {
      this.micros = this.follow.wakeAt()
      this.follow.on(this.context)
    }
    this.micros = until
  }

  answer(replica: number, after: number, configs: readonly Config[]): void {
    const from = { gid: 0, replica, incarnation: 'm' }
    this.follow.onConfigs(from, { type: 'configs', after, configs, latest: 9 }, this.context)
  }
}

test('a question without an answer soon goes to the next shardmaster', () => {
  const leader = new Leader(EMPTY)
  leader.pass(2 * CONFIG_POLL_REPEAT_MS + 10)
  assert.equal(
    leader.polls.map(({ replica }) => replica),
    [0, 1, 2],
  )
})

test('whoever answers with something new is heard, once', () => {
  const leader = new Leader(EMPTY)
  leader.pass(CONFIG_POLL_REPEAT_MS + 10)
  const next = { ...EMPTY, num: 1 }
  leader.answer(0, 0, [next])
  leader.answer(1, 0, [next])
  assert.is(leader.proposals, 1)
  assert.equal(leader.polls.at(-1), { replica: 1, after: 1 })
})

test('questions stay few, however many are answered late with nothing new', () => {
  const leader = new Leader(EMPTY)
  for (let step = 0; step < 100; step++) {
    leader.pass(100)
    for (const replica of [0, 1, 2]) leader.answer((replica + step) % 3, 0, [])
  }
  const most = 100 + (100 * 100) / CONFIG_POLL_REPEAT_MS
  assert.ok(leader.polls.length <= most, `${leader.polls.length} in 10 s`)
})

test('of thousands of groups each asks only as often as it is answered', () => {
  const groups = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, index) => [String(index + 1), ['http://a:1']]),
  )
  const leader = new Leader({ ...EMPTY, groups })
  leader.pass(CONFIG_POLL_MS + 100)
  assert.is(leader.polls.length, 1)
  leader.pass(CONFIG_POLL_TIMEOUT_MS)
  assert.is(leader.polls.length, 2)
})

test.run()
