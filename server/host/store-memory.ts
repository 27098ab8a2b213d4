// The state in memory: the twin of store-lmdb.ts for simulation, tests and `--storage memory`. It
// keeps apart what the last flush covered, which is all that a crash leaves.

import { assert } from '../assert.ts'
import type { ByteString } from '../bytes.ts'
import type {
  StoreEntry,
  StoreRange,
  StoreReplacement,
  StoreSnapshot,
  StoreTransaction,
} from '../store.ts'
import type { DurableStore } from './store-durable.ts'
import { assertKey, compactValue, newTree, type Tree, treeRange } from './store-tree.ts'

type State = { readonly tree: Tree<Uint8Array>; bytes: number }

/** A store in memory; reading, also while iterating, never sees a later change. */
export class MemoryStore implements DurableStore {
  private state: State = { tree: newTree(), bytes: 0 }
  private durable: State = cloneState(this.state)
  private isInTransaction = false
  private replacement: State | null = null

  get(key: ByteString): Uint8Array | undefined {
    return this.state.tree.get(key)
  }

  range(range: StoreRange): Iterable<StoreEntry> {
    return { [Symbol.iterator]: () => treeRange(this.state.tree.clone(), range) }
  }

  transact(work: (transaction: StoreTransaction) => void): void {
    assert(!this.isInTransaction, 'transactions are not nested')
    const { state } = this
    const undo: [ByteString, Uint8Array | undefined][] = []
    const change = (key: ByteString, value: Uint8Array | undefined) => {
      assert(this.isInTransaction, 'a transaction is not used after its end')
      undo.push([key, setValue(state, key, value)])
    }
    this.isInTransaction = true
    try {
      work({
        get: key => this.get(key),
        range: range => this.range(range),
        put: (key, value) => {
          assertKey(key)
          change(key, compactValue(value))
        },
        delete: key => change(key, undefined),
      })
    } catch (error) {
      for (const [key, value] of undo.reverse()) setValue(state, key, value)
      throw error
    } finally {
      this.isInTransaction = false
    }
  }

  snapshot(): StoreSnapshot {
    assert(!this.isInTransaction, 'no snapshot is taken within a transaction')
    const tree = this.state.tree.clone()
    let isClosed = false
    const open = () => {
      assert(!isClosed, 'a snapshot is not used after its end')
      return tree
    }
    return {
      get: key => open().get(key),
      range: range => ({ [Symbol.iterator]: () => treeRange(open(), range) }),
      close: () => {
        isClosed = true
      },
    }
  }

  beginReplacement(): StoreReplacement {
    const filled: State = { tree: newTree(), bytes: 0 }
    this.replacement = filled
    const assertOpen = () =>
      assert(this.replacement === filled, 'a replacement is used until its end')
    return {
      put: entries => {
        assertOpen()
        for (const [key, value] of entries) {
          assertKey(key)
          setValue(filled, key, compactValue(value))
        }
      },
      commit: () => {
        assertOpen()
        assert(!this.isInTransaction, 'no replacement within a transaction')
        this.state = filled
        this.replacement = null
      },
      abort: () => {
        if (this.replacement === filled) this.replacement = null
      },
    }
  }

  /** Done when it returns; the promise is there for the other store's sake. */
  flush(): Promise<void> {
    assert(!this.isInTransaction, 'no flush within a transaction')
    this.durable = cloneState(this.state)
    return Promise.resolve()
  }

  /** The store as a power cut now would leave it. This one is to be thrown away. */
  crash(): MemoryStore {
    const store = new MemoryStore()
    store.state = cloneState(this.durable)
    store.durable = cloneState(this.durable)
    return store
  }

  close(): Promise<void> {
    return this.flush()
  }

  /** Of keys and values. */
  get sizeBytes(): number {
    return this.state.bytes
  }
}

function cloneState(state: State): State {
  return { tree: state.tree.clone(), bytes: state.bytes }
}

/** Puts, or deletes for undefined; returns what was there. */
function setValue(
  state: State,
  key: ByteString,
  value: Uint8Array | undefined,
): Uint8Array | undefined {
  const before = state.tree.get(key)
  if (before !== undefined) state.bytes -= key.length + before.length
  if (value !== undefined) {
    state.tree.set(key, value)
    state.bytes += key.length + value.length
  } else if (before !== undefined) {
    state.tree.delete(key)
  }
  return before
}
