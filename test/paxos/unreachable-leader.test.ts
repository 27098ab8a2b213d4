// A leader whose messages get out and are answered, but whom nobody else can reach: what is passed
// on to it is lost for as long as it leads. Only over real HTTP can a network be like this.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LEADER_UNCALLED_MS } from '../../server/limits.ts'
import { DEFAULT_SETTINGS } from '../../server/paxos/settings.ts'
import { DirectedGroup, type OnWire, ofType } from '../support/directed-group.ts'

const test = suite('a leader out of reach')

/** Time passes; of the calls to the leader, only those of `callers` arrive, all answers do. */
function passWithCallsOf(group: DirectedGroup, callers: readonly number[], ms: number): void {
  const isCall = ofType('hello')
  for (let passed = 0; passed < ms; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    for (const replica of group.lives.keys()) group.step(replica, { type: 'tick' })
    group.settle(
      undefined,
      item => item.to === 0 && isCall(item) && !callers.includes(item.from.replica),
    )
  }
}

function led(count: number): DirectedGroup {
  const group = new DirectedGroup(count)
  group.campaign(0)
  group.settle()
  assert.is(group.status(0).role, 'leader')
  return group
}

for (const [count, callers] of [
  [3, []],
  [5, []],
  [5, [1]],
] as const) {
  test(`of ${count} replicas, ${callers.length} of which reach it, it steps down`, () => {
    const group = led(count)
    passWithCallsOf(group, callers, LEADER_UNCALLED_MS - 500)
    assert.is(group.status(0).role, 'leader')
    const id = group.request(0, 'x')
    group.settle()
    assert.is(group.replies.get(id)?.log, 'x', 'its answers come through')
    passWithCallsOf(group, callers, 600)
    assert.is.not(group.status(0).role, 'leader')
  })
}

for (const [count, callers] of [
  [3, [2]],
  [5, [1, 2]],
  [1, []],
] as const) {
  test(`of ${count} replicas, ${callers.length} of which reach it, it leads on`, () => {
    const group = led(count)
    passWithCallsOf(group, callers, 3 * LEADER_UNCALLED_MS)
    assert.is(group.status(0).role, 'leader')
  })
}

test('calls are few: each follower makes two or three a second, and needs no answer', () => {
  const group = led(3)
  const seen = { hello: 0, helloReply: 0 }
  const see = ({ message: { type } }: OnWire): boolean => {
    if (type === 'hello' || type === 'helloReply') seen[type] += 1
    return false
  }
  for (let passed = 0; passed < 5_000; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    for (const replica of group.lives.keys()) group.step(replica, { type: 'tick' })
    group.settle(undefined, see)
  }
  assert.ok(seen.hello >= 18 && seen.hello <= 32, `${seen.hello} calls`)
  assert.is(seen.helloReply, 0)
})

test('a call goes along with the answer to a heartbeat: neither side is woken for it', () => {
  const group = led(3)
  const alone: string[] = []
  for (let passed = 0; passed < 5_000; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    group.step(0, { type: 'tick' })
    group.settle()
    for (const replica of [1, 2]) group.step(replica, { type: 'tick' })
    alone.push(...group.wire.map(({ message: { type } }) => type))
    group.settle()
  }
  assert.equal(alone, [])
})

/** What comes to these replicas unasked is lost; they are answered. */
function passWithDeaf(group: DirectedGroup, deaf: readonly number[], ms: number): void {
  const isAnswer = ofType('preVoteReply', 'promise', 'accepted', 'heartbeatReply', 'reject')
  for (let passed = 0; passed < ms; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    for (const replica of group.lives.keys()) group.step(replica, { type: 'tick' })
    group.settle(undefined, item => deaf.includes(item.to) && !isAnswer(item))
  }
}

test('replicas that nobody reaches do not lead in turn: one that is well gets the chance', () => {
  const group = new DirectedGroup(5, DEFAULT_SETTINGS)
  const leader = () => [0, 1, 2, 3, 4].find(replica => group.status(replica).role === 'leader')
  group.pass(3_000)
  const first = leader() ?? 0
  const deaf = [first, (first + 4) % 5]
  passWithDeaf(group, deaf, 3 * LEADER_UNCALLED_MS)
  for (let times = 0; times < 20; times++) {
    passWithDeaf(group, deaf, 300)
    const now = leader()
    assert.ok(now !== undefined && !deaf.includes(now), `leader ${now}`)
  }
})

test.run()
