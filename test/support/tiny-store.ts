// The smallest store that keeps its promises: a map, sorted when it is read. For tests of state
// machines by themselves, which then do not depend on the host's stores.

import type { ByteString } from '../../server/bytes.ts'
import type {
  Store,
  StoreEntry,
  StoreRange,
  StoreReplacement,
  StoreSnapshot,
  StoreTransaction,
} from '../../server/store.ts'

export class TinyStore implements Store {
  private entries = new Map<ByteString, Uint8Array>()
  private sorted: readonly ByteString[] | null = null

  get(key: ByteString): Uint8Array | undefined {
    return this.entries.get(key)
  }

  *range({ from, to }: StoreRange): Iterable<StoreEntry> {
    for (const key of this.keys()) {
      const value = this.entries.get(key)
      if (key >= from && key < to && value !== undefined) yield [key, value]
    }
  }

  transact(work: (transaction: StoreTransaction) => void): void {
    const before = new Map(this.entries)
    try {
      work(this.transaction())
    } catch (error) {
      this.entries = before
      this.sorted = null
      throw error
    }
  }

  snapshot(): StoreSnapshot {
    const copy = new TinyStore()
    copy.entries = new Map(this.entries)
    return { get: key => copy.get(key), range: range => copy.range(range), close: () => undefined }
  }

  beginReplacement(): StoreReplacement {
    const next = new Map<ByteString, Uint8Array>()
    return {
      put: entries => {
        for (const [key, value] of entries) next.set(key, value)
      },
      commit: () => {
        this.entries = next
        this.sorted = null
      },
      abort: () => next.clear(),
    }
  }

  /** All that it holds, key and value in latin1, in order: for comparing two stores. */
  dump(): readonly string[] {
    return this.keys().map(key => {
      const value = Buffer.from(this.entries.get(key) ?? []).toString('latin1')
      return `${JSON.stringify(key)}=${value}`
    })
  }

  private transaction(): StoreTransaction {
    return {
      get: key => this.get(key),
      range: range => this.range(range),
      put: (key, value) => {
        this.entries.set(key, value)
        this.sorted = null
      },
      delete: key => {
        this.entries.delete(key)
        this.sorted = null
      },
    }
  }

  private keys(): readonly ByteString[] {
    this.sorted ??= [...this.entries.keys()].sort()
    return this.sorted
  }
}
