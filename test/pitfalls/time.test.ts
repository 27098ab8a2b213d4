// Reads and leases: stale answers of leaders that are none any more, and clocks that go wrong.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CLOCK_DRIFT_MAX, LEASE_MS } from '../../server/limits.ts'
import type { Settings } from '../../server/paxos/settings.ts'
import { DirectedGroup, ofType } from '../support/directed-group.ts'
import { DirectedShards } from '../support/directed-shards.ts'

const test = suite('pitfalls of reads and time')

const LEASE = LEASE_MS * 1000

function led(settings: Partial<Settings> = {}): DirectedGroup {
  const group = new DirectedGroup(3, settings)
  group.campaign(0)
  group.settle()
  assert.is(group.status(0).role, 'leader')
  return group
}

/** Replica 0 leads with a lease that a heartbeat of just now has renewed. */
function leased(): DirectedGroup {
  const group = led({ readPath: 'lease' })
  group.request(0, 'old')
  group.settle()
  group.pass(150)
  for (const life of group.lives) life.micros += 100_000
  group.step(0, { type: 'tick' })
  group.settle()
  assert.is(group.replies.get(group.request(0, 'read'))?.log, 'old', 'read on the lease')
  return group
}

function advance(group: DirectedGroup, micros: number): void {
  for (const life of group.lives) life.micros += micros
}

/** Replica 1 is given the leadership by replica 2, and changes the state. Replica 0 sees nothing. */
function depose(group: DirectedGroup): void {
  group.campaign(1)
  for (let round = 0; round < 10; round++) {
    for (const replica of [1, 2]) group.sync(replica)
    group.deliver(({ from, to }) => from.replica !== 0 && to !== 0)
  }
  assert.is(group.status(1).role, 'leader')
  const id = group.request(1, 'new')
  for (let round = 0; round < 10; round++) {
    for (const replica of [1, 2]) group.sync(replica)
    group.deliver(({ from, to }) => from.replica !== 0 && to !== 0)
  }
  assert.is(group.replies.get(id)?.log, 'oldnew')
  group.drop(() => true)
}

test('T1: a deposed leader that still thinks it leads gets its read confirmed by nobody', () => {
  const group = led()
  group.request(0, 'old')
  group.settle()
  depose(group)
  const id = group.request(0, 'read')
  assert.is(group.replies.get(id), undefined)
  group.settle()
  assert.is.not(group.replies.get(id)?.type, 'ok')
})

test('T1: a new leader answers no read before it has applied what earlier ones decided', () => {
  const group = led()
  group.request(0, 'x')
  group.settle()
  assert.is(group.life(2).machine.log, '', 'it has the value, and does not know that it is decided')
  group.campaign(2)
  const isOther = (item: { from: { replica: number }; to: number }) =>
    item.from.replica !== 0 && item.to !== 0
  for (const type of ['preVote', 'preVoteReply', 'prepare', 'promise'] as const) {
    for (const replica of [1, 2]) group.sync(replica)
    group.deliver(item => isOther(item) && ofType(type)(item))
  }
  assert.is(group.status(2).role, 'leader')
  const id = group.request(2, 'read')
  for (const type of ['heartbeat', 'heartbeatReply'] as const) {
    group.deliver(item => isOther(item) && ofType(type)(item))
  }
  assert.is(group.replies.get(id), undefined)
  group.settle([1, 2])
  assert.is(group.replies.get(id)?.log, 'x')
})

test('T2: a process that stood still between two steps reads nothing on its old lease', () => {
  const group = leased()
  advance(group, LEASE)
  const id = group.request(0, 'read')
  assert.is(group.replies.get(id), undefined, 'it asks for a confirmation')
  group.settle()
  assert.is(group.replies.get(id)?.log, 'old')
})

test('T3: wall clocks that jump by hours change no lease, no order and no session', () => {
  const world = new DirectedShards(1, { readPath: 'lease' })
  world.configure(1, 1, 1, 1)
  world.settle()
  const session = { client: 'c', number: 1 }
  const first = world.puthash(1, 'd', 'a', session)
  world.settle()
  const value = world.read(1, 'd')
  for (const hours of [1, -3, 5, -2]) {
    world.wallMs += hours * 3_600_000
    world.pass(500)
    const again = world.puthash(1, 'd', 'a', session)
    world.settle()
    assert.is(world.said(again), world.said(first))
    assert.is(world.read(1, 'd'), value)
  }
})

test('T4: a leader whose clock is slow by all that is allowed loses its lease in time', () => {
  const group = leased()
  // As long as its followers keep their votes, by their own clocks.
  for (const replica of [1, 2]) group.life(replica).micros += LEASE
  group.life(0).micros += Math.ceil(LEASE * (1 - CLOCK_DRIFT_MAX))
  const id = group.request(0, 'read')
  assert.is(group.replies.get(id), undefined)
})

test('T6: a lease counts from when the leader asked, not from when it was answered', () => {
  const group = led({ readPath: 'lease' })
  group.pass(150)
  advance(group, 2 * LEASE)
  group.step(0, { type: 'tick' })
  group.deliver(ofType('heartbeat'))
  // The answers are on their way for nine tenths of the lease.
  advance(group, 0.91 * LEASE)
  group.deliver(ofType('heartbeatReply'))
  const id = group.request(0, 'read')
  assert.is(group.replies.get(id), undefined)
})

test('T6: a vote that is kept for a lease is kept over a restart too', () => {
  const group = leased()
  group.restart(1)
  const from = { gid: 1, replica: 2, incarnation: 'a2' }
  const ballot = { round: 9, replica: 2, incarnation: 'a2' }
  group.inject({ from, to: 1, message: { type: 'prepare', ballot, from: 1 } })
  const [answer] = group.wire.filter(({ to }) => to === 2)
  assert.ok(answer?.message.type === 'reject' && answer.message.reason === 'lease')
})

test("T6: the late word of a leader that gave up breaks no later leader's lease", () => {
  const group = led()
  group.request(0, 'old')
  group.settle()
  group.step(0, { type: 'handOver' })
  const late = group.drop(item => item.to === 2 && ofType('handOver')(item))
  assert.is(late.length, 1)
  group.drop(() => true)
  depose(group)
  for (const item of late) group.inject(item)
  const from = { gid: 1, replica: 0, incarnation: 'a0' }
  const ballot = { round: 9, replica: 0, incarnation: 'a0' }
  group.inject({ from, to: 2, message: { type: 'prepare', ballot, from: 1 } })
  const [answer] = group.wire.filter(({ to }) => to === 0)
  assert.ok(answer?.message.type === 'reject' && answer.message.reason === 'lease')
})

test.run()
