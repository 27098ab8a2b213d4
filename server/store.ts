// What the state machines keep their state in: an ordered map of byte strings to bytes, with atomic
// transactions and consistent snapshots. Everything is synchronous and deterministic, so a replica
// on a memory store under virtual time takes the same steps as one on disk.
// Implementations: host/store-memory.ts, host/store-lmdb.ts.

import type { ByteString } from './bytes.ts'

/** A key with its value. Values are not changed after they are put or got. */
export type StoreEntry = readonly [key: ByteString, value: Uint8Array]

/** A range of keys: from (inclusive) to (exclusive). */
export type StoreRange = { readonly from: ByteString; readonly to: ByteString }

export interface StoreReader {
  get(key: ByteString): Uint8Array | undefined
  /** Entries in byte order. Stop iterating whenever enough were seen. */
  range(range: StoreRange): Iterable<StoreEntry>
}

/** A view that later transactions do not change; it must be closed. */
export interface StoreSnapshot extends StoreReader {
  close(): void
}

export interface Store extends StoreReader {
  /** Sees its own writes. All of it becomes visible, and later durable, or nothing. Not nested. */
  transact(work: (transaction: StoreTransaction) => void): void
  snapshot(): StoreSnapshot
  /**
   * A second, hidden state, filled while the first goes on serving; `commit` puts it in the first
   * one's place atomically. Beginning again, or a restart, drops an unfinished one.
   */
  beginReplacement(): StoreReplacement
}

export interface StoreTransaction extends StoreReader {
  put(key: ByteString, value: Uint8Array): void
  delete(key: ByteString): void
}

export interface StoreReplacement {
  put(entries: readonly StoreEntry[]): void
  commit(): void
  abort(): void
}

/** The range of all keys that start with `prefix` (1 byte or more, not all 0xff). */
export function prefixRange(prefix: ByteString): StoreRange {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end -= 1
  const last = prefix.charCodeAt(end - 1)
  return { from: prefix, to: prefix.slice(0, end - 1) + String.fromCharCode(last + 1) }
}
