// However the log is cut into transactions, the store is the same: a follower that catches up runs
// many slots at once, its leader ran them one by one.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MachineContext } from '../../server/machine.ts'
import { type Command, encodeCommand } from '../../server/shardkv/command.ts'
import { createShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { DEFAULT_SHARDKV_SETTINGS } from '../../server/shardkv/settings.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { Random } from '../support/random.ts'
import { TinyStore } from '../support/tiny-store.ts'

const test = suite('sessions over a transaction')

type Run = { readonly command: Command; readonly wallMs: number }

const SETTINGS = {
  ...DEFAULT_SHARDKV_SETTINGS,
  sessionIdleMs: 40,
  session: { replies: 5, bytes: 200 },
}

function configs(): readonly Run[] {
  const start = initialConfig(2, 'hash')
  const groups = { '1': ['http://a:1'] }
  const first: Config = { ...start, num: 1, shards: [1, 1], holders: [1, 1], groups }
  return [start, first].map(config => ({ command: { type: 'config', config }, wallMs: 0 }))
}

/** Runs all, in transactions of `size` commands; gives the store and what each was answered. */
function ran(runs: readonly Run[], size: number) {
  const store = new TinyStore()
  const machine = createShardkvMachine({ gid: 1, shardmasters: 1, settings: SETTINGS })
  machine.load(store)
  const context = { ...CONTEXT, store }
  const replies: (ShardkvReply | null)[] = []
  for (let from = 0; from < runs.length; from += size) {
    store.transact(transaction => {
      for (const [index, { command, wallMs }] of runs.slice(from, from + size).entries()) {
        const applied = { slot: from + index + 1, wallMs }
        replies.push(machine.apply(encodeCommand(command), applied, transaction, context))
      }
      machine.finish(transaction)
    })
  }
  return { store: store.dump(), replies }
}

const CONTEXT: Omit<MachineContext<ShardkvReply>, 'store'> = {
  now: { micros: 0, wallMs: 0 },
  self: { gid: 1, replica: 0 },
  isLeader: false,
  leader: 0,
  leaderSilentMicros: 0,
  propose: () => 'notLeader',
  read: () => 'notLeader',
  reply: () => {},
  send: () => {},
  event: () => {},
}

/** Writes of few clients, new, repeated and out of order; now and then sessions expire. */
function randomRuns(random: Random, count: number): readonly Run[] {
  const below = (bound: number) => random.between(0, bound - 1)
  const runs: Run[] = [...configs()]
  for (let index = 0; index < count; index++) {
    const wallMs = index * 3
    if (below(8) === 0) {
      runs.push({ command: { type: 'expire', shard: below(2), after: '' }, wallMs })
      continue
    }
    const number = 1 + Math.floor(index / 3) + below(6)
    const session = { client: `c${below(3)}`, number, acked: Math.max(0, number - 1 - below(7)) }
    const write = { op: 'puthash', value: Buffer.alloc(below(80), 'x') } as const
    const request = { type: 'write', key: `k${below(4)}`, write, session } as const
    const condition = { type: 'none' } as const
    runs.push({ command: { type: 'write', request: { ...request, condition } }, wallMs })
  }
  return runs
}

test('one transaction for all commands leaves what one for each does', () => {
  const seen = new Set<string | undefined>()
  for (let seed = 1; seed <= 60; seed++) {
    const runs = randomRuns(new Random(seed, 'sessions'), 80)
    const single = ran(runs, 1)
    for (const size of [2, 7, runs.length]) assert.equal(ran(runs, size), single, `seed ${seed}`)
    for (const reply of single.replies) seen.add(reply?.type)
  }
  for (const type of ['ok', 'sessionExpired', 'requestMismatch']) assert.ok(seen.has(type), type)
})

test('a thousand requests of one client in one transaction write its session once', () => {
  let sessionsWritten = 0
  const store = new TinyStore()
  const machine = createShardkvMachine({ gid: 1, shardmasters: 1 })
  machine.load(store)
  const context = { ...CONTEXT, store }
  store.transact(transaction => {
    const counting = {
      ...transaction,
      put: (key: string, value: Uint8Array) => {
        if (key.endsWith('sone')) sessionsWritten += 1
        transaction.put(key, value)
      },
    }
    const writes = Array.from({ length: 1000 }, (_, index): Run => {
      const session = { client: 'one', number: index + 1, acked: 0 }
      const write = { op: 'put', value: Buffer.from('v') } as const
      const request = { type: 'write', key: 'k', write, session } as const
      return {
        command: { type: 'write', request: { ...request, condition: { type: 'none' } } },
        wallMs: 1,
      }
    })
    for (const [index, { command, wallMs }] of [...configs(), ...writes].entries()) {
      machine.apply(encodeCommand(command), { slot: index + 1, wallMs }, counting, context)
    }
    machine.finish(counting)
  })
  assert.is(sessionsWritten, 1)
})

test.run()
