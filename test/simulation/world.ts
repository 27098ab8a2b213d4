// Virtual time, in µs: events in order, a running hash of all that happened, counters of what a
// collection of seeds must have seen at least sometimes.

import { EventQueue } from './event-queue.ts'

/** Something happened that must never happen. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Ten times what a run of 20 s needs: beyond, messages breed messages. */
const EVENTS_MAX = 3_000_000

export class World {
  /** µs since the world began. */
  now = 0
  eventCount = 0
  /** Says what happens, one line each; null: nobody listens. */
  trace: ((line: string) => void) | null = null
  readonly counters = new Map<string, number>()
  private hash = 0x811c9dc5
  private readonly queue = new EventQueue()

  /** Runs `run` in `delay` µs (0: after what is already due now). */
  after(delay: number, run: () => void): void {
    this.queue.push(this.now + Math.max(0, Math.floor(delay)), run)
  }

  /** Lets time pass up to `until`. */
  runTo(until: number): void {
    while (this.queue.nextAt <= until) this.next()
    this.now = Math.max(this.now, until)
  }

  /** Lets time pass until `isDone`; false when it is not by `deadline`. */
  runWhile(isDone: () => boolean, deadline: number): boolean {
    while (!isDone()) {
      if (this.queue.nextAt > deadline) {
        this.now = Math.max(this.now, deadline)
        return isDone()
      }
      this.next()
    }
    return true
  }

  /** Mixes something that happened into the hash by which two runs are compared. */
  note(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193)
    this.hash = Math.imul(this.hash ^ this.now, 0x01000193)
  }

  get traceHash(): number {
    return this.hash >>> 0
  }

  count(name: string, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by)
  }

  private next(): void {
    const event = this.queue.pop()
    if (event === undefined) return
    this.now = event.at
    this.eventCount += 1
    if (this.eventCount > EVENTS_MAX) throw new Violation('I11: the run comes to an end')
    event.run()
  }
}
