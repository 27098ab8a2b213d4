// The largest cluster: 1,000,000 shards and 10,000 groups. Times are printed; the asserted ones are
// far looser, for machines with other work.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteWriter } from '../../server/bytes.ts'
import {
  CONFIG_CACHE_BYTES_MAX,
  GROUPS_MAX,
  HISTORY_BYTES_MAX,
  SHARDS_MAX,
} from '../../server/limits.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { encodeConfig } from '../../server/shardmaster/decode.ts'
import { countMoves, rebalance } from '../../server/shardmaster/rebalance.ts'
import { Group } from './group.ts'

const test = suite('shardmaster scale')

/** A replica whose configuration 0 has all groups but one, three servers each. */
function largeGroup(): Group {
  const gids = Array.from({ length: GROUPS_MAX - 1 }, (_, index) => 1_000_000 + index)
  const shards = rebalance(new Array<number>(SHARDS_MAX).fill(0), gids)
  const servers = (gid: number) => [1, 2, 3].map(replica => `http://node-${gid}-${replica}:4211`)
  const groups = Object.fromEntries(gids.map(gid => [String(gid), servers(gid)]))
  const config: Config = { ...initialConfig(1, 'hash'), shards, holders: shards, groups }
  const group = new Group({ shardCount: SHARDS_MAX })
  group.first.store.transact(transaction => {
    transaction.put(`c${'\0'.repeat(8)}`, encodeConfig(config))
    transaction.put('l', new ByteWriter().uint(0).done())
  })
  group.first.restart()
  return group.begin()
}

function timed<T>(what: string, work: () => T): T {
  const startedAt = process.hrtime.bigint()
  const result = work()
  const ms = Number(process.hrtime.bigint() - startedAt) / 1e6
  console.log(`\n  ${what}: ${ms.toFixed(0)} ms`)
  assert.ok(ms < 5_000, `${what}: ${ms} ms`)
  return result
}

const group = largeGroup()

test('a join, a move, a leave and a plan are done in about a second each', () => {
  const before = group.query()
  const join = { op: 'join', gid: 7, servers: ['http://a:1'] } as const
  const plan = timed('plan', () => group.ask({ type: 'plan', change: join }))
  timed('join', () => group.change(join))
  const { shards } = group.query()
  assert.is(countMoves(before.shards, shards), SHARDS_MAX / GROUPS_MAX)
  assert.equal(plan?.type === 'plan' ? plan.plan.moves.length : plan, SHARDS_MAX / GROUPS_MAX)
  assert.is(timed('refused join', () => group.join(8))?.type, 'refused', 'there are enough groups')
  timed('move', () => group.move(0, 7))
  timed('leave', () => group.leave(7))
  assert.is(group.query().num, 3)
})

test('is loaded from the store as it was', () => {
  const before = group.query()
  timed('restart', () => group.first.restart())
  assert.ok(JSON.stringify(group.query()) === JSON.stringify(before))
})

test('answers to polls and histories stay within what a message and the memory can hold', () => {
  group.first.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 0, sizes: [] })
  const { message } = group.first.sends.pop() ?? {}
  assert.equal(
    message?.type === 'configs' ? message.configs.map(config => config.num) : null,
    [1],
    'one at a time',
  )
  const stored = encodeConfig(group.query()).length
  console.log(`\n  stored bytes of a configuration: ${stored}`)
  const reply = group.ask({ type: 'history', limit: 4 })
  const count = reply?.type === 'history' ? reply.configs.length : 0
  assert.is(count, Math.floor(HISTORY_BYTES_MAX / stored))
  assert.ok(stored < CONFIG_CACHE_BYTES_MAX)
  for (const num of [0, 1, 2, 3]) assert.is(group.query(num).num, num)
})

test.run()
