// What a replica says before it applies, and for how long it puts that off.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Input } from '../server/contract.ts'
import { APPLY_BEHIND_SLOTS } from '../server/limits.ts'
import { DirectedGroup, type OnWire, ofType } from './support/directed-group.ts'

const test = suite('replica')

function ledGroup(): DirectedGroup {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  return group
}

/** One step with these messages, as a shell that has not yet asked for what was left. */
function stepOnce(group: DirectedGroup, replica: number, ...inputs: Input<string>[]) {
  const { core, micros } = group.life(replica)
  return core.step({ micros, wallMs: 1 }, inputs)
}

const messageOf = ({ from, message }: OnWire): Input<string> => ({ type: 'message', from, message })

test("a leader's next batch leaves before the last one is applied and answered", () => {
  const group = ledGroup()
  const first = group.request(0, 'a')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  group.sync(0)
  const [accepted] = group.drop(ofType('accepted'))
  assert.ok(accepted)
  const said = stepOnce(group, 0, messageOf(accepted), { type: 'request', id: 99, request: 'b' })
  assert.equal(
    said.sends.map(({ message }) => message.type),
    ['accept'],
  )
  assert.equal([said.replies, said.hasMore, said.isAwaited], [[], true, false])
  const left = stepOnce(group, 0)
  assert.equal(left.replies, [{ id: first, reply: { type: 'ok', log: 'a' } }])
  assert.is(left.hasMore, false)
})

test('a follower answers before it applies, unless it is too far behind', () => {
  const group = ledGroup()
  const held: OnWire[] = []
  for (let count = 0; count <= APPLY_BEHIND_SLOTS; count++) {
    group.request(0, 'x')
    const sent = group.drop(ofType('accept'))
    held.push(...sent.filter(({ to }) => to === 1))
    for (const item of sent) if (item.to === 2) group.inject(item)
    group.sync(2)
    group.deliver(ofType('accepted'))
    group.sync(0)
  }
  const { machine } = group.life(1)
  const behind = held.map(item => {
    const output = stepOnce(group, 1, messageOf(item))
    assert.is(output.isAwaited, true)
    return [output.hasMore, machine.log.length]
  })
  // Each accept tells that the slot before it is decided; slot 1 is the leader's own, and empty.
  const patient = Array.from({ length: APPLY_BEHIND_SLOTS }, () => [true, 0])
  assert.equal(behind, [...patient, [false, APPLY_BEHIND_SLOTS]])
})

test.run()
