// Ways to lose agreement or progress, beside those in test/paxos/directed.test.ts.

import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ELECTION_TIMEOUT_MAX_MS } from '../../server/limits.ts'
import { type Ballot, compareBallots } from '../../server/paxos/ballot.ts'
import { DirectedGroup, elect, ofType } from '../support/directed-group.ts'

const test = suite('pitfalls of Paxos')

const ELECTION_MAX = ELECTION_TIMEOUT_MAX_MS * 1000

function led(replica = 0, count = 3): DirectedGroup {
  const group = new DirectedGroup(count)
  group.campaign(replica)
  group.settle()
  assert.is(group.status(replica).role, 'leader')
  return group
}

/** The value is at replica 1 alone, under the first ballot; replica 0 has lost it. */
function withValueAtOne(): DirectedGroup {
  const group = led(0)
  group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  group.drop(() => true)
  group.restart(0)
  return group
}

test('P1: the end of an older write is no vote of the leader for a newer record', () => {
  const group = led()
  const before = group.life(0).durable - group.life(0).base
  const id = group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.drop(ofType('accept'))
  group.sync(1)
  group.deliver(ofType('accepted'))
  group.step(0, { type: 'durable', upTo: before })
  assert.is(group.replies.get(id), undefined)
  group.sync(0)
  assert.is(group.replies.get(id)?.log, 'x')
})

test('P2: a vote for an earlier ballot of the same leader does not count for its next one', () => {
  const group = led(0)
  group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  const late = group.drop(ofType('accepted'))
  assert.is(late.length, 1)
  group.drop(() => true)
  group.restart(0)
  elect(group, 0, [2])
  const open = group.wire.filter(ofType('accept')).map(({ message }) => message)
  const [last] = open.toReversed()
  assert.ok(last?.type === 'accept')
  group.deliver(({ to, message }) => to === 2 && message.type === 'accept' && message !== last)
  group.sync(2)
  group.sync(0)
  group.deliver(ofType('accepted'))
  assert.is(group.status(0).slots.decided, last.slot - 1)
  for (const item of late) group.inject(item)
  assert.is(group.status(0).slots.decided, last.slot - 1)
})

test('P3: a prepare below the promise changes nothing and is refused', () => {
  const group = led(0)
  elect(group, 1, [2])
  group.drop(() => true)
  const before = group.status(2).ballot
  const from = { gid: 1, replica: 0, incarnation: 'a0' }
  const ballot = { round: 1, replica: 0, incarnation: 'a0' }
  group.inject({ from, to: 2, message: { type: 'prepare', ballot, from: 1 } })
  group.sync(2)
  const [answer] = group.wire
  assert.ok(answer?.message.type === 'reject' && answer.message.reason === 'ballot')
  assert.is(group.status(2).ballot, before)
})

test('P3: a leader that promises a higher ballot proposes nothing more under its own', () => {
  const group = led(0)
  const open = group.request(0, 'x')
  group.drop(() => true)
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const ballot = { round: 9, replica: 1, incarnation: 'a1' }
  const prepare = { from, to: 0, message: { type: 'prepare' as const, ballot, from: 1 } }
  const input = { type: 'message' as const, from, message: prepare.message }
  group.step(0, input, { type: 'request', id: 99, request: 'y' })
  assert.is.not(group.status(0).role, 'leader')
  assert.is(group.replies.get(open)?.type, 'unknown')
  assert.is(group.replies.get(99)?.type, 'notLeader')
  assert.is(group.wire.filter(ofType('accept', 'heartbeat')).length, 0)
})

test('P3: a candidate that promises a higher ballot wins nothing under its own', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(0)
  group.deliver(item => item.to === 1 && ofType('prepare')(item))
  group.sync(1)
  const late = group.drop(ofType('promise'))
  assert.is(late.length, 1)
  const from = { gid: 1, replica: 2, incarnation: 'a2' }
  const ballot = { round: 9, replica: 2, incarnation: 'a2' }
  group.inject({ from, to: 0, message: { type: 'prepare', ballot, from: 1 } })
  for (const item of late) group.inject(item)
  assert.is(group.status(0).role, 'follower')
})

test('P4: the end of an older write lets no prepare leave', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.step(0, { type: 'durable', upTo: 0 })
  assert.is(group.wire.filter(ofType('prepare')).length, 0)
  group.sync(0)
  assert.is(group.wire.filter(ofType('prepare')).length, 2)
})

test('P4: ballots are in one total order, and those of two lives are never the same', () => {
  const ballot = fc.record<Ballot>({
    round: fc.nat(3),
    replica: fc.nat(2),
    incarnation: fc.constantFrom('a', 'b', 'c'),
  })
  fc.assert(
    fc.property(ballot, ballot, ballot, (a, b, c) => {
      const isSame = (['round', 'replica', 'incarnation'] as const).every(key => a[key] === b[key])
      assert.is(compareBallots(a, b) === 0, isSame)
      assert.is(Math.sign(compareBallots(a, b)), 0 - Math.sign(compareBallots(b, a)))
      if (compareBallots(a, b) < 0 && compareBallots(b, c) < 0) assert.ok(compareBallots(a, c) < 0)
    }),
  )
})

test('P5: half of the members are no quorum', () => {
  for (const count of [2, 4, 6]) {
    const group = led(0, count)
    const id = group.request(0, 'x')
    const half = count / 2
    group.deliver(item => item.to < half && ofType('accept')(item))
    group.drop(ofType('accept'))
    for (let replica = 0; replica < half; replica++) group.sync(replica)
    group.deliver(ofType('accepted'))
    assert.is(group.replies.get(id), undefined, `${half} of ${count}`)
  }
})

test('P7: nothing is applied past a slot that is not decided', () => {
  const group = led(0)
  const first = group.request(0, 'a')
  const late = group.drop(ofType('accept'))
  const second = group.request(0, 'b')
  group.settle()
  assert.is(group.replies.get(first), undefined)
  assert.is(group.replies.get(second), undefined)
  for (const item of late) group.inject(item)
  group.settle()
  assert.is(group.replies.get(first)?.log, 'a')
  assert.is(group.replies.get(second)?.log, 'ab')
})

test('P7: followers learn a decision with the next proposal, without a heartbeat', () => {
  const group = led(0)
  group.request(0, 'a')
  group.settle()
  group.request(0, 'b')
  group.deliver(ofType('accept'))
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['a', 'a', 'a'],
  )
})

test('P13: an inherited value is not decided until a quorum has it under the new ballot', () => {
  const group = withValueAtOne()
  elect(group, 2, [1])
  assert.is(group.life(2).machine.log, '')
  const [accept] = group.wire.filter(ofType('accept'))
  assert.ok(accept?.message.type === 'accept')
  assert.is(accept.message.ballot.replica, 2, 'it is proposed again')
  // It dies before anyone has it there. The next leader hears nothing of it, and decides another.
  group.drop(() => true)
  group.restart(2)
  elect(group, 0, [2])
  group.request(0, 'y')
  group.settle([0, 2])
  group.pass(500)
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['y', 'y', 'y'],
  )
})

test('P13: a watermark does not decide a value of an older ballot that it was not told about', () => {
  const group = withValueAtOne()
  elect(group, 2, [0])
  group.request(2, 'y')
  group.settle([0, 2])
  assert.is(group.life(2).machine.log, 'y')
  group.pass(500)
  assert.equal(
    group.lives.map(life => life.machine.log),
    ['y', 'y', 'y'],
  )
})

test('P13: a leader that is told of another value in its own slot answers nobody for it', () => {
  const group = led(0)
  const id = group.request(0, 'x')
  const [accept] = group.drop(ofType('accept'))
  assert.ok(accept?.message.type === 'accept')
  const { slot } = accept.message
  const [value] = group.life(1).records.flatMap(one => (one.type === 'accept' ? [one.value] : []))
  assert.ok(value)
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const entries = [{ slot, value }]
  group.inject({
    from,
    to: 0,
    message: { type: 'entries', from: slot, entries, first: 1, decided: slot },
  })
  assert.is.not(group.status(0).role, 'leader')
  assert.is(group.replies.get(id)?.type, 'unknown')
  assert.is(group.life(0).machine.log, '')
})

test('C1: a vote in the name of a former or a later life of a member does not count', () => {
  const group = led(0)
  const id = group.request(0, 'x')
  const [accept] = group.drop(ofType('accept'))
  assert.ok(accept?.message.type === 'accept')
  const { ballot, slot, confirm, sentAt } = accept.message
  group.sync(0)
  const message = { type: 'accepted' as const, ballot, slot, confirm, sentAt, applied: 0 }
  for (const incarnation of ['a1x', 'a0', '']) {
    const from = { gid: 1, replica: 1, incarnation }
    group.inject({ from, to: 0, message: { ...message, durableMicros: 0, answeredMicros: 0 } })
  }
  assert.is(group.replies.get(id), undefined)
})

test('C1: a replica with an emptied disk promises and accepts nothing', () => {
  const group = led(0)
  group.restart(1, true)
  group.pass(500, [0, 1])
  assert.is(group.status(1).role, 'stranger')
  group.request(0, 'x')
  group.campaign(2)
  group.deliver(item => item.to === 1)
  group.sync(1)
  const said = group.wire.filter(({ from }) => from.replica === 1)
  assert.equal(
    said.map(({ message }) => message.type),
    said.map(() => 'hello'),
  )
})

test('C1: a group is not formed before all of its replicas have met', () => {
  const group = new DirectedGroup(3, { electionMax: ELECTION_MAX })
  for (const replica of [0, 1, 2]) group.restart(replica, true)
  group.drop(() => true)
  for (const pair of [
    [0, 1],
    [0, 2],
    [1, 2],
  ]) {
    group.restart(0, true)
    group.pass(1_000, pair)
    for (const replica of pair) assert.is(group.status(replica).role, 'forming')
  }
  group.pass(2_000)
  assert.ok([0, 1, 2].some(replica => group.status(replica).role === 'leader'))
})

test.run()
