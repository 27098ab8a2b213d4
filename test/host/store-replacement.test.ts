// What every store promises, on each of the two: replacements, reopening, and anything in any order.

import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DurableStore } from '../../server/host/store-durable.ts'
import { bytes, list, numbered, onBothStores, put, text } from '../support/both-stores.ts'

const test = suite('store replacement')
const on = onBothStores(test)

on(
  'a replacement is hidden until it is committed, and then all there is',
  async (store, reopen) => {
    put(store, numbered(300, 'old'))
    await store.flush()
    const snapshot = store.snapshot()
    const replacement = store.beginReplacement()
    replacement.put(numbered(100, 'filled').map(([key, value]) => [key, bytes(value)]))
    put(store, [['key 00000001', 'served']])
    await store.flush()
    replacement.put([['more', bytes('filled')]])
    assert.is(text(store.get('key 00000001')), 'served')
    assert.is(list(store).length, 300)
    replacement.commit()
    const filled = [...numbered(100, 'filled'), ['more', 'filled']]
    assert.equal(list(store), filled)
    put(store, [['more', 'changed']])
    await store.flush()
    assert.equal(list(store), [...numbered(100, 'filled'), ['more', 'changed']])
    assert.equal(list(snapshot), numbered(300, 'old'))
    snapshot.close()
    const again = await reopen()
    assert.equal(list(again), [...numbered(100, 'filled'), ['more', 'changed']])
  },
)

on('an empty replacement leaves an empty store', async (store, reopen) => {
  put(store, numbered(10, 'old'))
  await store.flush()
  store.beginReplacement().commit()
  assert.equal(list(store), [])
  await store.flush()
  assert.equal(list(store), [])
  assert.equal(list(await reopen()), [])
})

on('a replacement that was dropped leaves nothing behind', async (store, reopen) => {
  put(store, [['a', 'first']])
  const first = store.beginReplacement()
  first.put(numbered(50, 'dropped').map(([key, value]) => [key, bytes(value)]))
  await store.flush()
  const second = store.beginReplacement()
  assert.throws(() => first.put([['b', bytes('x')]]), /until its end/)
  assert.throws(() => first.commit(), /until its end/)
  first.abort()
  second.put([['b', bytes('second')]])
  await store.flush()
  second.commit()
  assert.equal(list(store), [['b', 'second']])
  const third = store.beginReplacement()
  third.put(numbered(5, 'dropped').map(([key, value]) => [key, bytes(value)]))
  third.abort()
  assert.throws(() => third.commit(), /until its end/)
  await store.flush()
  assert.equal(list(store), [['b', 'second']])
  assert.equal(list(await reopen()), [['b', 'second']])
})

on(
  'replacements one right after the other, with no flush between, end with the last',
  async (store, reopen) => {
    for (let round = 0; round < 5; round++) {
      put(store, [[`own ${round}`, 'x']])
      const replacement = store.beginReplacement()
      replacement.put([[`round ${round}`, bytes('x')]])
      replacement.commit()
    }
    assert.equal(list(store), [['round 4', 'x']])
    await store.flush()
    assert.equal(list(store), [['round 4', 'x']])
    assert.equal(list(await reopen()), [['round 4', 'x']])
  },
)

on('what was written is there after closing and opening', async (store, reopen) => {
  put(store, numbered(20, 'x'))
  await store.flush()
  // Nothing else is on its way to the disk now: closing alone must bring the rest there.
  put(store, numbered(50, 'x'))
  const again = await reopen()
  assert.equal(list(again), numbered(50, 'x'))
  assert.ok(again.sizeBytes > 0)
})

const key = fc.constantFrom(...Array.from({ length: 60 }, (_, index) => `k${index}`))
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('put'), keys: fc.array(key, { maxLength: 9 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('delete'), keys: fc.array(key, { maxLength: 9 }) }),
  },
  ...['throw', 'flush', 'startFlush', 'snapshot', 'replace'].map(type => ({
    weight: 1,
    arbitrary: fc.record({ type: fc.constant(type), keys: fc.array(key, { maxLength: 20 }) }),
  })),
)
type Step = { readonly type: string; readonly keys: readonly string[] }

on('any mixture of transactions, flushes, snapshots and replacements is a map', store =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      store.beginReplacement().commit()
      await compareWithMap(store, steps)
    }),
    { numRuns: 60 },
  ),
)

async function compareWithMap(store: DurableStore, steps: readonly Step[]) {
  let model = new Map<string, string>()
  const snapshots: { taken: ReturnType<DurableStore['snapshot']>; model: Map<string, string> }[] =
    []
  for (const [index, { type, keys }] of steps.entries()) {
    if (type === 'put')
      put(
        store,
        keys.map(each => [each, `${index}`]),
      )
    if (type === 'put') for (const each of keys) model.set(each, `${index}`)
    if (type === 'delete') store.transact(all => keys.forEach(each => void all.delete(each)))
    if (type === 'delete') for (const each of keys) model.delete(each)
    if (type === 'throw') {
      const fail = () =>
        store.transact(all => {
          for (const each of keys) all.put(each, bytes('never'))
          for (const each of keys.slice(2)) all.delete(each)
          throw new Error('no')
        })
      assert.throws(fail, /no/)
    }
    if (type === 'flush') await store.flush()
    if (type === 'startFlush') void store.flush()
    if (type === 'snapshot') snapshots.push({ taken: store.snapshot(), model: new Map(model) })
    if (type === 'replace') {
      const replacement = store.beginReplacement()
      replacement.put(keys.map(each => [each, bytes('r')]))
      replacement.commit()
      model = new Map(keys.map(each => [each, 'r']))
    }
    assert.equal(list(store), sorted(model), `after step ${index}`)
  }
  for (const { taken, model: old } of snapshots) {
    assert.equal(list(taken), sorted(old), 'snapshot')
    taken.close()
  }
}

function sorted(model: ReadonlyMap<string, string>) {
  return [...model].sort(([left], [right]) => (left < right ? -1 : 1))
}

test.run()
