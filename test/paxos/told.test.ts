// What a leader and its acceptors tell of an instance: enough to see every acceptor's part in it.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Event } from '../../server/contract.ts'
import { RESENDS_TOLD_MAX } from '../../server/limits.ts'
import { DirectedGroup, elect, ofType, passLosing } from '../support/directed-group.ts'

const test = suite('what is told of an instance')

type Told<T extends Event['type']> = Extract<Event, { type: T }>

function told<T extends Event['type']>(group: DirectedGroup, replica: number, type: T): Told<T>[] {
  const isOfType = (event: Event): event is Told<T> => event.type === type
  return group.told
    .filter(one => one.replica === replica)
    .flatMap(one => one.events.filter(isOfType))
}

/** Led by replica 0, all of whose own slots are decided everywhere. */
function led(): DirectedGroup {
  const group = new DirectedGroup(3)
  elect(group, 0, [1, 2])
  group.settle()
  group.told.length = 0
  return group
}

test('the quorum rides on the decision, and who answers later is told too, the leader itself', () => {
  const group = led()
  group.request(0, 'x')
  group.deliver(({ to, message }) => message.type === 'accept' && to !== 0)
  for (const replica of [1, 2]) {
    group.life(replica).micros += 1_000
    group.sync(replica)
  }
  group.life(0).micros += 3_000
  group.deliver(({ from, message }) => message.type === 'accepted' && from.replica === 1)
  assert.equal(told(group, 0, 'slotDecided'), [], 'its own record is not durable yet')
  group.deliver(ofType('accepted'))
  const [decided] = told(group, 0, 'slotDecided')
  assert.equal(
    decided?.acceptors.map(({ replica, durableMicros }) => [replica, durableMicros]),
    [
      [1, 1_000],
      [2, 1_000],
    ],
  )
  assert.is((decided?.decidedAt ?? 0) - (decided?.proposedAt ?? 0), 3_000)
  group.life(0).micros += 500
  group.sync(0)
  const late = told(group, 0, 'acceptedLate').map(({ slot, timing }) => [
    slot,
    timing.replica,
    timing.durableMicros,
  ])
  assert.equal(late, [[decided?.slot, 0, 3_500]])
  const answered = told(group, 1, 'acceptAnswered')
  assert.equal(
    answered.map(({ slot, durableMicros }) => [slot, durableMicros]),
    [[decided?.slot, 1_000]],
  )
})

test('an accept that was sent again is told with its slot', () => {
  const group = led()
  group.request(0, 'x')
  group.drop(ofType('accept'))
  passLosing(group, 300, () => false)
  const [decided] = told(group, 0, 'slotDecided')
  assert.equal([...new Set(decided?.resends.map(({ to }) => to))].sort(), [1, 2])
})

test('of accepts that are sent again for long only the first are kept for the decision', () => {
  const group = led()
  group.request(0, 'x')
  passLosing(group, 5_000, ofType('accept'))
  const all = told(group, 0, 'resent')
  assert.ok(all.length > RESENDS_TOLD_MAX, `${all.length}`)
  passLosing(group, 300, () => false)
  const [decided] = told(group, 0, 'slotDecided')
  assert.equal(
    decided?.resends.map(({ to }) => to),
    all.slice(0, RESENDS_TOLD_MAX).map(({ to }) => to),
  )
})

test('a deposed leader tells its open slots, and its refusal names the slot', () => {
  const group = led()
  group.request(0, 'x')
  group.drop(ofType('accept'))
  elect(group, 1, [2])
  group.settle([1, 2])
  group.request(0, 'y')
  group.deliver(item => item.message.type === 'accept' && item.to === 2 && item.message.slot === 3)
  group.deliver(ofType('reject'))
  const [first, second] = told(group, 0, 'slotAbandoned')
  assert.is(first?.reason, 'ballot')
  assert.is(second?.slot, (first?.slot ?? 0) + 1)
  assert.is(first?.commands, 1)
  const [refused] = told(group, 2, 'refused')
  assert.equal([refused?.phase, refused?.slot, refused?.to], ['accept', second?.slot, 0])
  assert.is(told(group, 0, 'rejected')[0]?.slot, second?.slot)
})

test('what a new leader inherits is told with the promises that it was found in', () => {
  const group = led()
  group.request(0, 'x')
  group.deliver(item => ofType('accept')(item) && item.to === 1)
  group.sync(1)
  group.drop(() => true)
  elect(group, 1, [2])
  const [won] = told(group, 1, 'electionWon')
  assert.is(won?.inherited, 1)
  assert.equal(
    won?.promises.map(({ replica, accepted }) => [replica, accepted]),
    [
      [1, 1],
      [2, 0],
    ],
  )
  group.settle([1, 2])
  const origins = told(group, 1, 'slotDecided').map(({ slot, origin }) => [slot, origin])
  const barrier = won?.barrier ?? 0
  assert.equal(origins, [
    [barrier - 1, 'inherited'],
    [barrier, 'noop'],
  ])
})

test('a slot that the leader learns from another replica, while its own proposal is open, is told', () => {
  const group = led()
  group.request(0, 'x')
  const [accept] = group.drop(ofType('accept'))
  assert.ok(accept?.message.type === 'accept')
  const { slot, value } = accept.message
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const entries = [{ slot, value }]
  const message = { type: 'entries', from: slot, entries, first: 1, decided: slot } as const
  group.inject({ from, to: 0, message })
  const [decided] = told(group, 0, 'slotDecided')
  assert.equal([decided?.slot, decided?.isLearned, decided?.acceptors], [slot, true, []])
})

test('a replica tells once in its life what it was made from, and once that it is ready', () => {
  const group = new DirectedGroup(3)
  elect(group, 0, [1, 2])
  group.settle()
  group.restart(2)
  group.pass(200)
  assert.is(told(group, 2, 'recovered').length, 2, 'two lives')
  assert.is(told(group, 2, 'recovered')[1]?.formation?.id, 'test')
  assert.is(told(group, 2, 'ready').length, 2)
})

test.run()
