// What waits for one peer: first in, first out, bounded in bytes and count. When it is full the
// oldest go: Paxos repeats what still matters, and late messages after a long silence help nobody.

export type QueueBounds = { readonly bytesMax: number; readonly countMax: number }

export class PeerQueue<T extends { readonly size: number }> {
  private readonly bounds: QueueBounds
  private items: T[] = []
  private first = 0
  private total = 0

  constructor(bounds: QueueBounds) {
    this.bounds = bounds
  }

  /** Gives what had to make room. The newest always stays. */
  push(item: T): readonly T[] {
    this.items.push(item)
    this.total += item.size
    if (!this.isOver) return []
    const dropped: T[] = []
    while (this.isOver && this.length > 1) {
      const oldest = this.shift()
      if (oldest !== undefined) dropped.push(oldest)
    }
    return dropped
  }

  shift(): T | undefined {
    const item = this.items[this.first]
    if (item === undefined) return undefined
    this.first += 1
    this.total -= item.size
    if (this.first === this.items.length) this.reset()
    else if (this.first >= 1024) {
      this.items = this.items.slice(this.first)
      this.first = 0
    }
    return item
  }

  /** Empties it. */
  clear(): readonly T[] {
    const items = this.items.slice(this.first)
    this.reset()
    return items
  }

  get length(): number {
    return this.items.length - this.first
  }

  get bytes(): number {
    return this.total
  }

  private get isOver(): boolean {
    return this.total > this.bounds.bytesMax || this.length > this.bounds.countMax
  }

  private reset(): void {
    this.items = []
    this.first = 0
    this.total = 0
  }
}
