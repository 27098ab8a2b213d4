import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { applyChange, type ChangeFacts, gidsOf } from '../../server/shardmaster/change.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import { decodeConfig, encodeConfig } from '../../server/shardmaster/decode.ts'
import type { Change } from '../../server/shardmaster/operation.ts'
import { planChange } from '../../server/shardmaster/plan.ts'
import { countMoves, countShards } from '../../server/shardmaster/rebalance.ts'

const test = suite('change')

/** A chain of configurations, with the memory of gids that the state machine has. */
class Chain {
  latest: Config
  readonly used = new Set<number>()
  lastLeaveKeys: number | null = null
  at = 1000

  constructor(shardCount = 10) {
    this.latest = initialConfig(shardCount, 'hash')
  }

  facts(): ChangeFacts {
    const wasUsed = (gid: number) => this.used.has(gid)
    return { actor: 'ann', reason: 'why', at: this.at, wasUsed, lastLeaveKeys: this.lastLeaveKeys }
  }

  run(change: Change) {
    const result = applyChange(this.latest, change, this.facts())
    if (result.type !== 'config') return result
    this.latest = result.config
    if (change.op === 'join') this.used.add(change.gid)
    return result
  }

  join(gid: number, servers: readonly string[] = [`http://g${gid}`]) {
    return this.run({ op: 'join', gid, servers })
  }

  leave(gid: number) {
    return this.run({ op: 'leave', gid })
  }

  move(shard: number, gid: number) {
    return this.run({ op: 'move', shard, gid })
  }
}

function refusal(result: { type: string; kind?: string }): string {
  return result.type === 'refused' ? (result.kind ?? '') : result.type
}

test('a join makes the whole next configuration', () => {
  const chain = new Chain(3)
  chain.join(7, ['http://B:1/', 'http://a:2'])
  chain.at = 900
  const result = chain.join(5)
  assert.equal(result, {
    type: 'config',
    config: {
      num: 2,
      shards: [7, 7, 5],
      holders: [7, 7, 5],
      groups: { 5: ['http://g5'], 7: ['http://b:1', 'http://a:2'] },
      partitioner: 'hash',
      cause: { op: 'join', gid: 5, servers: ['http://g5'], actor: 'ann', reason: 'why' },
      at: 1000,
    },
  })
})

test('a join that repeats what holds changes nothing; with other servers it is a conflict', () => {
  const chain = new Chain()
  chain.join(1, ['http://a:1', 'http://b:1'])
  const before = chain.latest
  assert.equal(chain.join(1, ['http://A:1/', 'http://b:1']), { type: 'unchanged', config: before })
  assert.is(refusal(chain.join(1, ['http://b:1', 'http://a:1'])), 'conflict')
  assert.is(refusal(chain.join(1, ['http://a:1'])), 'conflict')
  assert.is(chain.latest, before)
})

test('a gid that has left never comes back', () => {
  const chain = new Chain()
  chain.join(1)
  chain.join(2)
  chain.leave(1)
  assert.match(JSON.stringify(chain.join(1)), /conflict.*gids are never reused/)
  assert.equal(chain.leave(1), { type: 'unchanged', config: chain.latest })
})

test('a leave of a group that never joined is refused', () => {
  assert.is(refusal(new Chain().leave(1)), 'unknown-group')
})

test('a move changes its shard and nothing else', () => {
  const chain = new Chain(4)
  chain.join(1)
  chain.join(2)
  const before = chain.latest
  chain.move(0, 2)
  chain.move(1, 2)
  assert.equal(before.shards, [1, 1, 2, 2])
  assert.equal(chain.latest.shards, [2, 2, 2, 2])
  assert.equal(chain.latest.groups, before.groups)
  assert.is(chain.latest.num, before.num + 2)
  assert.equal(chain.move(1, 2), { type: 'unchanged', config: chain.latest })
  assert.is(refusal(chain.move(1, 3)), 'unknown-group')
})

test('input of a wrong shape is a bad request, whatever the state', () => {
  const good = ['http://a:1']
  const table: readonly Change[] = [
    ...[0, -1, 1.5, Number.NaN, 2 ** 31].flatMap((gid): Change[] => [
      { op: 'join', gid, servers: good },
      { op: 'leave', gid },
      { op: 'move', shard: 0, gid },
    ]),
    ...[-1, 10, 1.5, Number.NaN].map((shard): Change => ({ op: 'move', shard, gid: 1 })),
    ...[
      [],
      Array.from({ length: 10 }, (_, port) => `http://a:${port + 1}`),
      ['ftp://a'],
      ['http://169.254.169.254/'],
      ['http://a:1', 'http://A:1/'],
      ['http://a:1', ''],
    ].map((servers): Change => ({ op: 'join', gid: 5, servers })),
  ]
  for (const change of table) {
    const chain = new Chain()
    chain.join(1)
    assert.is(refusal(chain.run(change)), 'bad-request', JSON.stringify(change))
  }
})

test('the bounds themselves are allowed', () => {
  const chain = new Chain()
  const servers = Array.from({ length: 9 }, (_, port) => `http://a:${port + 1}`)
  assert.is(chain.join(2 ** 31 - 1, servers).type, 'config')
  assert.is(chain.join(1).type, 'config')
  assert.is(chain.move(9, 2 ** 31 - 1).type, 'config')
  assert.is(chain.move(0, 1).type, 'config')
})

test('the last group cannot leave while it holds keys; without keys, or unknown, it can', () => {
  const outcomes = [5, 1, 0, null].map(keys => {
    const chain = new Chain()
    chain.join(1)
    chain.lastLeaveKeys = keys
    return refusal(chain.leave(1))
  })
  assert.equal(outcomes, ['conflict', 'conflict', 'config', 'config'])
  const chain = new Chain()
  chain.join(1)
  chain.join(2)
  chain.lastLeaveKeys = 5
  assert.is(refusal(chain.leave(1)), 'config', 'another group is left')
})

test('who held a shard last is remembered while no group is there', () => {
  const chain = new Chain(4)
  assert.equal(chain.latest.holders, [0, 0, 0, 0])
  chain.join(1)
  chain.join(2)
  chain.leave(1)
  chain.leave(2)
  assert.equal(
    [chain.latest.shards, chain.latest.holders],
    [
      [0, 0, 0, 0],
      [2, 2, 2, 2],
    ],
  )
  assert.equal(chain.latest.groups, {})
  chain.join(3)
  assert.equal(
    [chain.latest.shards, chain.latest.holders],
    [
      [3, 3, 3, 3],
      [3, 3, 3, 3],
    ],
  )
})

const changes = fc.oneof(
  fc.record({ op: fc.constant('join' as const), gid: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ op: fc.constant('leave' as const), gid: fc.integer({ min: 0, max: 9 }) }),
  fc.record({
    op: fc.constant('move' as const),
    gid: fc.integer({ min: 0, max: 9 }),
    shard: fc.integer({ min: -1, max: 8 }),
  }),
)
const runs = fc.array(changes, { maxLength: 40 })

function withServers(change: { op: string; gid: number; shard?: number }): Change {
  const { op, gid, shard = 0 } = change
  if (op === 'join') return { op, gid, servers: [`http://g${gid}`] }
  return op === 'leave' ? { op, gid } : { op: 'move', gid, shard }
}

test('whatever is asked in any order, every configuration is sound', () => {
  fc.assert(
    fc.property(runs, list => {
      const chain = new Chain(8)
      for (const change of list.map(withServers)) {
        const before = chain.latest
        const kept = JSON.stringify(before)
        const result = chain.run(change)
        assert.is(JSON.stringify(before), kept, 'a decided configuration never changes')
        if (result.type !== 'config') assert.is(chain.latest, before)
        else checkStep(before, result.config)
      }
    }),
    { numRuns: 300 },
  )
})

function checkStep(before: Config, after: Config): void {
  const gids = gidsOf(after.groups)
  assert.is(after.num, before.num + 1)
  assert.ok(after.shards.every(gid => (gids.length === 0 ? gid === 0 : gids.includes(gid))))
  for (const [shard, gid] of after.shards.entries()) {
    assert.is(after.holders[shard], gid === 0 ? before.holders[shard] : gid)
  }
  if (after.cause.op === 'move') assert.is(countMoves(before.shards, after.shards), 1)
  else if (gids.length > 0) {
    const counts = gids.map(gid => countShards(after.shards).get(gid) ?? 0)
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
  }
  assert.equal(decodeConfig(encodeConfig(after)), after)
}

test('a plan is what applying gives, or the same refusal', () => {
  fc.assert(
    fc.property(runs, fc.constantFrom(null, 0, 3), (list, keys) => {
      const chain = new Chain(8)
      chain.lastLeaveKeys = keys
      for (const change of list.map(withServers)) {
        const before = chain.latest
        const plan = planChange(before, change, { ...chain.facts(), sizeOf: () => null })
        const result = chain.run(change)
        if ('type' in plan || result.type === 'refused') {
          assert.equal(plan, result)
          continue
        }
        const { config } = result
        assert.equal([plan.base, plan.change, plan.shards], [before.num, change, config.shards])
        assert.is(plan.moves.length, countMoves(before.shards, config.shards))
        for (const { shard, from, to } of plan.moves) {
          assert.equal([from, to], [before.shards[shard], config.shards[shard]])
          assert.is.not(from, to)
        }
        for (const { gid, before: held, after } of plan.groups) {
          assert.is(held, countShards(before.shards).get(gid) ?? 0)
          assert.is(after, countShards(config.shards).get(gid) ?? 0)
        }
        const gids = plan.groups.map(row => row.gid)
        assert.equal(gids, gidsOf({ ...before.groups, ...config.groups }))
        if (result.type === 'config' && change.op !== 'move') {
          assert.is(plan.movesMin, plan.moves.length)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test.run()
