// What every store promises, on each of the two: transactions, keys and values, ranges, snapshots.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { prefixRange } from '../../server/store.ts'
import { ALL, bytes, list, numbered, onBothStores, put, text } from '../support/both-stores.ts'

const test = suite('store')
const on = onBothStores(test)

on('a transaction sees its own writes, and others see them afterwards', store => {
  store.transact(transaction => {
    transaction.put('a', bytes('1'))
    transaction.put('b', bytes('2'))
    assert.is(text(transaction.get('a')), '1')
    transaction.delete('b')
    assert.is(transaction.get('b'), undefined)
    assert.equal(list(transaction), [['a', '1']])
  })
  assert.equal(list(store), [['a', '1']])
  assert.is(store.get('b'), undefined)
})

on('a transaction that throws changes nothing, before and after a flush', async store => {
  const fail = () =>
    store.transact(transaction => {
      transaction.put('new', bytes('x'))
      transaction.put('kept', bytes('overwritten'))
      transaction.delete('kept')
      transaction.delete('other')
      transaction.put('other', bytes('again'))
      throw new Error('no')
    })
  put(store, [
    ['kept', '1'],
    ['other', '2'],
  ])
  assert.throws(fail, /no/)
  assert.equal(list(store), [
    ['kept', '1'],
    ['other', '2'],
  ])
  await store.flush()
  assert.throws(fail, /no/)
  assert.equal(list(store), [
    ['kept', '1'],
    ['other', '2'],
  ])
  await store.flush()
  assert.is(text(store.get('kept')), '1')
})

on('a deleted key is gone for every reader, whatever of it is on disk already', async store => {
  for (const isFlushed of [false, true]) {
    put(store, [
      ['a', '1'],
      ['b', '2'],
    ])
    if (isFlushed) await store.flush()
    store.transact(transaction => {
      transaction.delete('a')
      assert.is(transaction.get('a'), undefined)
    })
    for (const _ of [1, 2]) {
      assert.is(store.get('a'), undefined)
      assert.equal(list(store), [['b', '2']])
      const snapshot = store.snapshot()
      assert.is(snapshot.get('a'), undefined)
      snapshot.close()
      await store.flush()
    }
  }
})

on('transactions are not nested, and not used after their end', store => {
  assert.throws(() => store.transact(() => store.transact(() => {})), /nested/)
  let late: (() => void) | null = null
  store.transact(transaction => {
    late = () => transaction.put('late', bytes('x'))
  })
  assert.throws(() => late?.(), /after its end/)
  assert.is(store.get('late'), undefined)
})

on('keys are bytes, in byte order, whatever they are', async store => {
  const keys = ['\0', '\0\0', '\x01', 'a', 'a\0', 'a\0b', 'aa', 'b', '\x7f', '\x80', 'é', 'ÿ', 'ÿÿ']
  put(
    store,
    [...keys].reverse().map(key => [key, key]),
  )
  for (const _ of [1, 2]) {
    assert.equal(
      list(store, { from: '\0', to: 'ÿÿÿ' }),
      keys.map(key => [key, key]),
    )
    for (const key of keys) assert.is(text(store.get(key)), key)
    assert.equal(
      list(store, prefixRange('a')).map(([key]) => key),
      ['a', 'a\0', 'a\0b', 'aa'],
    )
    assert.equal(
      list(store, prefixRange('ÿ')).map(([key]) => key),
      ['ÿ', 'ÿÿ'].slice(0, 0),
    )
    assert.equal(
      list(store, { from: 'a\0', to: 'b' }).map(([key]) => key),
      ['a\0', 'a\0b', 'aa'],
    )
    assert.equal(list(store, { from: 'b', to: 'a' }), [])
    await store.flush()
  }
})

on('a key has at least one byte and at most 1,900', store => {
  const putKey = (key: string) => () => store.transact(each => each.put(key, bytes('x')))
  assert.throws(putKey(''), /store key/)
  assert.throws(putKey('k'.repeat(1901)), /store key/)
  putKey('k'.repeat(1900))()
  assert.is(text(store.get('k'.repeat(1900))), 'x')
})

on('values of all sizes stay what they are', async store => {
  const sizes = [0, 1, 100, 2000, 4096, 32767, 32768, 32769, 200_000, 1024 * 1024]
  const value = (size: number, salt: number) => Buffer.alloc(size, `${size} ${salt} `)
  store.transact(each => {
    for (const size of sizes) each.put(`size ${size}`, value(size, 1))
  })
  await store.flush()
  const got = sizes.map(size => store.get(`size ${size}`))
  const scanned = [...store.range(ALL)].map(([, each]) => each)
  store.transact(each => {
    for (const size of sizes) each.put(`size ${size}`, value(size, 2))
  })
  await store.flush()
  for (const size of sizes) store.get(`size ${size}`)
  for (const [index, size] of sizes.entries()) {
    assert.ok(value(size, 1).equals(got[index]!), `got ${size}`)
    assert.is(got[index]!.length, size)
    assert.ok(
      scanned.some(each => value(size, 1).equals(each)),
      `scanned ${size}`,
    )
    assert.ok(value(size, 2).equals(store.get(`size ${size}`)!), `again ${size}`)
  }
})

on('a value does not keep the large buffer alive that it was a view on', store => {
  const large = Buffer.alloc(100_000, 'x')
  store.transact(each => each.put('part', large.subarray(10, 20)))
  assert.ok(store.get('part')!.buffer.byteLength < 20_000)
})

on('a range goes over what there was when it began, while all of it is deleted', async store => {
  const entries = numbered(3000, 'x')
  put(store, entries)
  await store.flush()
  const seen: string[] = []
  store.transact(each => {
    for (const [key] of each.range(ALL)) {
      seen.push(key)
      each.delete(key)
      each.put(`zz ${key}`, bytes('later'))
    }
  })
  assert.equal(
    seen,
    entries.map(([key]) => key),
  )
  assert.is(list(store).length, 3000)
  assert.ok(list(store).every(([key]) => key.startsWith('zz')))
})

on('a range may be left early, and go on while flushes happen', async store => {
  put(store, numbered(2000, 'old'))
  await store.flush()
  for (let round = 0; round < 50; round++) {
    for (const [key] of store.range(ALL)) if (key > 'key 00001000') break
  }
  const slow = store.range(ALL)[Symbol.iterator]()
  const seen: string[] = []
  for (let count = 0; ; count++) {
    const next = slow.next()
    if (next.done === true) break
    seen.push(text(next.value[1]) ?? '')
    if (count % 500 !== 0) continue
    put(store, numbered(2000, `new ${count}`))
    await store.flush()
  }
  assert.is(seen.length, 2000)
  assert.ok(seen.every(value => value === 'old'))
})

on('a snapshot does not see later transactions, however many are flushed', async store => {
  put(store, numbered(500, 'old'))
  const early = store.snapshot()
  await store.flush()
  put(store, [['key 00000000', 'newer']])
  const later = store.snapshot()
  const both = store.snapshot()
  for (let round = 0; round < 5; round++) {
    put(store, numbered(600, `round ${round}`))
    store.transact(each => each.delete('key 00000007'))
    await store.flush()
    await new Promise(resolve => setTimeout(resolve, 2))
    assert.equal(list(early), numbered(500, 'old'))
    assert.is(text(early.get('key 00000007')), 'old')
    assert.is(early.get('key 00000550'), undefined)
    assert.is(text(later.get('key 00000000')), 'newer')
    assert.is(text(later.get('key 00000007')), 'old')
    if (round === 2) both.close()
  }
  assert.is(text(store.get('key 00000550')), 'round 4')
  early.close()
  assert.throws(() => early.get('key 00000000'), /after its end/)
  assert.is(list(later).length, 500)
  later.close()
  later.close()
})

on('a snapshot in use does not see the transaction under way', async store => {
  put(store, [['a', 'old']])
  await store.flush()
  const snapshot = store.snapshot()
  store.transact(each => {
    each.put('a', bytes('new'))
    assert.is(text(snapshot.get('a')), 'old')
    assert.throws(() => store.snapshot(), /within a transaction/)
  })
  snapshot.close()
})

test.run()
