import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LATENCY_SECONDS, MarkedTally, powers, Tally } from '../server/tally.ts'

const test = suite('tally')

test('a value counts in the first interval whose bound it does not exceed', () => {
  const tally = new Tally([1, 2, 4])
  const places = [0, 1, 1.01, 2, 4, 4.01, 1e9].map(value => tally.add(value))
  assert.equal(places, [0, 0, 1, 1, 2, 3, 3])
  assert.equal([...tally.counts], [2, 2, 1, 2])
  assert.is(tally.sum, 0 + 1 + 1.01 + 2 + 4 + 4.01 + 1e9)
})

test('each interval keeps the latest value that came with a mark', () => {
  const tally = new MarkedTally([1, 2])
  tally.addMarked(0.5, 7, 1000)
  tally.addMarked(0.7, 8, 2000)
  tally.add(0.9)
  tally.addMarked(3, 9, 3000)
  assert.equal([...tally.counts], [3, 0, 1])
  assert.equal([...tally.marks], [8, 0, 9])
  assert.equal([...tally.values], [0.7, 0, 3])
  assert.equal([...tally.times], [2000, 0, 3000])
})

test('bounds are those that they are said to be', () => {
  assert.equal(powers({ first: 1, factor: 4, count: 3 }), [1, 4, 16])
  assert.is(LATENCY_SECONDS[0], 0.00025)
  assert.is(LATENCY_SECONDS.at(-1), 4.096)
})

test.run()
