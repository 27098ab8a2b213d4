// Deadlines of calls under way on one timer: one for each of a hundred thousand calls a second would
// cost more than the calls. A list in the order of deadlines; nearly all have the same patience, so a
// new one belongs at the end, and is found there.

/** What waits; the list keeps its place in here. */
export interface Timed {
  /** ms of `performance.now()`. */
  readonly deadlineAt: number
  before: Timed | null
  after: Timed | null
  isTimed: boolean
  onDeadline(): void
}

export class DeadlineList {
  private first: Timed | null = null
  private last: Timed | null = null
  private timer: NodeJS.Timeout | null = null
  private timerAt = Number.POSITIVE_INFINITY

  add(item: Timed): void {
    let before = this.last
    while (before !== null && before.deadlineAt > item.deadlineAt) before = before.before
    const after = before === null ? this.first : before.after
    item.before = before
    item.after = after
    item.isTimed = true
    if (before === null) this.first = item
    else before.after = item
    if (after === null) this.last = item
    else after.before = item
    this.arm()
  }

  /** Does nothing to what is not in the list. */
  remove(item: Timed): void {
    if (!item.isTimed) return
    const { before, after } = item
    if (before === null) this.first = after
    else before.after = after
    if (after === null) this.last = before
    else after.before = before
    item.before = null
    item.after = null
    item.isTimed = false
    if (this.first === null) this.disarm()
  }

  /** A timer that comes too early only looks again: the first one is mostly gone by then. */
  private arm(): void {
    const at = this.first?.deadlineAt ?? Number.POSITIVE_INFINITY
    if (at >= this.timerAt) return
    this.disarm()
    this.timerAt = at
    this.timer = setTimeout(() => this.onTimer(), Math.max(1, Math.ceil(at - performance.now())))
  }

  /** Nothing waits: a timer would keep the process alive. */
  private disarm(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.timerAt = Number.POSITIVE_INFINITY
  }

  private onTimer(): void {
    this.timer = null
    this.timerAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    for (let { first } = this; first !== null && first.deadlineAt <= now; first = this.first) {
      this.remove(first)
      first.onDeadline()
    }
    this.arm()
  }
}
