// Deadlines of all requests on one timer, which runs only while something waits: a timer of its own
// for each of forty thousand requests a second would cost more than the requests.

import { DEADLINE_TICK_MS } from './bounds.ts'

/** What waits; the wheel keeps its place in here. */
export interface Waiting {
  /** Step of the wheel at which it is due; set by the wheel. */
  due: number
  onDeadline(): void
}

export class Deadlines {
  private readonly nowMs: () => number
  /** step → what is due then. */
  private readonly steps = new Map<number, Set<Waiting>>()
  private timer: NodeJS.Timeout | null = null
  private done: number

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs
    this.done = this.stepOf(nowMs())
  }

  /** Calls `onDeadline` at `atMs` of the clock, or up to two ticks later. */
  add(waiting: Waiting, atMs: number): void {
    if (this.timer === null) this.start()
    const due = Math.max(this.stepOf(atMs), this.done) + 1
    waiting.due = due
    const step = this.steps.get(due)
    if (step === undefined) this.steps.set(due, new Set([waiting]))
    else step.add(waiting)
  }

  remove(waiting: Waiting): void {
    this.steps.get(waiting.due)?.delete(waiting)
  }

  /** Nothing is called any more. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.steps.clear()
  }

  private start(): void {
    this.done = this.stepOf(this.nowMs())
    this.timer = setInterval(() => this.tick(), DEADLINE_TICK_MS)
    this.timer.unref()
  }

  private tick(): void {
    const now = this.stepOf(this.nowMs())
    while (this.done < now && this.steps.size > 0) {
      this.done += 1
      const step = this.steps.get(this.done)
      if (step === undefined) continue
      this.steps.delete(this.done)
      for (const waiting of step) waiting.onDeadline()
    }
    this.done = Math.max(this.done, now)
    if (this.steps.size === 0) this.close()
  }

  private stepOf(ms: number): number {
    return Math.floor(ms / DEADLINE_TICK_MS)
  }
}
