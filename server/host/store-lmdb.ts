// The state on disk: an LMDB file, with the newest changes in memory over it (store-layers.ts).
// A transaction costs no disk access; rounds of changes become durable in the background, each as
// one disk transaction in its own thread. A crash leaves the state as of the end of some round; the
// log, trimmed only behind what `flush` covered, has the rest.

import fs from 'node:fs'
import path from 'node:path'
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
import type { LayerValue } from './store-layer.ts'
import { Layers, type StoreBase } from './store-layers.ts'
import {
  baseOf,
  type LmdbFile,
  openLmdbFile,
  type ReadTransaction,
  type StateNumber,
} from './store-lmdb-file.ts'
import { type Round, RoundWriter } from './store-lmdb-rounds.ts'
import { assertKey, compactValue } from './store-tree.ts'

export type LmdbStoreOptions = {
  /** Nothing becomes durable any more: the process must stop. Called once. */
  readonly onFailure: (error: Error) => void
  /** After each round, for metrics. */
  readonly onRound?: (round: { readonly ms: number; readonly bytes: number }) => void
  /** After each round that found no room on the disk, for metrics. */
  readonly onFull?: () => void
  /** The file's largest size, which costs address space only; 1 TiB. */
  readonly mapBytes?: number
  /** Bytes of changes with which a round begins by itself, 4 MiB. */
  readonly roundBytes?: number
  /** Bytes of changes at which a transaction waits for the disk, 64 MiB. */
  readonly layerBytesMax?: number
  /** How long to wait for room on a full disk, 1,000 ms. */
  readonly retryMs?: number
}

/** A store on disk. `isFull`: the disk has no room; changes are kept in memory and tried again. */
export interface LmdbStore extends DurableStore {
  readonly isFull: boolean
  /** Bytes of changes that are not on disk yet. */
  readonly layerBytes: number
}

type Place = { readonly layers: Layers; readonly state: StateNumber }
type Waiter = { readonly resolve: () => void; readonly reject: (error: Error) => void }

const MAP_BYTES = 2 ** 40
const ROUND_BYTES = 4 * 1024 * 1024
const LAYER_BYTES_MAX = 64 * 1024 * 1024
const RETRY_MS = 1000
/** A disk that takes longer for one round is left to the caller's own watchdogs. */
const WAIT_MS = 10_000

/** Opens the store in `dir`, a folder of its own that is made if need be. */
export async function openLmdbStore(dir: string, options: LmdbStoreOptions): Promise<LmdbStore> {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const mapBytes = options.mapBytes ?? MAP_BYTES
  let store: RoundedStore | null = null
  const { writer, state } = await RoundWriter.start({
    dir,
    mapBytes,
    retryMs: options.retryMs ?? RETRY_MS,
    onLanded: (round, ms) => store?.onLanded(round, ms),
    onFull: () => store?.onFull(),
    onFailure: error => store?.onFailure(error),
  })
  store = new RoundedStore({ options, writer, state, file: openLmdbFile({ dir, mapBytes }), dir })
  return store
}

class RoundedStore implements LmdbStore {
  private readonly options: LmdbStoreOptions
  private readonly path: string
  private readonly writer: RoundWriter
  private readonly file: LmdbFile
  private current: Place
  private replacement: Place | null = null
  /** The current place is not the one on disk yet. */
  private isSwitchPending = false
  private isInTransaction = false
  private isClosing = false
  private failure: Error | null = null
  /** The places that the round under way is about. */
  private writing: readonly Place[] = []
  /** Who waits for the round under way, and for the one after it. */
  private waiters: Waiter[] = []
  private laterWaiters: Waiter[] = []

  constructor(parts: {
    readonly dir: string
    readonly options: LmdbStoreOptions
    readonly writer: RoundWriter
    readonly file: LmdbFile
    readonly state: StateNumber
  }) {
    this.path = path.join(parts.dir, 'data.mdb')
    this.options = parts.options
    this.writer = parts.writer
    this.file = parts.file
    this.current = { state: parts.state, layers: new Layers(this.baseOf(parts.state, null)) }
  }

  get(key: ByteString): Uint8Array | undefined {
    return this.current.layers.get(key)
  }

  range(range: StoreRange): Iterable<StoreEntry> {
    return this.current.layers.range(range)
  }

  transact(work: (transaction: StoreTransaction) => void): void {
    assert(!this.isInTransaction, 'transactions are not nested')
    const { layers } = this.current
    const undo: (readonly [ByteString, LayerValue | undefined])[] = []
    const change = (key: ByteString, value: LayerValue) => {
      assert(this.isInTransaction, 'a transaction is not used after its end')
      assertKey(key)
      undo.push([key, layers.active.set(key, value)])
    }
    this.isInTransaction = true
    try {
      work({
        get: key => layers.get(key),
        range: range => layers.range(range),
        put: (key, value) => change(key, compactValue(value)),
        delete: key => change(key, null),
      })
    } catch (error) {
      for (const [key, before] of undo.reverse()) layers.active.restore(key, before)
      throw error
    } finally {
      this.isInTransaction = false
    }
    this.writeIfLarge(layers)
  }

  snapshot(): StoreSnapshot {
    assert(!this.isInTransaction, 'no snapshot is taken within a transaction')
    const { layers, state } = this.current
    const transaction = layers.base === null ? null : this.file.root.useReadTransaction()
    const base = transaction === null ? null : this.baseOf(state, transaction)
    const fixed = layers.fixed(base)
    let isClosed = false
    const open = () => {
      assert(!isClosed, 'a snapshot is not used after its end')
      return fixed
    }
    return {
      get: key => open().get(key),
      range: range => ({ [Symbol.iterator]: () => open().range(range)[Symbol.iterator]() }),
      close: () => {
        if (!isClosed) transaction?.done()
        isClosed = true
      },
    }
  }

  beginReplacement(): StoreReplacement {
    const place: Place = { state: this.current.state === 0 ? 1 : 0, layers: new Layers(null) }
    this.replacement = place
    const assertOpen = () =>
      assert(this.replacement === place, 'a replacement is used until its end')
    return {
      put: entries => {
        assertOpen()
        for (const [key, value] of entries) {
          assertKey(key)
          place.layers.active.set(key, compactValue(value))
        }
        this.writeIfLarge(place.layers)
      },
      commit: () => {
        assertOpen()
        assert(!this.isInTransaction, 'no replacement within a transaction')
        this.current = place
        this.replacement = null
        this.isSwitchPending = true
        this.write()
      },
      abort: () => {
        if (this.replacement !== place) return
        this.replacement = null
        this.writer.clear(place.state)
      },
    }
  }

  flush(): Promise<void> {
    assert(!this.isInTransaction, 'no flush within a transaction')
    if (this.failure !== null) return Promise.reject(this.failure)
    const { active } = this.current.layers
    const hasMore = !active.isEmpty || this.isSwitchPending
    if (!hasMore && !this.writer.isBusy) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiters = hasMore ? this.laterWaiters : this.waiters
      waiters.push({ resolve, reject })
      this.write()
    })
  }

  async close(): Promise<void> {
    if (this.isClosing) return
    this.isClosing = true
    try {
      if (!this.writer.isFull && this.failure === null) await this.flush()
    } finally {
      this.rejectAll(new Error('the store was closed while the disk was full'))
      await this.writer.close()
      await this.file.root.close()
    }
  }

  get sizeBytes(): number {
    return fs.statSync(this.path).size + this.layerBytes
  }

  get layerBytes(): number {
    const { active, frozen } = this.current.layers
    return active.bytes + (frozen?.bytes ?? 0)
  }

  get isFull(): boolean {
    return this.writer.isFull
  }

  onLanded(round: Round, ms: number): void {
    // Reading must see the file as it is now before the layers that are in it are let go.
    this.file.root.resetReadTxn()
    const { writing } = this
    this.writing = []
    let bytes = 0
    for (const { layers, state } of writing) {
      bytes += layers.frozen?.bytes ?? 0
      layers.thaw()
      layers.base ??= this.baseOf(state, null)
    }
    if (round.state !== null && writing.includes(this.current)) {
      this.isSwitchPending = false
      if (this.replacement === null) this.writer.clear(round.state === 0 ? 1 : 0)
    }
    this.options.onRound?.({ ms, bytes })
    this.resolveWaiters()
    if (this.laterWaiters.length > 0 || this.isSwitchPending || this.isLarge()) this.write()
  }

  onFull(): void {
    this.options.onFull?.()
    // Who closes the store does not wait for room.
    if (this.isClosing) this.rejectAll(new Error('the store was closed while the disk was full'))
  }

  onFailure(error: Error): void {
    this.failure = error
    this.rejectAll(error)
    this.options.onFailure(error)
  }

  /** Begins a round with all that is not on disk yet, unless one is under way. */
  private write(): void {
    if (this.writer.isBusy || this.failure !== null) return
    const places = this.replacement === null ? [this.current] : [this.current, this.replacement]
    this.writing = places.filter(
      place => place.layers.freeze() !== null || (place === this.current && this.isSwitchPending),
    )
    this.waiters = this.laterWaiters
    this.laterWaiters = []
    if (this.writing.length === 0) {
      this.resolveWaiters()
      return
    }
    this.writer.send({
      parts: this.writing.flatMap(({ state, layers }) =>
        layers.frozen === null ? [] : [{ state, layer: layers.frozen }],
      ),
      clear: this.writing.filter(place => place.layers.base === null).map(place => place.state),
      state: this.isSwitchPending ? this.current.state : null,
    })
  }

  /** Lets changes wait in memory only up to a bound: beyond, whoever makes more waits for the disk. */
  private writeIfLarge(layers: Layers): void {
    if (layers.active.bytes < (this.options.roundBytes ?? ROUND_BYTES)) return
    this.write()
    const bytesMax = this.options.layerBytesMax ?? LAYER_BYTES_MAX
    while (layers.active.bytes >= bytesMax && this.writer.wait(WAIT_MS));
  }

  private isLarge(): boolean {
    const bytes = this.options.roundBytes ?? ROUND_BYTES
    const filled = this.replacement?.layers.active.bytes ?? 0
    return this.current.layers.active.bytes >= bytes || filled >= bytes
  }

  private baseOf(state: StateNumber, transaction: ReadTransaction | null): StoreBase {
    return baseOf(this.file, state, transaction)
  }

  private resolveWaiters(): void {
    const { waiters } = this
    this.waiters = []
    for (const { resolve } of waiters) resolve()
  }

  private rejectAll(error: Error): void {
    const waiters = [...this.waiters, ...this.laterWaiters]
    this.waiters = []
    this.laterWaiters = []
    for (const { reject } of waiters) reject(error)
  }
}
