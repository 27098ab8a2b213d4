// What only the store in memory has: what a crash leaves. The rest is in store.test.ts.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MemoryStore } from '../../server/host/store-memory.ts'

const test = suite('store in memory')

test('a crash leaves what the last flush covered, and nothing of a replacement under way', () => {
  const store = new MemoryStore()
  const put = (key: string) => store.transact(each => each.put(key, Buffer.from(key)))
  put('flushed')
  void store.flush()
  put('lost')
  store.transact(each => each.delete('flushed'))
  const replacement = store.beginReplacement()
  replacement.put([['replaced', Buffer.from('x')]])
  const crashed = store.crash()
  assert.equal(
    Array.from(crashed.range({ from: '\0', to: '\xff' }), ([key]) => key),
    ['flushed'],
  )
  replacement.commit()
  assert.is(store.crash().get('replaced'), undefined, 'committed, not flushed')
  void store.flush()
  assert.ok(store.crash().get('replaced'))
  crashed.transact(each => each.put('own', Buffer.from('x')))
  assert.is(store.get('own'), undefined)
})

test('its size is that of its keys and values', () => {
  const store = new MemoryStore()
  store.transact(each => each.put('key', Buffer.alloc(10)))
  store.transact(each => each.put('key', Buffer.alloc(7)))
  store.transact(each => each.put('k', Buffer.alloc(1)))
  assert.is(store.sizeBytes, 12)
  store.transact(each => each.delete('key'))
  assert.is(store.sizeBytes, 2)
})

test.run()
