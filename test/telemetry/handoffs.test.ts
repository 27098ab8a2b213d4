// Both sides of a shard's move, and the way of its configuration, as spans: what directed groups tell,
// through the switch of each.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { configTraceId, handoffTraceId } from '../../ops/trace/span-model.ts'
import type { Event } from '../../server/contract.ts'
import { DirectedShards, KEYS } from '../support/directed-shards.ts'
import { SpanCollector, steps, WALL_MS } from '../support/span-collector.ts'

const test = suite('spans of handoffs')

/** A world in which group 1 gave shard 0 to group 2, and what each group's switch made of it. */
function moved(): readonly SpanCollector[] {
  const collectors = [1, 2].map(gid => new SpanCollector(gid))
  const world = new DirectedShards(2)
  world.onTold = (gid, events, now) => collectors[gid - 1]?.events.onEvents(events, now)
  for (const [index, collector] of collectors.entries()) {
    const gid = index + 1
    const ballot = { round: 1, replica: 0, incarnation: 'one' }
    const now = { micros: world.micros, wallMs: world.wallMs }
    collector.events.onEvents([{ type: 'leaderChanged', leader: 0, ballot }], now)
    collector.context.formed({ id: `g${gid}`, members: [{ replica: 0, incarnation: 'one' }] })
  }
  world.configure(1, 1, 2, 2)
  world.settle()
  for (const [shard, key] of KEYS.entries()) world.put(shard < 2 ? 1 : 2, key, `${key} old`)
  world.settle()
  world.configure(2, 1, 2, 2)
  world.settle()
  world.pass(1_000)
  return collectors
}

test('giver and taker tell every step of a move into one trace that anyone can compute', () => {
  const [giver, taker] = moved()
  const [given] = giver?.named('shardkv.handoff') ?? []
  const [taken] = taker?.named('shardkv.handoff') ?? []
  assert.is(given?.traceId, handoffTraceId('test', 2, 0))
  assert.is(taken?.traceId, given?.traceId)
  assert.is.not(taken?.spanId, given?.spanId)
  assert.is(steps(given).join(' '), 'frozen chunk acknowledged released swept')
  assert.is(steps(taken).join(' '), 'awaited chunk installed')
  const about = {
    'shardglass.shard': 0,
    'shardglass.config': 2,
    'shardglass.from_group': 1,
    'shardglass.to_group': 2,
    'shardglass.keys': 1,
    'shardglass.chunks': 1,
    'shardglass.is_leader': true,
    'shardglass.outcome': 'ok',
  }
  for (const [span, side] of [
    [given, 'giver'],
    [taken, 'taker'],
  ] as const) {
    const attributes: Record<string, unknown> = { ...span?.attributes }
    assert.type(attributes['shardglass.pause_us'], 'number')
    assert.ok(Number(attributes['shardglass.shard.bytes']) > 0)
    const { 'shardglass.pause_us': _, 'shardglass.shard.bytes': __, ...rest } = attributes
    assert.equal(rest, { ...about, 'shardglass.side': side })
  }
})

test('what nobody had before is no move', () => {
  for (const collector of moved()) assert.is(collector.named('shardkv.handoff').length, 1)
})

test("a group's way through a configuration is in the configuration's trace", () => {
  const [giver] = moved()
  const told = giver?.named('shardkv.reconfiguration') ?? []
  const second = told.find(span => span.attributes['shardglass.config'] === 2)
  assert.is(second?.traceId, configTraceId('test', 2))
  assert.is(steps(second).join(' '), 'heard adopted settled')
  assert.is(second?.attributes['shardglass.shards.lost'], 1)
  assert.is(second?.attributes['shardglass.shards.gained'], 0)
})

const AT = { slot: 5, loggedMs: WALL_MS + 1_000, isLeader: false }
const MOVE = { config: 3, shard: 4 }
const AWAITED: Event = { type: 'handoffAwaited', ...MOVE, from: 1, ...AT }
const INSTALLED: Event = {
  type: 'handoffInstalled',
  ...MOVE,
  from: 1,
  keys: 1,
  bytes: 2,
  isFirst: false,
  ...AT,
}
const BALLOT = { round: 2, replica: 0, incarnation: 'a' }
const LEADS: Event = { type: 'leaderChanged', leader: 0, ballot: BALLOT }

test('a follower keeps silent, and tells if it leads soon after: its leader may have died', () => {
  const follower = new SpanCollector(2)
  follower.tell([AWAITED, INSTALLED], 1_000_000)
  assert.is(follower.named('shardkv.handoff').length, 0)
  follower.tell([LEADS], 3_000_000)
  assert.is(follower.named('shardkv.handoff').length, 1)
  const later = new SpanCollector(2)
  later.tell([AWAITED, INSTALLED], 1_000_000)
  later.tell([LEADS], 12_000_000)
  assert.is(later.named('shardkv.handoff').length, 0, 'by then it was told')
})

test('what a replica applies again after a restart is old news', () => {
  const formation = { id: 'f', members: [] }
  const held = { promised: BALLOT, applied: 0, decided: 9, entries: 9 }
  const restarted = new SpanCollector(2)
  restarted.tell([{ type: 'recovered', formation, ...held }, AWAITED, INSTALLED], 2_000_000)
  restarted.tell([LEADS], 3_000_000)
  assert.is(restarted.named('shardkv.handoff').length, 0)
  const lagging = new SpanCollector(2)
  lagging.tell([AWAITED, INSTALLED, LEADS], 60_000_000)
  assert.is(lagging.named('shardkv.handoff').length, 0, 'nor what a lagging one catches up with')
})

test('a change names who asked for it and why, in the trace of its configuration', () => {
  const master = new SpanCollector(0)
  master.tell([LEADS])
  const cause = { op: 'move', shard: 4, gid: 2, actor: 'ann', reason: 'heat' } as const
  master.tell([
    { type: 'configDecided', num: 3, cause, movedShards: 1, groups: 2, ...AT, isLeader: true },
    {
      type: 'changeRefused',
      op: 'leave',
      kind: 'unknown-group',
      actor: 'ann',
      reason: '',
      config: 3,
      ...AT,
      isLeader: true,
    },
  ])
  const [made, refused] = master.named('shardmaster.change')
  assert.is(made?.traceId, configTraceId('test', 3))
  assert.is(made?.attributes['shardglass.actor'], 'ann')
  assert.is(made?.attributes['shardglass.reason'], 'heat')
  assert.is(made?.attributes['shardglass.outcome'], 'ok')
  assert.is(refused?.attributes['shardglass.outcome'], 'unknown-group')
  assert.is.not(refused?.traceId, made?.traceId)
})

test.run()
