// A store that keeps a hash of all that is in it, so that replicas can be compared after every
// applied slot at the cost of what changed. The hash of a set of entries does not depend on order.

import { type ByteString, fnv1a, fnv1aBytes } from '../../server/bytes.ts'
import { MemoryStore } from '../../server/host/store-memory.ts'
import type {
  Store,
  StoreEntry,
  StoreRange,
  StoreReplacement,
  StoreSnapshot,
  StoreTransaction,
} from '../../server/store.ts'
import { readApplied } from '../../server/store-meta.ts'

const ALL = { from: '', to: '\xff' }

export class ObservedStore implements Store {
  private inner = new MemoryStore()
  /** While a round is being written: what a crash may still leave in its place. */
  private beforeRound: MemoryStore | null = null
  private contentHash = 0

  /** Sum (mod 2^32) of the hashes of all entries. */
  get hash(): number {
    return this.contentHash
  }

  applied(): number {
    return readApplied(this.inner)
  }

  /** Begins to make all that was written so far durable; returns the slot that this covers. */
  beginRound(): number {
    this.beforeRound ??= this.inner.crash()
    void this.inner.flush()
    return this.applied()
  }

  /** It survives any crash from now on. */
  endRound(): void {
    this.beforeRound = null
  }

  get isInRound(): boolean {
    return this.beforeRound !== null
  }

  /** Back to the end of the last round; one under way counts, or does not. */
  crash(isRoundKept: boolean): void {
    this.inner = isRoundKept ? this.inner.crash() : (this.beforeRound ?? this.inner.crash())
    this.beforeRound = null
    this.rehash()
  }

  wipe(): void {
    this.inner = new MemoryStore()
    this.beforeRound = null
    this.contentHash = 0
  }

  /** What a crash now would leave, as a store of its own. */
  survivor(): ObservedStore {
    const store = new ObservedStore()
    store.inner = (this.beforeRound ?? this.inner).crash()
    store.rehash()
    return store
  }

  get(key: ByteString): Uint8Array | undefined {
    return this.inner.get(key)
  }

  range(range: StoreRange): Iterable<StoreEntry> {
    return this.inner.range(range)
  }

  transact(work: (transaction: StoreTransaction) => void): void {
    this.inner.transact(transaction => {
      work({
        get: key => transaction.get(key),
        range: range => transaction.range(range),
        put: (key, value) => {
          this.replace(key, transaction.get(key), value)
          transaction.put(key, value)
        },
        delete: key => {
          this.replace(key, transaction.get(key), undefined)
          transaction.delete(key)
        },
      })
    })
  }

  snapshot(): StoreSnapshot {
    return this.inner.snapshot()
  }

  beginReplacement(): StoreReplacement {
    const replacement = this.inner.beginReplacement()
    return {
      put: entries => replacement.put(entries),
      commit: () => {
        replacement.commit()
        this.rehash()
      },
      abort: () => replacement.abort(),
    }
  }

  private replace(
    key: ByteString,
    before: Uint8Array | undefined,
    after: Uint8Array | undefined,
  ): void {
    const keyHash = fnv1a(key)
    const minus = before === undefined ? 0 : entryHash(keyHash, before)
    const plus = after === undefined ? 0 : entryHash(keyHash, after)
    this.contentHash = (this.contentHash - minus + plus) >>> 0
  }

  private rehash(): void {
    this.contentHash = 0
    for (const [key, value] of this.inner.range(ALL)) this.replace(key, undefined, value)
  }
}

/** FNV alone is too regular to be summed: its bits are mixed once more. */
function entryHash(keyHash: number, value: Uint8Array): number {
  let hash = fnv1aBytes(value, keyHash)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
