// Deadlines of all requests on one timer, which runs only while something waits: a timer of its own
// for each of forty thousand requests a second would cost more than the requests. A wheel of steps,
// each a list linked through what waits in it: sets whose members come and go would keep requests
// alive much longer than they last (see host/waiters.ts).

import { DEADLINE_TICK_MS, REQUEST_TIMEOUT_MS_MAX } from './bounds.ts'

/** What waits; the wheel keeps its place in here. */
export interface Waiting {
  /** Step of the wheel at which it is due, and its neighbours there; set by the wheel. */
  due: number
  before: Waiting | null
  after: Waiting | null
  onDeadline(): void
}

/** More than the longest deadline: what is due in different steps hardly ever shares a place. */
const PLACES = 2 ** Math.ceil(Math.log2(REQUEST_TIMEOUT_MS_MAX / DEADLINE_TICK_MS + 2))

export class Deadlines {
  private readonly nowMs: () => number
  /** Step modulo PLACES → the first of those that wait there. */
  private readonly places: (Waiting | null)[] = Array.from({ length: PLACES }, () => null)
  private count = 0
  private timer: NodeJS.Timeout | null = null
  private done: number

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs
    this.done = this.stepOf(nowMs())
  }

  /** Calls `onDeadline` at `atMs` of the clock, or up to two ticks later. */
  add(waiting: Waiting, atMs: number): void {
    if (this.timer === null) this.start()
    waiting.due = Math.max(this.stepOf(atMs), this.done) + 1
    const place = waiting.due % PLACES
    const first = this.places[place] ?? null
    waiting.before = null
    waiting.after = first
    if (first !== null) first.before = waiting
    this.places[place] = waiting
    this.count += 1
  }

  /** Does nothing to what is not waiting, or was called already. */
  remove(waiting: Waiting): void {
    const place = waiting.due % PLACES
    const { before, after } = waiting
    if (before === null && this.places[place] !== waiting) return
    if (before === null) this.places[place] = after
    else before.after = after
    if (after !== null) after.before = before
    waiting.before = null
    waiting.after = null
    this.count -= 1
  }

  /** Nothing is called any more. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.places.fill(null)
    this.count = 0
  }

  private start(): void {
    this.done = this.stepOf(this.nowMs())
    this.timer = setInterval(() => this.tick(), DEADLINE_TICK_MS)
    this.timer.unref()
  }

  private tick(): void {
    const now = this.stepOf(this.nowMs())
    while (this.done < now && this.count > 0) {
      this.done += 1
      this.call(this.done)
    }
    this.done = Math.max(this.done, now)
    if (this.count === 0) this.close()
  }

  /** All that is due; a callback may add and remove as it likes. */
  private call(step: number): void {
    const due: Waiting[] = []
    for (let at = this.places[step % PLACES] ?? null; at !== null; at = at.after) {
      if (at.due <= step) due.push(at)
    }
    for (const waiting of due) this.remove(waiting)
    for (const waiting of due) waiting.onDeadline()
  }

  private stepOf(ms: number): number {
    return Math.floor(ms / DEADLINE_TICK_MS)
  }
}
