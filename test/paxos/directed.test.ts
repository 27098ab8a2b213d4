// The classic ways to lose agreement, each forced message by message. Names in brackets are rows of
// the catalogue of known failures of such systems.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DirectedGroup, ofType } from '../support/directed-group.ts'

const test = suite('directed Paxos scenarios')

function led(replica = 0, count = 3): DirectedGroup {
  const group = new DirectedGroup(count)
  group.campaign(replica)
  group.settle()
  assert.is(group.status(replica).role, 'leader')
  return group
}

test('a put is decided in one round trip, and the followers learn it with the next message', () => {
  const group = led()
  const id = group.request(0, 'x')
  assert.equal(
    group.wire.map(item => item.message.type),
    ['accept', 'accept'],
  )
  group.settle()
  assert.is(group.replies.get(id)?.log, 'x')
  group.pass(20)
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['x', 'x', 'x'],
  )
})

test('nothing is claimed before it is durable (P1)', () => {
  const group = led()
  group.request(0, 'x')
  group.deliver(ofType('accept'))
  assert.is(group.wire.filter(ofType('accepted')).length, 0)
  group.sync(1)
  assert.is(group.wire.filter(ofType('accepted')).length, 1)
})

test('a leader counts its own vote only when its own record is durable (P1)', () => {
  const group = led()
  const id = group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.drop(ofType('accept'))
  group.sync(1)
  group.deliver(ofType('accepted'))
  assert.is(group.replies.get(id), undefined)
  group.sync(0)
  assert.is(group.replies.get(id)?.log, 'x')
})

test('a prepare leaves only when its own promise is durable, and no ballot is used twice (P4)', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  assert.is(group.wire.filter(ofType('prepare')).length, 0)
  group.sync(0)
  const [first] = group.wire.filter(ofType('prepare'))
  group.drop(() => true)
  group.restart(0)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(0)
  const [second] = group.wire.filter(ofType('prepare'))
  assert.ok(first?.message.type === 'prepare' && second?.message.type === 'prepare')
  assert.ok(second.message.ballot.round > first.message.ballot.round)
})

test('a promise for an older ballot is not counted for a newer one (P2)', () => {
  const group = new DirectedGroup(3)
  const elect = () => {
    group.campaign(0)
    group.deliver(ofType('preVote'))
    group.deliver(ofType('preVoteReply'))
    group.sync(0)
    return group.drop(item => item.to === 1 && ofType('prepare')(item))
  }
  const [old] = elect()
  group.drop(() => true)
  assert.ok(old)
  group.inject(old)
  group.sync(1)
  const late = group.drop(ofType('promise'))
  elect()
  group.drop(ofType('prepare'))
  for (const item of late) group.inject(item)
  assert.is.not(group.status(0).role, 'leader')
})

test('an accept raises the promise: a delayed older accept is refused (P3)', () => {
  const group = led(0)
  group.request(0, 'old')
  const late = group.drop(item => item.to === 2 && ofType('accept')(item))
  group.drop(() => true)
  group.restart(0)
  group.campaign(1)
  for (let round = 0; round < 4; round++) {
    group.sync(1)
    group.sync(0)
    group.deliver(item => item.to !== 2 && item.from.replica !== 2)
  }
  assert.is(group.status(1).role, 'leader')
  group.request(1, 'new')
  const fresh = group.wire.filter(item => item.to === 2 && ofType('accept')(item))
  for (const item of fresh) group.inject(item)
  group.drop(() => true)
  for (const item of late) group.inject(item)
  assert.equal(
    group.wire.map(item => item.message.type),
    late.map(() => 'reject'),
  )
})

test('a doubled accepted counts once (P5)', () => {
  const group = led(0, 5)
  const id = group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.drop(ofType('accept'))
  group.sync(1)
  const [vote] = group.drop(ofType('accepted'))
  assert.ok(vote)
  group.inject(vote)
  group.inject(vote)
  group.inject(vote)
  group.sync(0)
  assert.is(group.replies.get(id), undefined)
})

test('of two accepted values the one of the higher ballot is proposed again (P6, P13)', () => {
  const group = led(0)
  group.request(0, 'first')
  // Only replica 1 has the first value, under the first ballot.
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.drop(() => true)
  group.sync(1)
  group.drop(() => true)
  // Replica 2 leads with replica 0's disk lost in between: 0 has not made its own record durable.
  group.restart(0)
  group.campaign(2)
  group.settle([0, 2])
  assert.is(group.status(2).role, 'leader')
  group.request(2, 'second')
  group.settle([0, 2])
  group.campaign(1)
  group.settle([1, 2])
  group.pass(21_000, [1, 2])
  const { log } = group.life(2).machine
  assert.is(log, 'second')
  group.pass(21_000)
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['second', 'second', 'second'],
  )
})

test('a hole is filled with a noop only after a quorum said that it is empty (P7)', () => {
  const group = led(0)
  group.request(0, 'a')
  group.drop(ofType('accept'))
  group.request(0, 'b')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.drop(() => true)
  group.sync(1)
  group.drop(() => true)
  group.campaign(2)
  group.settle([1, 2])
  group.pass(21_000, [1, 2])
  assert.is(group.life(2).machine.log, 'b')
  group.restart(0)
  group.pass(21_000)
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['b', 'b', 'b'],
  )
})

test('a deposed leader answers no read (T1)', () => {
  const group = led(0)
  group.request(0, 'old')
  group.settle()
  group.pass(20)
  group.campaign(1)
  group.pass(21_000, [1, 2])
  const write = [1, 2].find(replica => group.status(replica).role === 'leader') ?? 1
  group.request(write, 'new')
  group.settle([1, 2])
  const id = group.request(0, 'read')
  group.pass(21_000)
  assert.is.not(group.replies.get(id)?.type, 'ok')
})

test('a replica with an emptied disk has no vote, and learns (C1)', () => {
  const group = led(0)
  const first = group.request(0, 'x')
  group.settle([0, 1])
  assert.is(group.replies.get(first)?.log, 'x')
  group.restart(1, true)
  // The stale third and the emptied second are a majority in number only.
  group.pass(21_000, [1, 2])
  assert.is(group.status(1).role, 'stranger')
  assert.ok([1, 2].every(replica => group.status(replica).role !== 'leader'))
  group.pass(21_000)
  assert.is(group.life(1).machine.log, 'x')
  const leader = [0, 2].find(replica => group.status(replica).role === 'leader') ?? 0
  const id = group.request(leader, 'y')
  group.settle([leader, 1])
  assert.is(group.replies.get(id), undefined, 'its acceptance makes no quorum')
})

test('a leader without a quorum of answers steps down, and says so to its clients', () => {
  const group = led(0)
  const id = group.request(0, 'x')
  group.drop(() => true)
  group.pass(21_000, [0])
  assert.is.not(group.status(0).role, 'leader')
  assert.is(group.replies.get(id)?.type, 'unknown')
})

test('a leader whose disk stands still steps down (G1)', () => {
  const group = led(0)
  group.request(0, 'x')
  for (let passed = 0; passed < 2000; passed += 50) {
    group.life(0).micros += 50_000
    group.step(0, { type: 'tick' })
    group.sync(1)
    group.sync(2)
    group.deliver(() => true)
  }
  assert.is.not(group.status(0).role, 'leader')
})

test('a leader that hands over is replaced within a few messages', () => {
  const group = led(0)
  group.step(0, { type: 'handOver' })
  group.settle()
  group.pass(100)
  assert.ok([1, 2].some(replica => group.status(replica).role === 'leader'))
})

test('the vote kept for a lease is not given to another candidate (T6)', () => {
  const group = led(0)
  group.pass(50)
  const [heartbeat] = group.wire
  assert.is(heartbeat, undefined)
  const ballot = { round: 99, replica: 2, incarnation: 'a2' }
  const from = { gid: 1, replica: 2, incarnation: 'a2' }
  group.inject({ from, to: 1, message: { type: 'prepare', ballot, from: 1 } })
  const [answer] = group.wire
  assert.ok(answer?.message.type === 'reject' && answer.message.reason === 'lease')
})

test('a replica far behind takes a snapshot and continues with the log (P9, S10)', () => {
  const group = new DirectedGroup(3, { retainedSlots: 10, retainedBytes: 1000 })
  group.campaign(0)
  group.settle()
  for (let count = 0; count < 50; count++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  assert.ok(group.status(0).log.entries <= 12, 'a dead replica holds up no trimming')
  group.pass(21_000)
  const { slots } = group.status(2)
  assert.is(slots.applied, group.status(0).slots.applied)
})

test.run()
