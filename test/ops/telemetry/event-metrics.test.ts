// Numbers that events come to, against what a directed group did: every step is the test's own.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EventMetrics } from '../../../ops/telemetry/event-metrics.ts'
import type { Event } from '../../../server/contract.ts'
import type { Tally } from '../../../server/tally.ts'
import { DirectedGroup, elect, ofType } from '../../support/directed-group.ts'
import { DirectedShards, KEYS } from '../../support/directed-shards.ts'

const test = suite('event-metrics')

function count({ counts }: Tally): number {
  return counts.reduce((sum, one) => sum + one, 0)
}

function near(value: number, wanted: number): boolean {
  return Math.abs(value - wanted) < 1e-9
}

/** A group of three, and what the events of each replica come to. */
function watched(): { group: DirectedGroup; metrics: readonly EventMetrics[] } {
  const group = new DirectedGroup(3)
  const clocks = [0, 1, 2].map(replica => () => group.life(replica).micros)
  const metrics = clocks.map(clock => new EventMetrics(1, clock))
  group.onTold = (replica, events, micros) => {
    metrics[replica]?.sink(events, { micros, wallMs: 0 })
  }
  return { group, metrics }
}

test('an instance is counted with its parts, on the leader alone', () => {
  const { group, metrics } = watched()
  const [leader, follower] = metrics
  elect(group, 0, [1])
  group.settle()
  assert.is(leader?.paxos.elections.get('won'), 1)
  assert.is(leader?.paxos.instances.get('noop decided'), 1, 'the barrier of the new leader')
  assert.is(count(leader!.paxos.batchBytes), 0, 'a noop is no batch')
  group.request(0, 'abc')
  for (const life of group.lives) life.micros += 2_000
  group.deliver(ofType('accept'))
  group.sync(1)
  for (const life of group.lives) life.micros += 1_000
  group.deliver(ofType('accepted'))
  group.sync(0)
  const { paxos } = leader!
  assert.is(paxos.instances.get('own decided'), 1)
  assert.ok(near(paxos.ownInstances.sum, 0.003), String(paxos.ownInstances.sum))
  assert.equal(
    [...paxos.ownInstances.marks].filter(mark => mark > 0),
    [2],
    'the slot',
  )
  assert.is(count(paxos.batchCommands), 1)
  assert.is(paxos.batchCommands.sum, 1)
  assert.is(paxos.batchBytes.sum > 3, true)
  assert.is(count(paxos.queuePhase), 1)
  assert.is(count(paxos.applyPhase), 2)
  const answers = new Map(paxos.peerAnswers.entries())
  assert.ok(near(answers.get(1)?.sum ?? 0, 0.003 + 0), String(answers.get(1)?.sum))
  assert.is(follower?.paxos.instances.get('own decided'), 0)
  assert.is(count(follower!.paxos.acceptorAnswers), 2)
  assert.is(count(paxos.acceptorAnswers), 0)
})

test('an acceptor that answers late is counted with the time since the proposal', () => {
  const { group, metrics } = watched()
  elect(group, 0, [1])
  group.settle()
  const { paxos } = metrics[0]!
  const late = () => new Map(paxos.peerAnswers.entries()).get(2)
  const before = { count: late() === undefined ? 0 : count(late()!), sum: late()?.sum ?? 0 }
  group.request(0, 'x')
  group.deliver(item => item.to === 1)
  group.sync(1)
  group.deliver(ofType('accepted'))
  group.sync(0)
  assert.is(paxos.instances.get('own decided'), 1)
  for (const life of group.lives) life.micros += 40_000
  group.deliver(item => item.to === 2)
  group.sync(2)
  group.deliver(ofType('accepted'))
  assert.is(count(late()!), before.count + 1)
  assert.ok(near(late()!.sum - before.sum, 0.04), String(late()!.sum - before.sum))
})

test('a leader that is outdone counts what it leaves open, and why it went', () => {
  const { group, metrics } = watched()
  elect(group, 0, [1])
  group.settle()
  group.request(0, 'lost')
  group.drop(() => true)
  elect(group, 1, [2])
  group.settle()
  const { paxos } = metrics[0]!
  assert.is(paxos.stepDowns.get('ballot'), 1)
  assert.is(paxos.instances.get('own abandoned'), 1)
  assert.is(metrics[1]?.paxos.elections.get('won'), 1)
  assert.ok(metrics[2]!.paxos.leaderChanges >= 2)
  assert.is(count(metrics[1]!.paxos.electionDurations), 1)
})

test('reads count by confirmation, with the wait of the oldest', () => {
  const { group, metrics } = watched()
  elect(group, 0, [1])
  group.settle()
  const { paxos } = metrics[0]!
  group.request(0, 'read')
  for (const life of group.lives) life.micros += 5_000
  group.request(0, 'read')
  group.settle()
  assert.is(paxos.reads.quorum, 2)
  assert.is(paxos.reads.lease, 0)
  assert.ok(near(paxos.readWaits.quorum.sum, 0.005), String(paxos.readWaits.quorum.sum))
})

test('who was away counts what it caught up', () => {
  const { group, metrics } = watched()
  elect(group, 0, [1])
  group.settle([0, 1])
  for (let index = 0; index < 5; index++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  group.pass(500)
  const { paxos } = metrics[2]!
  assert.is(paxos.catchUps.get('log') >= 1, true)
  assert.ok(paxos.catchUpSlots.get('log') >= 5, String(paxos.catchUpSlots.get('log')))
  assert.is(paxos.catchUpSlots.get('log') <= group.status(2).slots.decided, true)
  assert.ok(count(paxos.catchUpDurations) >= 1)
})

/** Groups of one replica each, and what their events come to. */
function moving(groups: number) {
  const world = new DirectedShards(groups)
  const metrics = world.gids.map(gid => new EventMetrics(gid, () => world.micros))
  world.onTold = (gid, events, now) => metrics[gid - 1]?.sink(events, now)
  return { world, metrics }
}

test('a handoff counts on both sides, with keys, bytes and times', () => {
  const { world, metrics } = moving(2)
  world.configure(1, 1, 2, 2)
  world.settle()
  for (const [shard, key] of KEYS.entries()) world.put(shard < 2 ? 1 : 2, key, `${key} old`)
  world.settle()
  const [giver, taker] = metrics.map(({ shards }) => shards)
  assert.equal(
    [giver?.handoffs, taker?.handoffs],
    [
      { in: 0, out: 0 },
      { in: 0, out: 0 },
    ],
  )
  world.configure(2, 1, 2, 2)
  world.pass(1_000)
  assert.equal(giver?.handoffs, { in: 0, out: 1 })
  assert.equal(taker?.handoffs, { in: 1, out: 0 })
  assert.is(giver?.keys.out, 1)
  assert.is(taker?.keys.in, 2, 'its key and its session')
  assert.ok((giver?.bytes.out ?? 0) > 5 && (taker?.bytes.in ?? 0) > 5)
  assert.is(giver?.settled, 2)
  assert.is(taker?.heard, 2)
  assert.is(giver?.oldestAge([], world.micros), 0)
})

const AT = { slot: 5, loggedMs: 0, isLeader: false }

function tell(metrics: EventMetrics, micros: number, ...events: readonly Event[]): void {
  metrics.sink(events, { micros, wallMs: 0 })
}

test('phases of a handoff are timed between steps; what is applied again in one step has no time', () => {
  const metrics = new EventMetrics(2, () => 0)
  const { shards } = metrics
  const frozen: Event = {
    type: 'handoffFrozen',
    ...{ config: 3, shard: 4, to: 1, keys: 1, bytes: 2, ...AT },
  }
  const released: Event = { type: 'handoffReleased', config: 3, shard: 4, to: 1, ...AT }
  const swept: Event = { type: 'shardSwept', config: 3, shard: 4, ...AT }
  tell(metrics, 1_000_000, frozen)
  tell(metrics, 3_000_000, released)
  tell(metrics, 3_500_000, swept)
  assert.equal([count(shards.phases.send), shards.phases.send.sum], [1, 2])
  assert.equal([count(shards.phases.sweep), shards.phases.sweep.sum], [1, 0.5])
  tell(metrics, 9_000_000, frozen, released, swept)
  assert.is(count(shards.phases.send), 1)
  assert.is(shards.handoffs.out, 2)
})

test('the oldest handoff ages until it ends, by whatever way it ends', () => {
  const metrics = new EventMetrics(2, () => 0)
  const { shards } = metrics
  const held = [
    { shard: 4, phase: 'awaited', peer: 1 },
    { shard: 5, phase: 'serving', peer: 0 },
    { shard: 6, phase: 'leaving', peer: 0 },
  ]
  tell(metrics, 1_000_000, { type: 'handoffAwaited', config: 3, shard: 4, from: 1, ...AT })
  assert.is(shards.oldestAge(held, 4_000_000), 3)
  assert.is(shards.oldestAge(held.slice(1), 5_000_000), 0, 'a snapshot brought it to its end')
  assert.is(shards.oldestAge(held, 6_000_000), 0, 'it was on its way when this process started')
  assert.is(shards.oldestAge(held, 8_000_000), 2)
})

test('a group that gets data of its own back took nothing over', () => {
  const { world, metrics } = moving(2)
  world.configure(1, 1, 1, 1)
  world.settle()
  world.configure(0, 0, 0, 0)
  world.settle()
  world.configure(1, 1, 1, 1)
  world.pass(500)
  assert.equal(metrics[0]?.shards.handoffs, { in: 0, out: 0 })
})

test('changes count by outcome', () => {
  const metrics = new EventMetrics(0, () => 0)
  const who = { actor: 'a', reason: '', isLeader: true, loggedMs: 0, slot: 1 }
  tell(
    metrics,
    1,
    {
      type: 'configDecided',
      ...{ num: 0, movedShards: 0, groups: 0, cause: { op: 'init' }, ...who },
    } as Event,
    {
      type: 'configDecided',
      ...{ num: 1, movedShards: 64, groups: 1 },
      cause: { op: 'join', gid: 1, servers: [], actor: 'a', reason: '' },
      ...who,
    } as Event,
    { type: 'changeRefused', op: 'move', kind: 'conflict', config: 1, ...who },
  )
  assert.equal(
    [...metrics.shards.changes.entries()],
    [
      ['join decided', 1],
      ['move conflict', 1],
    ],
  )
  assert.is(metrics.shards.movedShards, 64)
})

test.run()
