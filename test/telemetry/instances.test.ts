// Instances as spans: what a directed group tells, through the switch, and the corners of closing.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { instanceIds, instanceTraceId } from '../../ops/trace/span-model.ts'
import type { Event } from '../../server/contract.ts'
import { DirectedGroup, elect, ofType } from '../support/directed-group.ts'
import { SpanCollector, steps, wall } from '../support/span-collector.ts'

const test = suite('spans of instances')

type Decided = Extract<Event, { type: 'slotDecided' }>

const BALLOT = { round: 3, replica: 0, incarnation: 'a0' }
const FORMATION = {
  id: 'f',
  members: [0, 1, 2].map(replica => ({ replica, incarnation: `a${replica}` })),
}
const LOG = { cluster: 'test', gid: 1, formation: 'f' }
const timing = (replica: number, at: number) => {
  return { replica, at, durableMicros: 300, answeredMicros: 320 }
}

function decided(slot: number, more: Partial<Decided> = {}): Decided {
  return {
    type: 'slotDecided',
    slot,
    ballot: BALLOT,
    origin: 'own',
    commands: 2,
    bytes: 100,
    queuedAt: 1_000_100,
    proposedAt: 1_000_200,
    acceptors: [timing(1, 1_000_900), timing(0, 1_001_000)],
    resends: [],
    decidedAt: 1_001_000,
    isLearned: false,
    ...more,
  }
}

function leader(): SpanCollector {
  const collector = new SpanCollector()
  const held = { promised: BALLOT, applied: 0, decided: 0, entries: 0 }
  collector.tell([{ type: 'recovered', formation: FORMATION, ...held }])
  collector.tell([{ type: 'leaderChanged', leader: 0, ballot: BALLOT }])
  collector.spans.length = 0
  return collector
}

test('one span tells every step, each acceptor with its times, when all have answered', () => {
  const collector = leader()
  collector.tell([decided(7)], 1_001_000)
  collector.tell([{ type: 'applied', from: 7, to: 7 }], 1_001_200)
  assert.equal(collector.spans, [], 'one acceptor has not answered')
  const late = { slot: 7, ballot: BALLOT, timing: timing(2, 1_002_000) }
  collector.tell([{ type: 'acceptedLate', ...late }], 1_002_000)
  const [span] = collector.spans
  assert.is(collector.spans.length, 1)
  assert.equal(
    { traceId: span?.traceId, spanId: span?.spanId },
    instanceIds(LOG, 7, '3.0'),
    'ids that anyone can compute',
  )
  assert.is(span?.start, wall(1_000_100))
  assert.is(span?.end, wall(1_002_000))
  assert.is(steps(span).join(' '), 'queued proposed accepted accepted decided applied accepted')
  const accepted = span?.events.filter(({ name }) => name === 'accepted') ?? []
  const told = accepted.map(({ at, attributes }) => [
    at - wall(1_000_000),
    attributes['shardglass.acceptor'],
    attributes['shardglass.durable_us'],
    attributes['shardglass.answered_us'],
    attributes['shardglass.made_quorum'],
  ])
  assert.equal(told, [
    [900, 1, 300, 320, false],
    [1_000, 0, 300, 320, true],
    [2_000, 2, 300, 320, false],
  ])
  assert.equal(span?.attributes, {
    'shardglass.slot': 7,
    'shardglass.ballot': '3.0',
    'shardglass.origin': 'own',
    'shardglass.path': 'accept_only',
    'shardglass.batch.commands': 2,
    'shardglass.batch.bytes': 100,
    'shardglass.quorum': 2,
    'shardglass.members': 3,
    'shardglass.outcome': 'ok',
  })
})

test('a follower that is down holds a span up for half a second, and no longer', () => {
  const collector = leader()
  collector.tell([decided(7), { type: 'applied', from: 7, to: 7 }], 1_001_000)
  collector.tell([decided(8), { type: 'applied', from: 8, to: 8 }], 1_400_000)
  assert.is(collector.spans.length, 0)
  collector.tell([{ type: 'applied', from: 9, to: 9 }], 1_501_001)
  assert.equal(
    collector.spans.map(span => span.attributes['shardglass.slot']),
    [7],
  )
  collector.events.stop()
  assert.is(collector.spans.length, 2, 'at the end all is told')
})

test('a repeated or foreign answer changes nothing, and one after the end is ignored', () => {
  const collector = leader()
  collector.tell([decided(7), { type: 'applied', from: 7, to: 7 }], 1_001_000)
  const late = (replica: number, round = 3): Event => {
    const ballot = { ...BALLOT, round }
    return { type: 'acceptedLate', slot: 7, ballot, timing: timing(replica, 1_003_000) }
  }
  collector.tell([late(1), late(0), late(2, 2)], 1_003_000)
  assert.is(collector.spans.length, 0)
  collector.tell([late(2), late(2)], 1_004_000)
  assert.is(collector.spans.length, 1)
  assert.is(steps(collector.spans[0]).filter(name => name === 'accepted').length, 3)
})

test('an acceptor that was away and answers much later is told beside the span that has left', () => {
  const collector = leader()
  collector.tell([decided(7), { type: 'applied', from: 7, to: 7 }], 1_001_000)
  collector.events.stop()
  const late = { slot: 7, ballot: BALLOT, timing: timing(2, 9_000_000) }
  collector.tell([{ type: 'acceptedLate', ...late }], 9_000_000)
  collector.tell([{ type: 'acceptedLate', ...late }], 9_100_000)
  const [instance, answer, ...more] = collector.spans
  assert.equal(more, [])
  assert.is(answer?.traceId, instance?.traceId)
  assert.is(answer?.parentSpanId, instance?.spanId)
  assert.is(answer?.attributes['shardglass.acceptor'], 2)
  assert.is(answer?.attributes['shardglass.outcome'], 'late')
  assert.is(answer?.end, wall(9_000_000))
})

test('in a thin span the gist of the events stands in attributes', () => {
  const collector = leader()
  collector.tell([decided(7), { type: 'applied', from: 7, to: 7 }], 1_001_500)
  const record = collector.events.instances.of(7)
  assert.ok(record?.isOrdinary)
  const thin = record.span(true)
  assert.equal(thin.events, [])
  assert.is(thin.attributes['shardglass.acceptors'], '1:800/300/320,0:900/300/320')
  assert.is(thin.attributes['shardglass.decided_us'], 900)
  assert.is(thin.attributes['shardglass.applied_us'], 1_400)
  assert.is(thin.end, record.span(false).end)
})

test('nothing that stands out is ordinary', () => {
  const collector = leader()
  const odd: Partial<Decided>[] = [
    { resends: [{ to: 1, at: 1_000_500 }] },
    { origin: 'inherited' },
    { isLearned: true, acceptors: [] },
    { decidedAt: 1_060_000 },
  ]
  for (const [index, more] of odd.entries()) {
    collector.tell([decided(index + 1, more)])
    assert.not(collector.events.instances.of(index + 1)?.isOrdinary, JSON.stringify(more))
  }
})

test('the last instances are kept by slot, whatever became of them', () => {
  const collector = leader()
  for (let slot = 1; slot <= 1_500; slot++) collector.tell([decided(slot)])
  const { instances } = collector.events
  assert.is(instances.of(1), null, 'long ago')
  assert.is(instances.of(1_500)?.slot, 1_500)
  assert.equal(
    instances.newestFirst(3).map(({ slot }) => slot),
    [1_500, 1_499, 1_498],
  )
})

test('an election, its inherited value and its noop are told as they came about', () => {
  const group = new DirectedGroup(3)
  elect(group, 0, [1, 2])
  group.settle()
  group.request(0, 'x')
  group.deliver(item => ofType('accept')(item) && item.to === 1)
  group.sync(1)
  group.drop(() => true)
  const collectors = [0, 1, 2].map(replica => new SpanCollector(1, replica))
  group.onTold = (replica, events, micros) => collectors[replica]?.tell(events, micros)
  const members = group.told.find(({ events }) => events[0]?.type === 'recovered')?.events ?? []
  for (const collector of collectors) collector.tell(members)
  elect(group, 1, [2])
  group.settle([1, 2])
  for (const collector of collectors) collector.events.stop()
  const [first] = collectors
  const second = collectors[1]
  assert.is(first?.named('paxos.instance').length, 0)
  const [election] = second?.named('paxos.election') ?? []
  assert.is(steps(election).join(' '), 'suspected prepare promise promise won')
  assert.is(election?.attributes['shardglass.outcome'], 'won')
  assert.is(election?.attributes['shardglass.inherited'], 1)
  const instances = second?.named('paxos.instance') ?? []
  const told = instances.map(({ attributes }) => [
    attributes['shardglass.origin'],
    attributes['shardglass.path'],
  ])
  assert.equal(told, [
    ['inherited', 'full'],
    ['noop', 'accept_only'],
  ])
  assert.is(steps(instances[0]).slice(0, 4).join(' '), 'prepare promise promise proposed')
})

test('a deposed leader tells what it left open, and who refused it', () => {
  const collector = leader()
  const { decidedAt: _, isLearned: __, type: ___, ...facts } = decided(9)
  const about = { phase: 'accept', slot: 9, by: 2, ballot: BALLOT, promised: BALLOT } as const
  const events: readonly Event[] = [
    { type: 'rejected', ...about, reason: 'ballot' },
    { type: 'slotAbandoned', ...facts, reason: 'ballot' },
    { type: 'slotAbandoned', ...facts, slot: 10, reason: 'ballot' },
    { type: 'steppedDown', ballot: BALLOT, reason: 'ballot' },
  ]
  collector.tell(events, 1_002_000)
  const [refused, open] = collector.named('paxos.instance')
  assert.is(steps(refused).at(-1), 'refused')
  assert.is(refused?.events.at(-1)?.attributes['shardglass.acceptor'], 2)
  assert.is(steps(open).at(-1), 'abandoned')
  assert.is(open?.attributes['shardglass.outcome'], 'ballot')
  assert.is(collector.named('paxos.leadership')[0]?.attributes['shardglass.outcome'], 'ballot')
})

test('an acceptor tells of itself only when it refused, was slow, or is looked at deeply', () => {
  const collector = new SpanCollector(1, 2)
  const held = { promised: BALLOT, applied: 0, decided: 0, entries: 0 }
  collector.tell([{ type: 'recovered', formation: FORMATION, ...held }])
  const answered = (slot: number, micros: number): Event => {
    const took = { durableMicros: micros - 20, answeredMicros: micros }
    return { type: 'acceptAnswered', slot, ballot: BALLOT, receivedAt: 1_000_000, ...took }
  }
  collector.tell([answered(1, 400), answered(2, 60_000)], 1_060_000)
  const about = { phase: 'accept', slot: 3, to: 0, ballot: BALLOT, promised: BALLOT } as const
  collector.tell([{ type: 'refused', ...about, reason: 'ballot' }])
  collector.events.acceptances.deepUntil = 2_000_000
  collector.tell([answered(4, 400)], 1_999_999)
  collector.tell([answered(5, 400)], 2_000_000)
  const told = collector.named('paxos.accept')
  assert.equal(
    told.map(({ attributes }) => [attributes['shardglass.slot'], attributes['shardglass.outcome']]),
    [
      [2, 'ok'],
      [3, 'ballot'],
      [4, 'ok'],
    ],
  )
  assert.is(told[0]?.traceId, instanceTraceId(LOG, 2), "in the instance's trace")
  assert.is(told[0]?.parentSpanId, instanceIds(LOG, 2, '3.0').spanId, "below the leader's span")
})

test.run()
