// Values by slot, where slots come one after the other and go in about the same order. Not a Map:
// in one that lives long, entries that come and go make V8 keep what they held much longer than it is
// needed (see host/waiters.ts); and here order costs nothing.

import type { Slot } from './message.ts'

/** So many places before the first value are given up at once. */
const PLACES_LEFT = 1024

export class SlotMap<Value> {
  private values: (Value | undefined)[] = []
  /** The slot of the first place. */
  private base: Slot = 0
  /** No place before this one is in use. */
  private first = 0
  private count = 0

  get size(): number {
    return this.count
  }

  has(slot: Slot): boolean {
    return this.get(slot) !== undefined
  }

  get(slot: Slot): Value | undefined {
    return slot < this.base ? undefined : this.values[slot - this.base]
  }

  set(slot: Slot, value: Value): void {
    if (this.count === 0) this.restart(slot)
    if (slot < this.base) this.growDown(slot)
    const place = slot - this.base
    while (this.values.length < place) this.values.push(undefined)
    if (this.values[place] === undefined) this.count += 1
    this.values[place] = value
    this.first = Math.min(this.first, place)
  }

  delete(slot: Slot): void {
    if (this.get(slot) === undefined) return
    const place = slot - this.base
    this.values[place] = undefined
    this.count -= 1
    if (place === this.first) this.advance()
  }

  /** In the order of slots. A value may be deleted while it is looked at. */
  *[Symbol.iterator](): Generator<readonly [Slot, Value]> {
    for (let slot = this.base + this.first; slot < this.base + this.values.length; slot++) {
      const value = this.get(slot)
      if (value !== undefined) yield [slot, value]
    }
  }

  private restart(slot: Slot): void {
    this.values = []
    this.base = slot
    this.first = 0
  }

  private growDown(slot: Slot): void {
    const more = this.base - slot
    this.values = [...Array.from({ length: more }, () => undefined), ...this.values]
    this.base = slot
    this.first += more
  }

  private advance(): void {
    while (this.first < this.values.length && this.values[this.first] === undefined) this.first += 1
    if (this.first < PLACES_LEFT || this.first * 2 < this.values.length) return
    this.values = this.values.slice(this.first)
    this.base += this.first
    this.first = 0
  }
}
