// The course's cases for a shardmaster, at the level of the state machine, and what goes beyond
// them: reads of the latest, conditions, refusals.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Config } from '../../server/shardmaster/config.ts'
import type { Change, ShardmasterRequest } from '../../server/shardmaster/operation.ts'
import { countMoves, countShards } from '../../server/shardmaster/rebalance.ts'
import { Random } from '../support/random.ts'
import { Group } from './group.ts'

const test = suite('shardmaster machine')

function checkGroups(config: Config, gids: readonly number[]): void {
  assert.equal(Object.keys(config.groups).map(Number), gids)
  const counts = gids.map(gid => countShards(config.shards).get(gid) ?? 0)
  assert.ok(config.shards.every(gid => gids.includes(gid) || (gids.length === 0 && gid === 0)))
  if (gids.length > 0) assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
}

test('begins with configuration 0, made by the log, whatever a second leader would have made', () => {
  const group = new Group({ shardCount: 4, partitioner: 'first-byte', replicas: 2 }).begin()
  const { num, shards, groups, partitioner, cause } = group.query()
  assert.equal(
    [num, shards, groups, partitioner, cause.op],
    [0, [0, 0, 0, 0], {}, 'first-byte', 'init'],
  )
  const other = new Group({ shardCount: 9 }).begin()
  group.log.push(...other.log)
  group.settle()
  assert.equal(group.query(-1).shards.length, 4)
  assert.is(group.query(-1).num, 0)
})

test('refuses all requests, definitely, until there is a configuration 0', () => {
  const group = new Group()
  const session = { client: 'c', number: 1, acked: 0 }
  const change: Change = { op: 'join', gid: 1, servers: ['http://a'] }
  const table: readonly ShardmasterRequest[] = [
    { type: 'change', change, actor: '', reason: '', ifConfig: null, session },
    { type: 'plan', change },
    { type: 'query', num: -1 },
    { type: 'query', num: 0 },
    { type: 'history', limit: 5 },
  ]
  for (const request of table) assert.equal(group.ask(request), { type: 'notLeader', leader: null })
  group.begin()
  assert.is(group.query().num, 0, 'none of them was run later')
})

test('a proposal of configuration 0 that got lost is made again', () => {
  const group = new Group()
  group.taken = 'overloaded'
  group.begin()
  group.taken = 'taken'
  group.pass(1_500)
  assert.is(group.query().num, 0)
})

test('join and leave: exact groups, balance, server lists in order', () => {
  const group = new Group().begin()
  const lists = { 1: ['http://x:1', 'http://y:1', 'http://z:1'], 2: ['http://a:1', 'http://b:1'] }
  checkGroups(group.query(), [])
  group.join(1, lists[1])
  checkGroups(group.query(), [1])
  group.join(2, lists[2])
  checkGroups(group.query(), [1, 2])
  assert.equal(group.query().groups, lists)
  const { num } = group.query()
  group.join(1, lists[1])
  group.join(2, lists[2])
  assert.is(group.query().num, num, 'repeated joins are harmless')
  group.leave(1)
  checkGroups(group.query(), [2])
  group.leave(1)
  assert.is(group.query().num, num + 1, 'a repeated leave is harmless')
  assert.equal(group.query().groups, { 2: lists[2] })
  group.leave(2)
  checkGroups(group.query(), [])
  assert.equal(group.query().shards, new Array(10).fill(0))
})

test('answers every old configuration exactly, for ever, also after a restart', () => {
  const group = new Group().begin()
  const seen: string[] = [JSON.stringify(group.query())]
  for (let gid = 1; gid <= 60; gid++) {
    group.join(gid)
    seen.push(JSON.stringify(group.query()))
    if (gid % 3 === 0) {
      group.leave(gid - 1)
      seen.push(JSON.stringify(group.query()))
    }
  }
  assert.is(group.query().num, seen.length - 1)
  for (const life of ['first', 'second']) {
    for (const [num, text] of seen.entries()) {
      assert.is(JSON.stringify(group.query(num)), text, `configuration ${num}, ${life} life`)
    }
    group.first.restart()
  }
  for (const num of [-1, seen.length, 1e9]) assert.is(JSON.stringify(group.query(num)), seen.at(-1))
  assert.equal(group.ask({ type: 'history', limit: 3 }), {
    type: 'history',
    configs: [-1, -2, -3].map(at => JSON.parse(seen.at(at)!)),
  })
  assert.is(historyLength(group, 1e6), seen.length)
  assert.is(historyLength(group, 0), 0)
})

function historyLength(group: Group, limit: number): number | null {
  const reply = group.ask({ type: 'history', limit })
  return reply?.type === 'history' ? reply.configs.length : null
}

test('move: all shards one by one, each a configuration of its own', () => {
  const group = new Group().begin()
  group.join(1)
  group.join(2)
  for (const gid of [1, 2]) {
    for (let shard = 0; shard < 10; shard++) {
      const before = group.query()
      group.move(shard, gid)
      const isMoved = before.shards[shard] !== gid
      assert.equal(group.query().shards, before.shards.with(shard, gid))
      assert.is(group.query().num, before.num + (isMoved ? 1 : 0))
    }
    assert.equal(group.query().shards, new Array(10).fill(gid))
  }
})

test('many clients at once, at all replicas, with one replica deaf: the exact final groups', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const group = new Group({ replicas: 3 }).begin()
    const random = new Random(seed, 'clients')
    group.replicas[2]!.isCutOff = true
    const wants: { client: string; change: Change; number: number }[] = []
    for (let gid = 1; gid <= 20; gid++) {
      const servers = [`http://g${gid}`]
      wants.push({ client: `c${gid}`, number: 1, change: { op: 'join', gid, servers } })
      if (gid % 2 === 0) wants.push({ client: `c${gid}`, number: 2, change: { op: 'leave', gid } })
    }
    while (wants.length > 0) {
      const index = random.word() % wants.length
      const want = wants[index]!
      if (wants.some(({ client, number }) => client === want.client && number < want.number)) {
        continue
      }
      const { client, number, change } = want
      const session = { client, number, acked: number - 1 }
      const request = { type: 'change', change, actor: '', reason: '', ifConfig: null } as const
      const replica = random.word() % 3
      group.replicas[replica]!.submit({ ...request, session })
      if (replica === 0) wants.splice(index, 1)
      if (random.word() % 3 === 0) group.settle()
    }
    group.settle()
    const odd = Array.from({ length: 10 }, (_, index) => 2 * index + 1)
    checkGroups(group.query(), odd)
    assert.is(group.query().num, 30, `seed ${seed}`)
    group.replicas[2]!.isCutOff = false
    group.settle()
    assert.equal(group.replicas[2]!.dump(), group.first.dump(), `seed ${seed}`)
  }
})

test('minimal transfers, also with more groups than shards', () => {
  const group = new Group().begin()
  const gids: number[] = []
  for (let gid = 1; gid <= 20; gid++) {
    const before = group.query().shards
    group.join(gid)
    const after = group.query().shards
    gids.push(gid)
    checkGroups(group.query(), gids)
    assert.ok(after.every((owner, shard) => owner === before[shard] || owner === gid))
    if (gid > 1) assert.is(countMoves(before, after), gid > 10 ? 0 : Math.floor(10 / gid))
  }
  while (gids.length > 0) {
    const gid = gids.shift()!
    const before = group.query().shards
    group.leave(gid)
    const after = group.query().shards
    checkGroups(group.query(), gids)
    assert.ok(after.every((owner, shard) => owner === before[shard] || before[shard] === gid))
  }
})

test('the latest is read with a confirmation only: a replica that does not lead refuses', () => {
  const group = new Group({ replicas: 3 }).begin()
  group.join(1)
  const change: Change = { op: 'leave', gid: 1 }
  const notLeader = { type: 'notLeader', leader: 0 } as const
  const table: readonly ShardmasterRequest[] = [
    { type: 'query', num: -1 },
    { type: 'query', num: 2 },
    { type: 'history', limit: 1 },
    { type: 'plan', change },
  ]
  for (const request of table) assert.equal(group.ask(request, 1), notLeader)
  assert.is(group.query(1, 1).num, 1, 'an old one is answered by any replica')
  assert.is(group.query(0, 2).num, 0)
  group.taken = 'notLeader'
  for (const request of table) assert.equal(group.ask(request), { type: 'notLeader', leader: null })
  group.taken = 'overloaded'
  for (const request of table) assert.equal(group.ask(request), { type: 'overloaded' })
  assert.equal(group.join(2), { type: 'overloaded' })
})

test('a number that is decided between question and confirmation is answered as that one', () => {
  const group = new Group().begin()
  const early = group.first.submit({ type: 'query', num: 1 })
  for (const gid of [1, 2]) {
    group.first.submit({
      type: 'change',
      change: { op: 'join', gid, servers: ['http://a'] },
      actor: '',
      reason: '',
      ifConfig: null,
      session: { client: `c${gid}`, number: 1, acked: 0 },
    })
  }
  group.settle()
  assert.is(group.query().num, 2)
  const reply = group.first.replies.get(early)
  assert.is(reply?.type === 'config' ? reply.config.num : null, 1)
})

test('a deposed leader does not answer; nor does it propose', () => {
  const group = new Group({ replicas: 3 }).begin()
  group.join(1)
  group.replicas[0]!.isCutOff = true
  group.leader = 1
  group.join(2)
  assert.is(group.query().num, 2)
  assert.equal(group.ask({ type: 'query', num: -1 }, 0), { type: 'notLeader', leader: 1 })
  const session = { client: 'late', number: 1, acked: 0 }
  const asked = { type: 'change', actor: '', reason: '', ifConfig: null, session } as const
  const id = group.first.submit({ ...asked, change: { op: 'leave', gid: 1 } })
  assert.equal(group.first.replies.get(id), { type: 'notLeader', leader: 1 })
  assert.equal(group.queue, [])
  assert.is(group.query(1, 0).num, 1)
})

test('a condition on the configuration is checked when the change is applied', () => {
  const group = new Group().begin()
  group.join(1)
  const change: Change = { op: 'join', gid: 2, servers: ['http://b:1'] }
  assert.equal(group.change(change, { ifConfig: 0 }), { type: 'conditionFailed', latest: 1 })
  assert.is(group.change(change, { ifConfig: 1 })?.type, 'config')
  const both = ['x', 'y'].map(client =>
    group.first.submit({
      type: 'change',
      change: { op: 'join', gid: client === 'x' ? 3 : 4, servers: ['http://c'] },
      actor: '',
      reason: '',
      ifConfig: 2,
      session: { client, number: 1, acked: 0 },
    }),
  )
  group.settle()
  const types = both.map(id => group.first.replies.get(id)?.type)
  assert.equal(types, ['config', 'conditionFailed'])
})

test('refusals say why, with the latest number, and leave it as it is', () => {
  const group = new Group().begin()
  group.join(1)
  const kinds = [
    group.leave(9),
    group.move(0, 9),
    group.move(10, 1),
    group.join(1, ['http://other']),
    group.join(5, []),
    group.change({ op: 'leave', gid: 1 }, { reason: 'x'.repeat(1001) }),
    group.change({ op: 'leave', gid: 1 }, { actor: 'x'.repeat(201) }),
    group.change({ op: 'leave', gid: 1 }, { ifConfig: -1 }),
    group.change({ op: 'leave', gid: 1 }, { ifConfig: 2 ** 53 - 1 }),
    group.change({ op: 'leave', gid: 1 }, { session: { client: '', number: 1, acked: 0 } }),
    group.change({ op: 'leave', gid: 1 }, { session: { client: 'c', number: 0, acked: 0 } }),
    group.change({ op: 'leave', gid: 1 }, { session: { client: 'c', number: 1.5, acked: 0 } }),
    group.change({ op: 'leave', gid: 1 }, { session: { client: 'c', number: 1, acked: -1 } }),
  ].map(reply => (reply?.type === 'refused' ? `${reply.kind} ${reply.latest}` : reply?.type))
  assert.equal(kinds, [
    'unknown-group 1',
    'unknown-group 1',
    'bad-request 1',
    'conflict 1',
    ...new Array(9).fill('bad-request 1'),
  ])
  assert.is(group.query().num, 1)
})

test('the actor and the reason stay in the configuration, and time never runs backwards', () => {
  const group = new Group().begin()
  group.change(
    { op: 'join', gid: 1, servers: ['http://a'] },
    { actor: 'ann', reason: 'löad \ud800' },
  )
  const { cause, at } = group.query()
  assert.equal(cause, {
    op: 'join',
    gid: 1,
    servers: ['http://a'],
    actor: 'ann',
    reason: 'löad \ud800',
  })
  group.wallMs -= 3_600_000
  group.join(2)
  assert.is(group.query().at, at)
})

test('tells what it decided and refused', () => {
  const group = new Group().begin()
  group.join(1)
  group.join(2)
  group.leave(7)
  group.change({ op: 'leave', gid: 2 }, { ifConfig: 0 })
  const told = group.first.events.map(event =>
    event.type === 'configDecided' ? [event.num, event.slot, event.movedShards] : event,
  )
  const by = { actor: 'a', reason: 'r', isLeader: true, loggedMs: group.wallMs }
  const refused = { type: 'changeRefused', op: 'leave', config: 2, ...by }
  assert.equal(told, [
    [0, 1, 0],
    [1, 2, 10],
    [2, 3, 5],
    { ...refused, kind: 'unknown-group', slot: 4 },
    { ...refused, kind: 'condition-failed', slot: 5 },
  ])
})

test.run()
