// Keys of the store that belong to the replica itself, not to its state machine.

import { ByteReader, ByteWriter } from './bytes.ts'
import type { StoreReader, StoreTransaction } from './store.ts'

/** The slot up to which the store has applied; in the same transaction as what was applied. */
const APPLIED = '!applied'

export function readApplied(store: StoreReader): number {
  const value = store.get(APPLIED)
  return value === undefined ? 0 : new ByteReader(value).uint()
}

export function writeApplied(transaction: StoreTransaction, slot: number): void {
  transaction.put(APPLIED, new ByteWriter(8).uint(slot).done())
}
