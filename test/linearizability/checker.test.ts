// The checker against a brute-force one on tens of thousands of small histories, and its speed.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkHistory } from '../../ops/history/checker.ts'
import { Random } from '../support/random.ts'
import { isLinearizableByForce } from './brute-force.ts'
import { randomHistory, spoiled } from './random-history.ts'

const HISTORIES = 30_000

const test = suite('linearizability checker')

test('agrees with brute force on small histories, legal and illegal', () => {
  const counts = { legal: 0, illegal: 0, unknown: 0 }
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const random = new Random(seed, 'small')
    const shape = { operations: random.between(2, 6), clients: 3, keys: 1, unknown: 0.25 }
    const honest = randomHistory(random, shape)
    const history = random.chance(0.6) ? spoiled(random, honest) : honest
    const expected = isLinearizableByForce(history)
    const found = checkHistory(history).type
    assert.is(found, expected ? 'linearizable' : 'illegal', `seed ${seed}`)
    if (history === honest) assert.ok(expected, `seed ${seed}: a run of one copy is legal`)
    if (expected) counts.legal += 1
    else counts.illegal += 1
    if (history.some(one => one.outcome === null)) counts.unknown += 1
  }
  assert.ok(counts.legal > HISTORIES / 10, JSON.stringify(counts))
  assert.ok(counts.illegal > HISTORIES / 10, JSON.stringify(counts))
  assert.ok(counts.unknown > HISTORIES / 10, JSON.stringify(counts))
})

test('2,000 operations of 8 clients on one key take well under a second', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = new Random(seed, 'large')
    const shape = { operations: 2000, clients: 8, keys: 1, unknown: 0.02 }
    const history = randomHistory(random, shape)
    const startedAt = performance.now()
    assert.is(checkHistory(history).type, 'linearizable', `seed ${seed}`)
    const took = performance.now() - startedAt
    assert.ok(took < 1000, `seed ${seed}: ${took} ms`)
  }
})

test('a lost write among 2,000 operations is found', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = new Random(seed, 'lost')
    const history = randomHistory(random, { operations: 2000, clients: 8, keys: 1, unknown: 0 })
    const middle = history.slice(1000).find(one => one.action.op === 'puthash')
    const lost = history.filter(one => one !== middle)
    assert.is(checkHistory(lost).type, 'illegal', `seed ${seed}`)
  }
})

test('a read of an overwritten value is illegal once the newer one was read', () => {
  const none = { type: 'none' } as const
  const base = { client: 'a', key: 'k' }
  const history = [
    { ...base, action: { op: 'put', value: '1', condition: none }, calledAt: 0, returnedAt: 1 },
    { ...base, action: { op: 'put', value: '2', condition: none }, calledAt: 2, returnedAt: 9 },
    { ...base, action: { op: 'get' }, calledAt: 3, returnedAt: 4 },
    { ...base, action: { op: 'get' }, calledAt: 5, returnedAt: 6 },
  ] as const
  const told = (values: readonly string[]) =>
    checkHistory(
      history.map((one, index) => ({
        ...one,
        outcome: { type: 'ok' as const, value: values[index] ?? '', version: 0 },
      })),
    ).type
  assert.is(told(['', '', '1', '2']), 'linearizable')
  assert.is(told(['', '', '1', '1']), 'linearizable')
  assert.is(told(['', '', '2', '1']), 'illegal')
})

test('a search that is cut short is undecided, not legal', () => {
  const random = new Random(1, 'cut')
  const history = randomHistory(random, { operations: 200, clients: 8, keys: 1, unknown: 0 })
  assert.is(checkHistory(history, 10).type, 'undecided')
})

test.run()
