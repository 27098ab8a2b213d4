// Networks that are half there, and messages that come late or in a flood.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ELECTION_TIMEOUT_MAX_MS } from '../../server/limits.ts'
import { overSeeds, Scenario } from '../course/scenario.ts'
import { CALM } from '../simulation/network.ts'
import { DirectedGroup, elect, type OnWire, passLosing } from '../support/directed-group.ts'

const test = suite('pitfalls of networks')

const ELECTION_MAX = ELECTION_TIMEOUT_MAX_MS * 1000
const PUT = { op: 'put', value: 'y', condition: { type: 'none' } } as const

function led(replica = 0, count = 3): DirectedGroup {
  const group = new DirectedGroup(count)
  group.campaign(replica)
  group.settle()
  assert.is(group.status(replica).role, 'leader')
  return group
}

test('P10: five that ask at once over 200 ms agree on a leader within ten election timeouts', () => {
  overSeeds(10, seed => {
    const weather = { ...CALM, delayMin: 100_000, delayMax: 100_000 }
    const scenario = new Scenario({ seed, kind: 'register', replicas: 5, weather })
    scenario.cluster.leader(1)?.crash()
    const isLed = () => scenario.cluster.leader(1) !== null
    scenario.within(10 * ELECTION_TIMEOUT_MAX_MS, 'one leads', isLed)
    scenario.finish()
  })
})

test('P11: a leader without a quorum of answers steps down within an election timeout', () => {
  const never = Number.POSITIVE_INFINITY
  const group = new DirectedGroup(3, { electionMax: ELECTION_MAX, leaderUncalled: never })
  group.campaign(0)
  group.settle()
  assert.is(group.status(0).role, 'leader')
  passLosing(group, ELECTION_TIMEOUT_MAX_MS + 50, ({ from, to }) => from.replica === 0 || to === 0)
  assert.is.not(group.status(0).role, 'leader')
})

/** Only these pairs of replicas reach each other. */
function connect(scenario: Scenario, links: readonly (readonly [number, number])[]): void {
  const places = scenario.cluster.group(1).map(node => node.place)
  for (const [a, placeA] of places.entries()) {
    for (const [b, placeB] of places.entries()) {
      const isLinked = links.some(link => link.includes(a) && link.includes(b))
      if (!isLinked && a !== b) scenario.cluster.network.cut(placeA, placeB)
    }
  }
}

test('P11: a hub that alone reaches everyone leads within 10 s, whoever led before', () => {
  overSeeds(10, seed => {
    const scenario = new Scenario({ seed, kind: 'register', replicas: 5 })
    const hub = scenario.random.between(0, 4)
    const others = [0, 1, 2, 3, 4].filter(replica => replica !== hub)
    connect(
      scenario,
      others.map(other => [hub, other] as const),
    )
    const isLed = () => scenario.cluster.node(1, hub).status()?.role === 'leader'
    scenario.within(10_000, 'the hub leads', isLed)
    const client = scenario.client()
    const done: number[] = []
    client.start('x', PUT, () => done.push(1))
    scenario.within(10_000, 'a put is answered', () => done.length > 0)
    scenario.finish()
  })
})

test('P11: of a chain of three the one in the middle makes progress with either end', () => {
  overSeeds(10, seed => {
    const scenario = new Scenario({ seed, kind: 'register', replicas: 3 })
    const middle = scenario.random.between(0, 2)
    const [one = 0, other = 0] = [0, 1, 2].filter(replica => replica !== middle)
    connect(scenario, [
      [middle, one],
      [middle, other],
    ])
    const client = scenario.client()
    const done: number[] = []
    client.start('x', PUT, () => done.push(1))
    scenario.within(10_000, 'a put is answered', () => done.length > 0)
    scenario.finish()
  })
})

test('P12: a follower that does not hear its leader does not unseat it', () => {
  const group = new DirectedGroup(3, { electionMax: ELECTION_MAX })
  group.campaign(0)
  group.settle()
  const { ballot } = group.status(0)
  const isLost = ({ from, to }: OnWire) => from.replica === 0 && to === 2
  for (let round = 0; round < 10; round++) {
    const id = group.request(0, 'x')
    passLosing(group, 1_000, isLost)
    assert.is(group.replies.get(id)?.type, 'ok')
  }
  assert.is(group.status(0).role, 'leader')
  assert.is(group.status(0).ballot, ballot)
})

test('G8: what is proposed and not decided is bounded in slots and in bytes', () => {
  for (const settings of [{ pipelineSlots: 3 }, { pipelineBytes: 250 }]) {
    const group = new DirectedGroup(3, { ...settings, batchOps: 1 })
    group.campaign(0)
    group.settle()
    const ids = Array.from({ length: 10 }, () => group.request(0, 'x'.repeat(80)))
    assert.is(
      group.wire.filter(({ to, message }) => to === 1 && message.type === 'accept').length,
      3,
    )
    group.settle()
    for (const id of ids) assert.is(group.replies.get(id)?.type, 'ok')
    const again = Array.from({ length: 10 }, () => group.request(0, 'x'.repeat(80)))
    group.settle()
    for (const id of again) assert.is(group.replies.get(id)?.type, 'ok')
  }
})

test('G8: an accept that is far ahead of what is known is not kept', () => {
  const group = new DirectedGroup(3, { retainedSlots: 10 })
  group.campaign(0)
  group.settle()
  const { decided } = group.status(2).slots
  const from = { gid: 1, replica: 0, incarnation: 'a0' }
  const ballot = { round: 1, replica: 0, incarnation: 'a0' }
  const value = Buffer.alloc(0)
  const common = { type: 'accept' as const, ballot, value, decided: 0, confirm: 0, sentAt: 0 }
  const { entries } = group.status(2).log
  for (const ahead of [11, 1000, 1e9]) {
    group.inject({ from, to: 2, message: { ...common, slot: decided + ahead } })
    assert.is(group.status(2).log.entries, entries)
  }
})

test('G7: everything that was ever said comes again at the end, and changes nothing', () => {
  const group = led(0)
  const said: OnWire[] = []
  const settle = () => {
    for (let moved = 1; moved > 0; ) {
      for (const replica of [0, 1, 2]) group.sync(replica)
      said.push(...group.wire)
      moved = group.deliver(() => true).length
    }
  }
  for (const [leader, voter] of [
    [1, 2],
    [0, 2],
    [2, 1],
  ] as const) {
    elect(group, leader, [voter])
    settle()
    for (const text of ['a', 'b', 'c']) {
      group.request(leader, text)
      settle()
    }
  }
  group.pass(100)
  const before = [0, 1, 2].map(replica => group.status(replica))
  for (const item of [...said, ...said.toReversed()]) group.inject(item)
  group.settle()
  for (const [replica, { slots, ballot }] of before.entries()) {
    const after = group.status(replica)
    assert.equal([after.slots, after.ballot], [slots, ballot])
    assert.is(group.life(replica).machine.log, 'abcabcabc')
  }
})

test.run()
