// What the simulation found in the shardkv state machine, each cut down to its smallest scenario.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SESSION_EXPIRIES_OPEN_MAX } from '../../server/limits.ts'
import { encodeCommand } from '../../server/shardkv/command.ts'
import { config, LoneLeader } from '../support/lone-leader.ts'

const test = suite('found by simulation in shardkv')

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

test("another leader's commands of expiry are not taken for its own", () => {
  const shards = new Array(SESSION_EXPIRIES_OPEN_MAX + 5).fill(1)
  const leader = new LoneLeader({ sessionExpiryIntervalMs: 1_000 })
  leader.follow(config(0, new Array(shards.length).fill(0)))
  leader.follow(config(1, shards))
  leader.restart()
  for (let shard = 0; shard < 3; shard++) {
    leader.propose(encodeCommand({ type: 'expire', shard, after: '' }))
  }
  leader.turn()
  leader.pass(1_000)
  leader.pass(1_000)
  assert.is(leader.waiting, SESSION_EXPIRIES_OPEN_MAX)
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
