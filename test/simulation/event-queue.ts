// What happens next under virtual time: a binary heap on (time, order of scheduling). The order makes
// it total, so the same seed gives the same run.

type Scheduled = { readonly at: number; readonly order: number; readonly run: () => void }

export class EventQueue {
  private readonly heap: Scheduled[] = []
  private order = 0

  get size(): number {
    return this.heap.length
  }

  /** Time of the first event, Infinity when there is none. */
  get nextAt(): number {
    return this.heap[0]?.at ?? Number.POSITIVE_INFINITY
  }

  push(at: number, run: () => void): void {
    this.order += 1
    const item = { at, order: this.order, run }
    const { heap } = this
    let place = heap.length
    heap.push(item)
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, item)) break
      heap[place] = parent
      place = above
    }
    heap[place] = item
  }

  pop(): Scheduled | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      let child = heap[below]
      if (child === undefined) break
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        below += 1
      }
      if (isBefore(last, child)) break
      heap[place] = child
      place = below
    }
    heap[place] = last
    return first
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order
}
