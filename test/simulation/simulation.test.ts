// Whole clusters and single groups under drawn faults: as many seeds as a test run can afford.
// SEEDS=1000 for more; a failing seed is printed with what is violated. `npm run sim` does many more.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fault } from './faults.ts'
import { runElsewhere } from './jobs.ts'
import { drawOptions, type RunShape } from './options.ts'
import { runSeed } from './run-seed.ts'
import { describeShrunk, shrink } from './shrink.ts'
import { neverSeen, SEEDS_FOR_ALL } from './sometimes.ts'
import { addResult, countOf, kindShares, noTotals, type Totals } from './totals.ts'

const SEEDS = Number(process.env.SEEDS ?? 0)
const CLUSTERS = SEEDS || 16
const GROUPS = SEEDS || 32
const SECONDS = 20

const test = suite('simulation')

/** Seeds that once failed, each for the reason that is named; see also test/paxos/found.test.ts. */
const FOUND: readonly { readonly shape: RunShape; readonly seed: number; readonly why: string }[] =
  [
    {
      shape: { isSingle: false, seconds: SECONDS },
      seed: 236,
      why: 'a follower asked a silent source for its snapshot for five seconds',
    },
    {
      shape: { isSingle: false, seconds: SECONDS },
      seed: 294,
      why: 'two replicas asked each other for a slot that neither had, without a pause',
    },
  ]

/** What so few seeds are sure to meet. */
const COMMON = new Set([
  'caughtUp: log',
  'caughtUp: snapshot',
  'crash: leader',
  'disk: damage refused',
  'disk: untold records found',
  'disk: wiped',
  'disk: write torn in a crash',
  'electionWon: inherited values',
  'handoff: content compared',
  'inherited: a value not yet chosen',
  'rebuilt from disk',
  'session: answered again',
  'stranger: asked to accept',
])

function runAll(isSingle: boolean, count: number): Totals {
  const shape = { isSingle, seconds: SECONDS }
  const totals = noTotals()
  for (let seed = 1; seed <= count; seed++) {
    const result = runSeed(drawOptions(seed, shape))
    assert.is(result.violation, null, `seed ${seed}, ${isSingle ? 'group' : 'cluster'}`)
    assert.ok(result.operations > 0, `seed ${seed}: clients got something done`)
    addResult(totals, result)
  }
  const never = neverSeen(totals, isSingle)
  const missing = count < SEEDS_FOR_ALL ? never.filter(name => COMMON.has(name)) : never
  assert.equal(missing, [], 'every rare turn is met')
  return totals
}

test('a group keeps every promise under drawn faults', () => {
  runAll(true, GROUPS)
})

test('a cluster with moving shards keeps every promise under drawn faults', () => {
  const totals = runAll(false, CLUSTERS)
  for (const [kind, share] of kindShares(totals)) assert.ok(share > 0, `${kind} happens`)
  assert.ok(countOf(totals, 'configuration') >= 5 * totals.seeds, 'five reconfigurations per seed')
})

test('what once failed holds', () => {
  for (const { shape, seed, why } of FOUND) {
    assert.is(runSeed(drawOptions(seed, shape)).violation, null, `seed ${seed}: ${why}`)
  }
})

test('the same seed gives the same run, here and in another process, another seed another', async () => {
  for (const isSingle of [true, false]) {
    const shape = { isSingle, seconds: 8 }
    const first = runSeed(drawOptions(7, shape))
    const again = [runSeed(drawOptions(7, shape))]
    await runElsewhere({ seeds: [7], shape }, result => again.push(result))
    assert.is(again.length, 2)
    for (const other of again) {
      assert.is(first.traceHash, other.traceHash)
      assert.is(first.events, other.events)
      assert.equal([...first.counters], [...other.counters])
    }
    const other = runSeed(drawOptions(8, shape))
    assert.is.not(first.traceHash, other.traceHash)
  }
})

test('a run that fails is made smaller, and still fails the same way', () => {
  // Nobody can be elected in so short a time after a leader's crash: a violation to work with.
  const drawn = drawOptions(3, { isSingle: true, seconds: 4 })
  const settings = { ...drawn.settings, electionMin: 60_000_000, electionMax: 90_000_000 }
  const crash: Fault = { at: 2_000_000, lasts: 300_000, type: 'crashLeaders' }
  const flushes = [1, 2, 3, 4].map((tenth): Fault => {
    return { at: 1_500_000 + tenth * 100_000, lasts: 0, type: 'flush', node: 0 }
  })
  const failing = { ...drawn, settings, faults: [...flushes, crash] }
  const smaller = shrink(failing)
  assert.ok(smaller !== null)
  assert.match(smaller.violation, 'I12')
  assert.equal(smaller.options.faults, [crash])
  assert.match(describeShrunk(smaller), 'seed 3, 1 faults')
})

test.run()
