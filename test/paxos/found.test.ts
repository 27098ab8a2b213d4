// What the simulation found in the core, each cut down to its smallest scenario.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LogRecord } from '../../server/paxos/record.ts'
import { recover } from '../../server/paxos/recovery.ts'
import { DirectedGroup, type OnWire, ofType } from '../support/directed-group.ts'

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

test('a candidate asks those again whose answer was lost, within its election', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  const soon = () => {
    for (const life of group.lives) life.micros += 260_000
    group.step(0, { type: 'tick' })
  }
  assert.is(group.drop(ofType('preVote')).length, 2)
  soon()
  assert.is(group.wire.filter(ofType('preVote')).length, 2)
  group.deliver(ofType('preVote'))
  group.deliver(ofType('preVoteReply'))
  group.sync(0)
  assert.is(group.drop(ofType('prepare')).length, 2)
  soon()
  group.settle()
  assert.is(group.status(0).role, 'leader')
  assert.is(group.status(0).ballot, '1.0', 'under the same ballot')
})

test('a leader that is told of its own open slot as decided goes on with the next', () => {
  const group = new DirectedGroup(3, { pipelineSlots: 1 })
  group.campaign(0)
  group.settle()
  const first = group.request(0, 'x')
  const [accept] = group.drop(ofType('accept'))
  assert.ok(accept?.message.type === 'accept')
  const { slot, value } = accept.message
  const entries = [{ slot, value }]
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const message = { type: 'entries' as const, from: slot, entries, first: 1, decided: slot }
  group.inject({ from, to: 0, message })
  assert.is(group.replies.get(first)?.log, 'x', 'its waiter is answered')
  const second = group.request(0, 'y')
  group.settle()
  assert.is(group.replies.get(second)?.log, 'xy')
})

test('a leader that is told of a decision not its own steps down, and proposes nothing there', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  const slot = group.status(0).slots.decided + 1
  const [value] = group.life(1).records.flatMap(one => (one.type === 'accept' ? [one.value] : []))
  assert.ok(value)
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const entries = [{ slot, value }]
  const message = { type: 'entries' as const, from: slot, entries, first: 1, decided: slot }
  const input = { type: 'message' as const, from, message }
  group.step(0, input, { type: 'request', id: 99, request: 'x' })
  assert.is.not(group.status(0).role, 'leader')
  assert.is(group.replies.get(99)?.type, 'notLeader')
  assert.is(group.life(0).machine.log, '')
})

test('of open values in one slot the one of the highest ballot is proposed again (P6)', () => {
  const group = new DirectedGroup(5)
  group.campaign(0)
  group.settle()
  group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  group.drop(() => true)
  // The next leader has seen nothing of it: its noop takes the same slot, at one voter.
  group.campaign(4)
  const among = [2, 3, 4]
  const isAmong = (type: 'preVote' | 'preVoteReply' | 'prepare' | 'promise') => (item: OnWire) =>
    among.includes(item.from.replica) && among.includes(item.to) && ofType(type)(item)
  group.deliver(isAmong('preVote'))
  group.deliver(isAmong('preVoteReply'))
  group.sync(4)
  group.deliver(isAmong('prepare'))
  for (const replica of among) group.sync(replica)
  group.deliver(isAmong('promise'))
  assert.is(group.status(4).role, 'leader')
  group.deliver(item => item.to === 2 && ofType('accept')(item))
  group.sync(2)
  group.drop(() => true)
  group.campaign(3)
  group.settle([1, 2, 3])
  assert.is(group.status(3).role, 'leader')
  group.request(3, 'y')
  group.settle([1, 2, 3])
  assert.is(group.life(3).machine.log, 'y')
})

test('a late accept of a deposed leader is refused by who learned another decision', () => {
  const group = new DirectedGroup(5)
  group.campaign(0)
  group.settle()
  group.request(0, 'late')
  const [accept] = group.drop(item => item.to === 2 && ofType('accept')(item))
  group.drop(() => true)
  assert.ok(accept?.message.type === 'accept')
  group.campaign(1)
  const among = [1, 3, 4]
  group.settle(among)
  assert.is(group.status(1).role, 'leader')
  // It learns what was decided, and not under which ballot.
  const { slot } = accept.message
  group.inject({
    from: { gid: 1, replica: 1, incarnation: 'a1' },
    to: 2,
    message: {
      type: 'preVote',
      ballot: { round: 9, replica: 1, incarnation: 'a1' },
      decided: slot,
    },
  })
  group.life(2).micros += 1_000_000
  group.step(2, { type: 'tick' })
  group.deliver(ofType('fetch'))
  group.deliver(ofType('entries'))
  group.drop(() => true)
  assert.is(group.status(2).slots.decided, slot)
  group.inject(accept)
  group.sync(2)
  assert.is(group.wire.filter(ofType('accepted')).length, 0)
  group.deliver(ofType('reject'))
  assert.is.not(group.status(0).role, 'leader', 'it is told so')
})

test('a peer that knows no more is not asked in a circle, but another one after a while', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  const from = { gid: 1, replica: 2, incarnation: 'a2' }
  const ballot = { round: 9, replica: 2, incarnation: 'a2' }
  // It said so before a restart in which it lost what it knew.
  group.inject({ from, to: 1, message: { type: 'preVote', ballot, decided: 50 } })
  const later = () => {
    group.drop(() => true)
    group.life(1).micros += 40_000
    group.step(1, { type: 'tick' })
    return group.wire.filter(ofType('fetch')).map(({ to }) => to)
  }
  assert.equal(later(), [2])
  group.deliver(ofType('fetch'))
  group.deliver(ofType('entries'))
  assert.is(group.wire.filter(ofType('fetch')).length, 0, 'not at once')
  assert.equal(later(), [0])
})

test('a snapshot whose source falls silent is asked for elsewhere within three seconds', () => {
  const group = new DirectedGroup(3, { retainedSlots: 10, retainedBytes: 1000 })
  group.campaign(0)
  group.settle()
  for (let count = 0; count < 50; count++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  const { decided } = group.status(0).slots
  const from = { gid: 1, replica: 0, incarnation: 'a0' }
  const ballot = { round: 1, replica: 0, incarnation: 'a0' }
  const message = { type: 'heartbeat', ballot, decided, confirm: 0, sentAt: 0 } as const
  group.inject({ from, to: 2, message })
  group.life(2).micros += 100_000
  group.step(2, { type: 'tick' })
  group.deliver(ofType('fetch'))
  group.deliver(ofType('entries'))
  assert.is(group.drop(ofType('snapshotFetch'))[0]?.to, 0)
  group.drop(() => true)
  let asked = 0
  for (let passed = 0; passed < 3_000; passed += 100) {
    group.life(2).micros += 100_000
    group.step(2, { type: 'tick' })
    asked += group.drop(item => item.to === 1 && ofType('fetch')(item)).length
    group.drop(() => true)
  }
  assert.ok(asked > 0, 'the other one is asked')
})

test('a read waits for a confirmation that left after it came', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  const first = group.request(0, 'read')
  assert.is(group.replies.get(first), undefined)
  const second = group.request(0, 'read')
  group.deliver(ofType('heartbeat'))
  group.deliver(ofType('heartbeatReply'))
  assert.is(group.replies.get(first)?.type, 'ok')
  assert.is(group.replies.get(second), undefined, 'the first confirmation was older')
  group.deliver(ofType('heartbeat'))
  group.deliver(ofType('heartbeatReply'))
  assert.is(group.replies.get(second)?.type, 'ok')
})

const accept = (slot: number, round: number, decided: number): LogRecord => ({
  type: 'accept',
  slot,
  ballot: { round, replica: 0, incarnation: 'a' },
  value: Buffer.from(`${slot}@${round}`),
  decided,
})

test('a value that lost, under a snapshot that was not durable, does not come back as decided', () => {
  const records: LogRecord[] = [
    accept(1, 1, 0),
    { type: 'installed', slot: 5 },
    accept(6, 2, 5),
    accept(7, 2, 6),
  ]
  const { log } = recover(records, 0)
  assert.is(log.decided, 0)
  assert.is(log.get(1)?.ballot.round, 1, 'what was accepted is not forgotten either')
})

test('a value that lost is not given to others where the store went past it', () => {
  const overtaken = recover([accept(4, 1, 0), accept(5, 1, 0), accept(6, 2, 3)], 5)
  assert.is(overtaken.log.first, 6, 'the log was not durable as far as the store')
  const replaced = recover([accept(5, 1, 0), { type: 'installed', slot: 5 }, accept(6, 2, 5)], 5)
  assert.is(replaced.log.first, 6)
  assert.is(recover([accept(4, 1, 0), accept(5, 1, 0), accept(6, 2, 5)], 5).log.first, 4)
})

test('a watermark from before a restart says nothing of what is accepted after it', () => {
  const records: LogRecord[] = [
    { type: 'installed', slot: 5 },
    { type: 'learn', slot: 6, value: Buffer.from('6') },
    // The store was lost with the snapshot; a late accept of an old leader comes.
    accept(1, 1, 0),
  ]
  assert.is(recover(records, 0).log.decided, 0)
})

test('a snapshot leaves its mark in the log', () => {
  const group = new DirectedGroup(3, { retainedSlots: 10, retainedBytes: 1000 })
  group.campaign(0)
  group.settle()
  for (let count = 0; count < 50; count++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  group.pass(21_000)
  assert.ok(group.life(2).records.some(record => record.type === 'installed'))
})

test.run()
