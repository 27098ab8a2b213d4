// One replica's log: what it accepted or learned, slot by slot, and how far everything is decided.
// Slots up to `decided` are final; those below `first` were applied long ago and are forgotten.

import { assert } from '../assert.ts'
import type { Ballot } from './ballot.ts'
import type { AcceptedEntry, DecidedEntry, Slot } from './message.ts'
import { SlotMap } from './slot-map.ts'

export type LogEntry = { readonly ballot: Ballot; readonly value: Uint8Array }

/** Bookkeeping of one entry, about. */
const ENTRY_OVERHEAD_BYTES = 100

export class Log {
  /** The lowest slot that is still held. */
  first: Slot = 1
  /** Every slot up to here is decided, and its value was or is held here. */
  decided: Slot = 0
  /** The highest slot with an entry, or `decided`. */
  highest: Slot = 0
  bytes = 0
  private readonly entries = new SlotMap<LogEntry>()

  get size(): number {
    return this.entries.size
  }

  get(slot: Slot): LogEntry | undefined {
    return this.entries.get(slot)
  }

  put(slot: Slot, entry: LogEntry): void {
    assert(slot >= this.first, `slot ${slot} is not below the log's first ${this.first}`)
    const old = this.entries.get(slot)
    if (old !== undefined) this.bytes -= old.value.length + ENTRY_OVERHEAD_BYTES
    this.entries.set(slot, entry)
    this.bytes += entry.value.length + ENTRY_OVERHEAD_BYTES
    if (slot > this.highest) this.highest = slot
  }

  /** The next slot is decided, with the entry held in it. */
  decideNext(): void {
    const entry = this.entries.get(this.decided + 1)
    assert(entry !== undefined, `decided slot ${this.decided + 1} is held`)
    this.decided += 1
  }

  /** All that is held from `from` on, in order of slots; not all of it is decided. */
  acceptedFrom(from: Slot): AcceptedEntry[] {
    const accepted: AcceptedEntry[] = []
    for (let slot = Math.max(from, this.first); slot <= this.highest; slot++) {
      const entry = this.entries.get(slot)
      if (entry !== undefined) accepted.push({ slot, ballot: entry.ballot, value: entry.value })
    }
    return accepted
  }

  /** Decided entries from `from` (≥ first) on, at least one if there is one, at most about `bytesMax`. */
  decidedFrom(from: Slot, bytesMax: number): DecidedEntry[] {
    const decided: DecidedEntry[] = []
    let bytes = 0
    for (let slot = from; slot <= this.decided && bytes < bytesMax; slot++) {
      const entry = this.entries.get(slot)
      assert(entry !== undefined, `decided slot ${slot} from ${this.first} on is held`)
      decided.push({ slot, value: entry.value })
      bytes += entry.value.length + ENTRY_OVERHEAD_BYTES
    }
    return decided
  }

  /** Forgets decided slots below `slot`. */
  trimBelow(slot: Slot): void {
    assert(slot <= this.decided + 1, 'only decided slots are forgotten')
    for (; this.first < slot; this.first++) this.remove(this.first)
  }

  /** Continues after `slot`, which a snapshot holds; later accepted entries stay. */
  resetTo(slot: Slot): void {
    assert(slot > this.decided, 'a snapshot goes forward')
    for (const [held] of this.entries) if (held <= slot) this.remove(held)
    this.first = slot + 1
    this.decided = slot
    this.highest = Math.max(this.highest, slot)
  }

  private remove(slot: Slot): void {
    const entry = this.entries.get(slot)
    if (entry === undefined) return
    this.bytes -= entry.value.length + ENTRY_OVERHEAD_BYTES
    this.entries.delete(slot)
  }
}
