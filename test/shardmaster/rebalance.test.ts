import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { countMoves, countShards, rebalance } from '../../server/shardmaster/rebalance.ts'

const test = suite('rebalance')

/** Any starting point: owners among some gids, gid 0 too; the groups from now on are others. */
const situations = fc
  .record({ shards: fc.integer({ min: 1, max: 60 }), gids: fc.integer({ min: 1, max: 80 }) })
  .chain(({ shards, gids }) =>
    fc.record({
      shards: fc.array(fc.integer({ min: 0, max: gids }), { minLength: shards, maxLength: shards }),
      gids: fc
        .uniqueArray(fc.integer({ min: 1, max: gids + 3 }), { minLength: 1, maxLength: gids })
        .map(list => list.sort((left, right) => left - right)),
    }),
  )

function spread(shards: readonly number[], gids: readonly number[]): number {
  const counts = gids.map(gid => countShards(shards).get(gid) ?? 0)
  return Math.max(...counts) - Math.min(...counts)
}

/** The fewest moves to any even assignment, by trying all of them. */
function fewestMoves(shards: readonly number[], gids: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY
  const candidate: number[] = []
  const place = (): void => {
    if (candidate.length === shards.length) {
      if (spread(candidate, gids) <= 1) best = Math.min(best, countMoves(shards, candidate))
      return
    }
    for (const gid of gids) {
      candidate.push(gid)
      place()
      candidate.pop()
    }
  }
  place()
  return best
}

test('is even within one and gives every shard to a group that is there', () => {
  fc.assert(
    fc.property(situations, ({ shards, gids }) => {
      const next = rebalance(shards, gids)
      assert.is(next.length, shards.length)
      assert.ok(next.every(gid => gids.includes(gid)))
      assert.ok(spread(next, gids) <= 1)
    }),
    { numRuns: 500 },
  )
})

test('leaves an even assignment as it is', () => {
  fc.assert(
    fc.property(situations, ({ shards, gids }) => {
      const even = rebalance(shards, gids)
      assert.equal(rebalance(even, gids), even)
    }),
  )
})

test('moves no more shards than the best of all even assignments, from any starting point', () => {
  let cases = 0
  for (let shardCount = 1; shardCount <= 5; shardCount++) {
    for (let code = 0; code < 4 ** shardCount; code++) {
      const shards = Array.from({ length: shardCount }, (_, at) => Math.floor(code / 4 ** at) % 4)
      for (const gids of [[2], [1, 2], [2, 3], [1, 2, 3], [1, 2, 4, 5]]) {
        const moves = countMoves(shards, rebalance(shards, gids))
        assert.is(moves, fewestMoves(shards, gids), `from ${shards} to groups ${gids}`)
        cases += 1
      }
    }
  }
  assert.is(cases, 5 * (4 + 16 + 64 + 256 + 1024))
})

test('moves no more than the best also with six shards and larger heaps', () => {
  const small = fc.record({
    shards: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 6, maxLength: 7 }),
    gids: fc.constantFrom([1, 2], [1, 3, 4], [2, 3, 5]),
  })
  fc.assert(
    fc.property(small, ({ shards, gids }) => {
      assert.is(countMoves(shards, rebalance(shards, gids)), fewestMoves(shards, gids))
    }),
    { numRuns: 60 },
  )
})

test('after a join, shards move to the newcomer alone', () => {
  fc.assert(
    fc.property(situations, ({ shards, gids }) => {
      const even = rebalance(shards, gids)
      const newcomer = 1000
      const next = rebalance(even, [...gids, newcomer])
      for (const [shard, gid] of next.entries()) {
        assert.ok(gid === even[shard] || gid === newcomer)
      }
    }),
  )
})

test('after a leave, no shard moves between groups that stay, also with more groups than shards', () => {
  fc.assert(
    fc.property(situations, fc.nat(), ({ shards, gids }, choice) => {
      const even = rebalance(shards, gids)
      const leaver = gids[choice % gids.length]!
      const stay = gids.filter(gid => gid !== leaver)
      const next = rebalance(even, stay)
      for (const [shard, gid] of even.entries()) {
        if (gid !== leaver) assert.is(next[shard], stay.length === 0 ? 0 : gid)
      }
    }),
  )
})

test('with more groups than shards a newcomer gets nothing and nothing moves', () => {
  const shards = [3, 1, 2]
  assert.equal(rebalance(shards, [1, 2, 3, 4]), shards)
  assert.equal(rebalance(shards, [1, 2, 3, 4, 5, 6, 7]), shards)
})

test('gives everything to gid 0 when there are no groups', () => {
  assert.equal(rebalance([1, 2, 1], []), [0, 0, 0])
})

test('refuses gids that are not ascending, or no gids of groups', () => {
  for (const gids of [[2, 1], [1, 1], [0, 1], [-1]]) {
    assert.throws(() => rebalance([1, 2], gids), /positive and ascending/)
  }
})

test('gives the shards that must move, in order, to the groups in order of their gids', () => {
  assert.equal(rebalance([0, 0, 0, 0, 0, 0, 0], [5, 7, 9]), [5, 5, 5, 7, 7, 9, 9])
  assert.equal(rebalance([5, 5, 5, 7, 7, 9, 9], [5, 7, 8, 9]), [5, 5, 8, 7, 7, 9, 9])
  assert.equal(rebalance([5, 5, 5, 7, 7, 9, 9], [7, 9]), [7, 7, 9, 7, 7, 9, 9])
})

test('takes 1,000,000 shards over 10,000 groups in about a second', () => {
  const gids = Array.from({ length: 10_000 }, (_, index) => index + 1)
  const shards = rebalance(new Array<number>(1_000_000).fill(0), gids)
  const startedAt = process.hrtime.bigint()
  const next = rebalance(shards, [...gids, 10_001])
  const elapsedMs = Number(process.hrtime.bigint() - startedAt) / 1e6
  console.log(`\n  1,000,000 shards, 10,001 groups: ${elapsedMs.toFixed(0)} ms`)
  assert.is(countMoves(shards, next), 99)
  assert.ok(elapsedMs < 3_000, `${elapsedMs} ms`)
})

test.run()
