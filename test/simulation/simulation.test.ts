// Whole clusters and single groups under drawn faults: as many seeds as a test run can afford.
// SEEDS=1000 for more; a failing seed is printed with what is violated.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions } from './options.ts'
import { type RunResult, runSeed } from './run-seed.ts'
import { shrink } from './shrink.ts'

const SEEDS = Number(process.env.SEEDS ?? 0)
const CLUSTERS = SEEDS || 12
const GROUPS = SEEDS || 24
const SECONDS = 20

const test = suite('simulation')

/** What seeds must have met at least once in all, or they test less than they say. */
const SOMETIMES = {
  group: [
    'electionWon: inherited values',
    'caughtUp: log',
    'caughtUp: snapshot',
    'crash: leader',
    'disk: records lost in a crash',
    'disk: segments trimmed',
    'refused: lease',
    'refused: ballot',
    'resent',
    'network: late',
    'network: doubled',
    'steppedDown: handedOver',
    'steppedDown: noQuorum',
  ],
  cluster: [
    'configAdopted',
    'handoff: installed with data',
    'handoff: content compared',
    'handoffReleased',
    'shardSwept',
    'requestRepeated',
    'electionWon: inherited values',
    'caughtUp: snapshot',
    'clerk: outcome unknown',
  ],
}

function runAll(kind: 'group' | 'cluster', count: number): RunResult[] {
  const isSingle = kind === 'group'
  const results: RunResult[] = []
  for (let seed = 1; seed <= count; seed++) {
    const result = runSeed(drawOptions(seed, { isSingle, seconds: SECONDS }))
    assert.is(result.violation, null, `seed ${seed}, ${kind}`)
    assert.ok(result.operations > 0, `seed ${seed}, ${kind}: clients got something done`)
    results.push(result)
  }
  for (const name of SOMETIMES[kind]) {
    const sum = results.reduce((total, { counters }) => total + (counters.get(name) ?? 0), 0)
    assert.ok(sum > 0, `${kind}: sometimes ${name}`)
  }
  return results
}

test('a group keeps every promise under drawn faults', () => {
  runAll('group', GROUPS)
})

test('a cluster with moving shards keeps every promise under drawn faults', () => {
  runAll('cluster', CLUSTERS)
})

test('the same seed gives the same run, another seed another', () => {
  for (const isSingle of [true, false]) {
    const options = drawOptions(7, { isSingle, seconds: 6 })
    const first = runSeed(options)
    const second = runSeed(options)
    assert.is(first.traceHash, second.traceHash)
    assert.is(first.events, second.events)
    assert.equal([...first.counters], [...second.counters])
    const other = runSeed(drawOptions(8, { isSingle, seconds: 6 }))
    assert.is.not(first.traceHash, other.traceHash)
  }
})

test('a run that fails is made smaller, and still fails the same way', () => {
  // Nobody can be elected in so short a time after the last fault: a violation to work with.
  const drawn = drawOptions(3, { isSingle: true, seconds: 4 })
  const settings = { ...drawn.settings, electionMin: 60_000_000, electionMax: 90_000_000 }
  const failing = { ...drawn, settings }
  assert.ok(failing.faults.length > 2, 'there is something to leave out')
  const smaller = shrink(failing)
  assert.ok(smaller !== null)
  assert.match(smaller.violation, 'I12')
  assert.ok(smaller.options.faults.length < failing.faults.length)
})

test.run()
