// Sorted maps of byte strings, as both stores use them: B+ trees whose clone costs nothing until one
// of the two is changed.

import btree from 'sorted-btree'
import { assert } from '../assert.ts'
import type { ByteString } from '../bytes.ts'
import type { StoreRange } from '../store.ts'

// The package is CommonJS: its default export is a property of what is imported.
const BTree = btree.default

/** A sorted map. Iterate over a clone: a change would confuse an iterator. */
export type Tree<Value> = InstanceType<typeof BTree<ByteString, Value>>

/** LMDB takes 1,978 bytes; some are kept back for the key that follows another. */
const KEY_LENGTH_MAX = 1900

export function newTree<Value>(): Tree<Value> {
  return new BTree<ByteString, Value>(undefined, compareKeys)
}

/** Entries of the range in order; the tree must not change meanwhile. */
export function* treeRange<Value>(
  tree: Tree<Value>,
  range: StoreRange,
): Generator<[ByteString, Value]> {
  for (const entry of tree.entries(range.from)) {
    if (entry[0] >= range.to) return
    yield entry
  }
}

/** A value without the rest of a large buffer that it may be a view on: a pool's slab is not large. */
export function compactValue(value: Uint8Array): Uint8Array {
  const { byteLength } = value.buffer
  return byteLength <= Math.max(Buffer.poolSize, 2 * value.length) ? value : Buffer.from(value)
}

/** LMDB refuses other keys, and only when they are written, long after the transaction. */
export function assertKey(key: ByteString): void {
  assert(key.length > 0 && key.length <= KEY_LENGTH_MAX, 'a store key has 1 to 1,900 bytes')
}

function compareKeys(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0
}
