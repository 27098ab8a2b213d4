// The newest changes of a state, in memory until one disk transaction takes them. A hash map, since
// nearly all that is asked of it is one key: in a sorted tree the comparisons were a tenth of a
// replica's work for a put. Order is made when somebody asks for a range, which handoffs and
// catch-up alone do.

import type { ByteString } from '../bytes.ts'
import type { StoreRange } from '../store.ts'

/** What a layer says of a key: its value, or null for deleted. */
export type LayerValue = Uint8Array | null
export type LayerEntry = readonly [ByteString, LayerValue]

/** A hash map's entry takes about so much beside its key and value. */
const ENTRY_BYTES = 100

export class Layer {
  /** Of keys, values, and what keeping them takes. */
  bytes = 0
  private readonly map: Map<ByteString, LayerValue>
  /** All entries in order, once somebody wanted them; forgotten at the next change. */
  private sorted: readonly LayerEntry[] | null = null

  constructor(map: Map<ByteString, LayerValue> = new Map()) {
    this.map = map
  }

  get isEmpty(): boolean {
    return this.map.size === 0
  }

  /** Undefined: the layer says nothing of the key. */
  get(key: ByteString): LayerValue | undefined {
    return this.map.get(key)
  }

  /** Returns what the layer said of the key before: to be given to `restore`. */
  set(key: ByteString, value: LayerValue): LayerValue | undefined {
    const before = this.map.get(key)
    this.map.set(key, value)
    this.bytes += sizeOf(key, value) - (before === undefined ? 0 : sizeOf(key, before))
    this.sorted = null
    return before
  }

  restore(key: ByteString, before: LayerValue | undefined): void {
    if (before !== undefined) {
      this.set(key, before)
      return
    }
    const value = this.map.get(key)
    if (value === undefined) return
    this.map.delete(key)
    this.bytes -= sizeOf(key, value)
    this.sorted = null
  }

  /** All changes, in no order; the layer must not change meanwhile. */
  entries(): Iterable<LayerEntry> {
    return this.map.entries()
  }

  /** Those of the range, in order, as they are now. */
  within({ from, to }: StoreRange): readonly LayerEntry[] {
    if (this.sorted !== null) {
      return this.sorted.slice(placeOf(this.sorted, from), placeOf(this.sorted, to))
    }
    const found: LayerEntry[] = []
    for (const entry of this.map) if (entry[0] >= from && entry[0] < to) found.push(entry)
    return found.sort(byKey)
  }

  /** For a layer that does not change any more: makes the order once, for all later ranges. */
  sort(): this {
    this.sorted ??= [...this.map].sort(byKey)
    return this
  }

  /** The same entries in a layer of their own. */
  copy(): Layer {
    return new Layer(new Map(this.map))
  }
}

/** Of the first entry whose key is not below. */
function placeOf(sorted: readonly LayerEntry[], key: ByteString): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const found = sorted[middle]
    if (found !== undefined && found[0] < key) low = middle + 1
    else high = middle
  }
  return low
}

function byKey(left: LayerEntry, right: LayerEntry): number {
  return left[0] < right[0] ? -1 : left[0] > right[0] ? 1 : 0
}

function sizeOf(key: ByteString, value: LayerValue): number {
  return ENTRY_BYTES + key.length + (value?.length ?? 0)
}
