// The newest state over an older one on disk: changes are kept in a layer in memory until one large
// disk transaction takes them. While that is under way the layer is frozen, and changes go to
// a fresh one. Reading looks into the active layer, the frozen one and the base, in this order.

import type { ByteString } from '../bytes.ts'
import type { StoreEntry, StoreRange, StoreReader } from '../store.ts'
import { Layer, type LayerEntry, type LayerValue } from './store-layer.ts'

/** The state on disk, as of some moment. */
export interface StoreBase {
  get(key: ByteString): Uint8Array | undefined
  /** The first entries of the range, at least one if there is one. */
  page(range: StoreRange, limit: number): BasePage
  /** The same for as long as it is held, whatever is written meanwhile. */
  hold(): { readonly base: StoreBase; readonly release: () => void }
}

export type BasePage = { readonly entries: readonly StoreEntry[]; readonly isLast: boolean }

type Source = Iterator<LayerEntry>

/** Entries read from the base at first; a scan that goes on reads more at once. */
const PAGE_ENTRIES_MIN = 16
const PAGE_ENTRIES_MAX = 1024

/** One state: its layers, and its base, null as long as the base holds none of it. */
export class Layers implements StoreReader {
  base: StoreBase | null
  active = new Layer()
  frozen: Layer | null = null

  constructor(base: StoreBase | null) {
    this.base = base
  }

  get(key: ByteString): Uint8Array | undefined {
    const newest = this.active.get(key)
    if (newest !== undefined) return newest ?? undefined
    const newer = this.frozen?.get(key)
    if (newer !== undefined) return newer ?? undefined
    return this.base?.get(key)
  }

  /** Sees the layers as they are when the iteration begins. */
  range(range: StoreRange): Iterable<StoreEntry> {
    return {
      [Symbol.iterator]: () => {
        const layers = this.frozen === null ? [this.active] : [this.active, this.frozen]
        return merged(layers, this.base, range)
      },
    }
  }

  /** The layers as they are now, over `base`, which must hold at least what this one's does. */
  fixed(base: StoreBase | null): FixedLayers {
    const layers = [this.active.copy()]
    if (this.frozen !== null) layers.push(this.frozen)
    return new FixedLayers(layers, base)
  }

  /** The layer to write now, null when there is nothing; the same one until `thaw`. */
  freeze(): Layer | null {
    if (this.frozen !== null || this.active.isEmpty) return this.frozen
    this.frozen = this.active
    this.active = new Layer()
    return this.frozen
  }

  /** The frozen layer is in the base now. */
  thaw(): void {
    this.frozen = null
  }
}

/** Layers that nobody changes any more. */
export class FixedLayers implements StoreReader {
  private readonly layers: readonly Layer[]
  private readonly base: StoreBase | null

  /** Newest layer first. */
  constructor(layers: readonly Layer[], base: StoreBase | null) {
    this.layers = layers
    this.base = base
  }

  get(key: ByteString): Uint8Array | undefined {
    for (const layer of this.layers) {
      const value = layer.get(key)
      if (value !== undefined) return value ?? undefined
    }
    return this.base?.get(key)
  }

  /** Ranges are what such layers are for: their order is made once. */
  range(range: StoreRange): Iterable<StoreEntry> {
    return {
      [Symbol.iterator]: () => {
        for (const layer of this.layers) layer.sort()
        return merged(this.layers, this.base, range)
      },
    }
  }
}

/** Merges all sources: the newest entry of a key counts, and deleted ones are left out. */
function merged(
  layers: readonly Layer[],
  base: StoreBase | null,
  range: StoreRange,
): Iterator<StoreEntry> {
  if (range.from >= range.to) return [][Symbol.iterator]()
  const sources: Source[] = layers.map(layer => layer.within(range)[Symbol.iterator]())
  if (base !== null) sources.push(pages(base, range))
  return closing(sources)
}

function* closing(sources: readonly Source[]): Generator<StoreEntry> {
  try {
    yield* merge(sources)
  } finally {
    for (const source of sources) source.return?.()
  }
}

/** Of entries with equal keys the one of the first source counts. */
function* merge(sources: readonly Source[]): Generator<StoreEntry> {
  const heads = sources.map(source => source.next())
  for (;;) {
    let least: readonly [ByteString, LayerValue] | null = null
    for (const head of heads) {
      if (head.done !== true && (least === null || head.value[0] < least[0])) least = head.value
    }
    if (least === null) return
    const [key, value] = least
    for (const [index, source] of sources.entries()) {
      const head = heads[index]
      if (head?.done !== true && head?.value[0] === key) heads[index] = source.next()
    }
    if (value !== null) yield [key, value]
  }
}

/** A range that ends within its first page, as most do, needs not hold the base. */
function* pages(base: StoreBase, range: StoreRange): Generator<StoreEntry> {
  const first = base.page(range, PAGE_ENTRIES_MIN)
  if (first.isLast) {
    yield* first.entries
    return
  }
  const held = base.hold()
  try {
    let limit = PAGE_ENTRIES_MIN
    for (let page = first; ; ) {
      yield* page.entries
      const last = page.entries.at(-1)
      if (page.isLast || last === undefined) return
      limit = Math.min(limit * 4, PAGE_ENTRIES_MAX)
      page = held.base.page({ from: `${last[0]}\0`, to: range.to }, limit)
    }
  } finally {
    held.release()
  }
}
