// What the simulation found in the core, each cut down to its smallest scenario.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DirectedGroup, ofType } from '../support/directed-group.ts'

const test = suite('found by simulation')

test('an accept that comes again is answered at once, though it writes nothing new', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  group.request(0, 'x')
  const [accept] = group.drop(item => item.to === 1 && ofType('accept')(item))
  assert.ok(accept)
  group.inject(accept)
  group.sync(1)
  assert.is(group.drop(ofType('accepted')).length, 1, 'the first answer, which is lost')
  group.inject(accept)
  assert.is(group.wire.filter(ofType('accepted')).length, 1)
})

test('a prepare that comes again is promised again at once', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(0)
  const [prepare] = group.drop(item => item.to === 1 && ofType('prepare')(item))
  assert.ok(prepare)
  group.inject(prepare)
  group.sync(1)
  assert.is(group.drop(ofType('promise')).length, 1, 'the first answer, which is lost')
  group.inject(prepare)
  assert.is(group.wire.filter(ofType('promise')).length, 1)
})

test.run()
