// What one lost message costs: an agreement that waits for a fixed tenth of a second, or an election
// that waits for a timeout, is over too late where a network is whole for no longer than that.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RESEND_MIN_MS, RESEND_MS, RESEND_ROUND_BYTES } from '../../server/limits.ts'
import { DirectedGroup, ofType } from '../support/directed-group.ts'

const test = suite('lost messages')

/** Answers to each accept take so long. */
function led(answerMs: number): DirectedGroup {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  for (let count = 0; count < 20; count++) {
    group.request(0, 'x')
    wait(group, answerMs)
    group.settle()
  }
  assert.is(group.life(0).machine.log.length, 20)
  return group
}

function wait(group: DirectedGroup, ms: number): void {
  for (const life of group.lives) life.micros += ms * 1000
}

/** The accepts that leave by themselves, so long after all before them were lost. */
function sentAfter(group: DirectedGroup, ms: number): number {
  group.drop(() => true)
  wait(group, ms)
  group.step(0, { type: 'tick' })
  return group.wire.filter(ofType('accept')).length
}

test('an accept is sent again after the time that answers take, not after the longest', () => {
  const group = led(1)
  group.request(0, 'lost')
  assert.is(sentAfter(group, RESEND_MIN_MS - 5), 0)
  assert.is(sentAfter(group, 6), 2)
  assert.is(sentAfter(group, RESEND_MIN_MS + 1), 2, 'and again')
})

test('a leader asks to be woken for it', () => {
  const group = led(1)
  group.request(0, 'lost')
  const { micros } = group.life(0)
  const { wakeAt } = group.step(0, { type: 'tick' })
  assert.ok(wakeAt <= micros + RESEND_MIN_MS * 1000, `in ${wakeAt - micros} µs`)
})

test('where answers are slow, what is only slow is not sent twice; never later than the bound', () => {
  const group = led(60)
  group.request(0, 'slow')
  assert.is(sentAfter(group, 59), 0)
  assert.is(sentAfter(group, RESEND_MS - 59), 2)
})

test('large values are sent again piece by piece, the oldest first', () => {
  const group = led(1)
  const value = 'v'.repeat(RESEND_ROUND_BYTES / 2 + 1)
  for (let count = 0; count < 4; count++) group.request(0, value)
  assert.is(sentAfter(group, RESEND_MIN_MS + 1), 4, 'two slots to two followers')
  assert.is(sentAfter(group, RESEND_MIN_MS + 1), 0, 'a longer pause after more bytes')
  assert.is(sentAfter(group, RESEND_MIN_MS + 1), 4)
})

test('a candidate whose ballot is outdone goes on with a higher one at once', () => {
  const group = new DirectedGroup(3)
  // Replica 2 promised 1.1 to a candidate that is gone; 0 knows nothing of it.
  group.campaign(1)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(1)
  group.deliver(item => item.to === 2 && ofType('prepare')(item))
  group.sync(2)
  group.drop(() => true)
  group.campaign(0)
  group.settle([0, 2])
  assert.is(group.status(0).role, 'leader')
  assert.is(group.status(0).ballot, '2.0')
})

test('a candidate that has begun to ask for promises has a whole timeout to get them', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  const replies = group.drop(ofType('preVoteReply'))
  // Its timeout is about 10 s here, of which it has spent the most.
  group.life(0).micros += 10_000_000
  for (const reply of replies) group.inject(reply)
  group.sync(0)
  const before = group.status(0).ballot
  group.drop(() => true)
  group.life(0).micros += 5_000_000
  group.step(0, { type: 'tick' })
  assert.ok(group.wire.some(ofType('prepare')), 'it still asks')
  assert.is(group.status(0).ballot, before)
  group.settle()
  assert.is(group.status(0).role, 'leader')
})

test('who is asked by one that lags too far, and misses the leader too, stands itself at once', () => {
  const group = new DirectedGroup(3, { candidateLag: 3 })
  group.campaign(0)
  group.settle()
  for (let count = 0; count < 5; count++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  group.pass(10, [0, 1])
  wait(group, 500)
  group.campaign(2)
  group.deliver(item => item.to === 1 && ofType('preVote')(item))
  group.step(1, { type: 'tick' })
  assert.is(group.status(1).role, 'candidate')
  group.settle([1, 2])
  assert.is(group.status(1).role, 'leader')
  group.pass(100, [1, 2])
  assert.is(group.life(2).machine.log, 'xxxxx')
})

test('a lost request for decided slots is repeated soon, then ever later', () => {
  const group = led(1)
  group.request(0, 'x')
  group.settle([0, 1])
  const asked: number[] = []
  for (let ms = 0; ms < 3_000; ms += 10) {
    wait(group, 10)
    group.step(0, { type: 'tick' })
    group.deliver(ofType('heartbeat'))
    group.step(2, { type: 'tick' })
    if (group.wire.some(ofType('fetch'))) asked.push(ms)
    group.drop(() => true)
  }
  const pauses = asked.slice(1).map((ms, index) => ms - (asked[index] ?? 0))
  assert.equal(pauses.slice(0, 4), [80, 160, 320, 500])
})

test('who has just promised leaves that candidate time to win: two would outdo each other for ever', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(0)
  // Its prepare has arrived at 2, whose promise is lost; 1 knows nothing of it.
  group.deliver(item => item.to === 2 && ofType('prepare')(item))
  group.drop(() => true)
  group.life(1).micros += 30_000_000
  group.step(1, { type: 'tick' })
  group.settle([1, 2])
  assert.is(group.status(1).role, 'candidate', 'nobody grants it a pre-vote')
  group.life(0).micros += 50_000
  group.step(0, { type: 'tick' })
  group.settle([0, 2])
  assert.is(group.status(0).role, 'leader')
  assert.is(group.status(0).ballot, '1.0')
})

test.run()
