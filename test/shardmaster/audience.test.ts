// Those who are told of new configurations, and what groups report with their polls.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CONFIG_POLL_MS, CONFIG_POLLS_MAX, WATCHES_MAX } from '../../server/limits.ts'
import type { Change } from '../../server/shardmaster/operation.ts'
import { Group } from './group.ts'

const test = suite('shardmaster audience')

test('a watch is answered with the next configuration, at once or as soon as it is applied', () => {
  const group = new Group({ replicas: 2 }).begin()
  const watcher = group.replicas[1]!
  group.join(1)
  const at = (id: number) => {
    const reply = watcher.replies.get(id)
    return reply?.type === 'config' ? [reply.config.num, reply.isNew] : (reply?.type ?? null)
  }
  const old = watcher.submit({ type: 'watch', after: 0 })
  const any = watcher.submit({ type: 'watch', after: -7 })
  assert.equal(
    [at(old), at(any)],
    [
      [1, true],
      [0, true],
    ],
  )
  const next = watcher.submit({ type: 'watch', after: 1 })
  watcher.isCutOff = true
  group.join(2)
  group.join(3)
  assert.is(at(next), null, 'this replica has not applied it yet')
  watcher.isCutOff = false
  group.settle()
  assert.equal(at(next), [2, true])
})

test('a watch without news ends with the latest; too many end the oldest', () => {
  const group = new Group().begin()
  const at = (id: number) => {
    const reply = group.first.replies.get(id)
    return reply?.type === 'config' ? [reply.config.num, reply.isNew] : (reply?.type ?? null)
  }
  const lone = group.first.submit({ type: 'watch', after: 0 })
  group.pass(CONFIG_POLL_MS - 1)
  assert.is(at(lone), null)
  group.pass(1)
  assert.equal(at(lone), [0, false])
  const oldest = group.first.submit({ type: 'watch', after: 0 })
  for (let count = 1; count < WATCHES_MAX; count++) {
    group.first.submit({ type: 'watch', after: 0 })
  }
  assert.is(at(oldest), null)
  group.first.submit({ type: 'watch', after: 0 })
  assert.is(at(oldest), 'overloaded')
  assert.is(group.first.machine.status().watches, WATCHES_MAX)
})

test('a watch that began before configuration 0 sees it', () => {
  const group = new Group()
  const id = group.first.submit({ type: 'watch', after: -1 })
  group.begin()
  const reply = group.first.replies.get(id)
  assert.is(reply?.type === 'config' ? reply.config.num : null, 0)
})

test('a poll is answered with what follows, in bounded parts, and kept open otherwise', () => {
  const group = new Group().begin()
  const from = { gid: 5, replica: 2 }
  const { first } = group
  for (let gid = 1; gid <= 20; gid++) group.join(gid)
  const parts = [0, 16, 19].map(after => {
    first.receive(from, { type: 'configPoll', after, sizes: [] })
    const send = first.sends.pop()
    const message = send?.message
    assert.equal(send?.to, [from])
    if (message?.type !== 'configs') throw new Error('no answer')
    assert.equal([message.after, message.latest], [after, 20])
    return message.configs.map(config => config.num)
  })
  const nums = Array.from({ length: 20 }, (_, index) => index + 1)
  assert.equal(parts, [nums.slice(0, 16), nums.slice(16), [20]])
  first.receive(from, { type: 'configPoll', after: 20, sizes: [] })
  first.receive({ gid: 6, replica: 0 }, { type: 'configPoll', after: 20, sizes: [] })
  first.receive({ gid: 7, replica: 0 }, { type: 'configPoll', after: 21, sizes: [] })
  assert.equal(first.sends, [])
  group.join(21)
  const configs = [group.query(21)]
  const to = [from, { gid: 6, replica: 0 }]
  assert.equal(first.sends.splice(0), [
    { to, message: { type: 'configs', after: 20, configs, latest: 21 } },
  ])
  group.pass(CONFIG_POLL_MS)
  assert.equal(first.sends, [
    {
      to: [{ gid: 7, replica: 0 }],
      message: { type: 'configs', after: 21, configs: [], latest: 21 },
    },
  ])
})

test('the newest poll of an address counts; the oldest goes when there are too many', () => {
  const group = new Group().begin()
  const { first } = group
  first.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 0, sizes: [] })
  first.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 3, sizes: [] })
  group.join(1)
  assert.equal(first.sends, [], 'the poll after 0 was given up for the one after 3')
  for (let count = 1; count < CONFIG_POLLS_MAX; count++) {
    first.receive({ gid: 2, replica: count }, { type: 'configPoll', after: 1, sizes: [] })
  }
  assert.equal(first.sends, [])
  first.receive({ gid: 3, replica: 0 }, { type: 'configPoll', after: 1, sizes: [] })
  assert.equal(first.sends, [
    {
      to: [{ gid: 1, replica: 0 }],
      message: { type: 'configs', after: 3, configs: [], latest: 1 },
    },
  ])
})

test('a poll that is answered takes the place of one that was kept open', () => {
  const group = new Group().begin()
  group.join(1)
  const from = { gid: 1, replica: 0 }
  group.first.receive(from, { type: 'configPoll', after: 3, sizes: [] })
  group.first.receive(from, { type: 'configPoll', after: 0, sizes: [] })
  assert.is(group.first.sends.length, 1)
  assert.is(group.first.machine.status().polls, 0)
})

test('a poll that is made again waits its full time, and holds up no other', () => {
  const group = new Group().begin()
  const poll = (gid: number) =>
    group.first.receive({ gid, replica: 0 }, { type: 'configPoll', after: 0, sizes: [] })
  const answered = () => group.first.sends.splice(0).flatMap(send => send.to.map(({ gid }) => gid))
  const step = CONFIG_POLL_MS / 5
  poll(1)
  group.pass(step)
  poll(2)
  group.pass(step)
  poll(1)
  group.pass(CONFIG_POLL_MS - step - 1)
  assert.equal(answered(), [])
  group.pass(1)
  assert.equal(answered(), [2])
  group.pass(step)
  assert.equal(answered(), [1])
})

test('sizes that groups report to any replica count at the leader, for plans and last leaves', () => {
  const group = new Group({ replicas: 3, shardCount: 2 }).begin()
  group.join(1)
  const leave: Change = { op: 'leave', gid: 1 }
  const sizes = [0, 1].map(shard => ({ shard, keys: 3 + shard, bytes: 50 }))
  const foreign = [2, -1].map(shard => ({ shard, keys: 90, bytes: 90 }))
  group.first.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 0, sizes: foreign })
  assert.is(group.first.sends.splice(0).length, 1)
  const follower = group.replicas[1]!
  follower.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 1, sizes })
  assert.equal(follower.sends, [
    { to: [{ gid: 0, replica: 0 }], message: { type: 'configPoll', after: 1, sizes } },
  ])
  group.first.receive({ gid: 0, replica: 1 }, follower.sends[0]!.message)
  assert.equal(group.first.sends, [])
  assert.is(group.first.machine.status().polls, 0, 'the one that passed it on answers it')
  assert.match(JSON.stringify(group.ask({ type: 'plan', change: leave })), /conflict.*7 keys/)
  assert.match(JSON.stringify(group.leave(1)), /conflict.*7 keys.*"latest":1/)
  group.join(2)
  const plan = group.ask({ type: 'plan', change: leave })
  const moves = [{ shard: 0, from: 1, to: 2, keys: 3, bytes: 50 }]
  assert.equal(plan?.type === 'plan' ? plan.plan.moves : plan, moves)
  const emptied = [0, 1].map(shard => ({ shard, keys: 0, bytes: 0 }))
  group.first.receive({ gid: 2, replica: 0 }, { type: 'configPoll', after: 2, sizes: emptied })
  assert.is(group.leave(1)?.type, 'config')
  assert.is(group.leave(2)?.type, 'config', 'the newest report counts')
})

test('two leaves at once cannot leave the data without a group', () => {
  const group = new Group({ shardCount: 2 }).begin()
  group.join(1)
  group.join(2)
  const sizes = [{ shard: 0, keys: 5, bytes: 50 }]
  group.first.receive({ gid: 1, replica: 0 }, { type: 'configPoll', after: 2, sizes })
  const ids = [1, 2].map(gid =>
    group.first.submit({
      type: 'change',
      change: { op: 'leave', gid },
      actor: '',
      reason: '',
      ifConfig: null,
      session: { client: `c${gid}`, number: 1, acked: 0 },
    }),
  )
  group.settle()
  assert.equal(
    ids.map(id => group.first.replies.get(id)?.type),
    ['config', 'refused'],
  )
})

test('wakes for nothing on a follower that nobody waits at', () => {
  const group = new Group({ replicas: 2 }).begin()
  assert.is(group.replicas[1]!.machine.wakeAt(), Number.POSITIVE_INFINITY)
  assert.ok(Number.isFinite(group.first.machine.wakeAt()))
  group.leader = 1
  for (const member of group.replicas) member.machine.onLeadership(member.context())
  assert.is(group.first.machine.wakeAt(), Number.POSITIVE_INFINITY)
})

test.run()
