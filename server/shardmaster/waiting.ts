// Those who wait for the next configuration. Each waits for the same time, so the order in which
// they came is the order in which they give up.

import { CONFIG_POLL_MS } from '../limits.ts'

export type Waiter<Who> = {
  readonly who: Who
  /** The newest configuration that it has. */
  readonly after: number
}

type Held<Who> = Waiter<Who> & { readonly deadline: number }

/** A bounded number of waiters, by key. */
export class Waiting<Key, Who> {
  private readonly waiters = new Map<Key, Held<Who>>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  /** Returns the oldest where there is no room for both; `micros` is now. */
  add(key: Key, waiter: Waiter<Who>, micros: number): Waiter<Who> | null {
    const deadline = micros + CONFIG_POLL_MS * 1000
    this.waiters.delete(key)
    this.waiters.set(key, { ...waiter, deadline })
    if (this.waiters.size <= this.most) return null
    for (const [oldest, dropped] of this.waiters) {
      this.waiters.delete(oldest)
      return dropped
    }
    return null
  }

  delete(key: Key): void {
    this.waiters.delete(key)
  }

  /** Takes out all who lack configuration `latest`. */
  takeBehind(latest: number): Waiter<Who>[] {
    const taken: Waiter<Who>[] = []
    for (const [key, waiter] of this.waiters) {
      if (waiter.after >= latest) continue
      this.waiters.delete(key)
      taken.push(waiter)
    }
    return taken
  }

  /** Takes out all whose time is up at `micros`. */
  takeLate(micros: number): Waiter<Who>[] {
    const taken: Waiter<Who>[] = []
    for (const [key, waiter] of this.waiters) {
      if (waiter.deadline > micros) break
      this.waiters.delete(key)
      taken.push(waiter)
    }
    return taken
  }

  /** When the first one's time is up; Infinity when nobody waits. */
  get firstDeadline(): number {
    for (const waiter of this.waiters.values()) return waiter.deadline
    return Number.POSITIVE_INFINITY
  }

  get size(): number {
    return this.waiters.size
  }
}
