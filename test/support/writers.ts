// Writers and readers that go on while a test hurts the cluster. They keep what was acknowledged and
// what may have happened, and check afterwards that nothing acknowledged is gone.

import { fnv1a } from '../../server/bytes.ts'
import { type Clerk, ShardglassError } from '../../server/client/clerk.ts'

/** No two writers of a test share a key. */
let created = 0

export type Finding = { readonly key: string; readonly problem: string }

/**
 * Each writer has keys of its own: counters that it puts one by one, and a chain of putHash, in
 * which a write that is lost, or runs twice, changes every later value.
 */
export class Writers {
  acknowledged = 0
  unknown = 0
  /** Longest time without any acknowledgement, in ms. */
  longestGapMs = 0
  readonly findings: Finding[] = []
  private readonly clerk: Clerk
  private readonly prefix = `w${++created}`
  private readonly running: Promise<void>[]
  private isStopping = false
  private lastAt = performance.now()
  /** key → last value that was acknowledged, and one that was tried since, if any. */
  private readonly puts = new Map<string, { value: string; tried: string | null }>()
  private readonly chains = new Map<string, { value: string; tried: string | null }>()

  constructor(clerk: Clerk, count: number, keysPerWriter = 8) {
    this.clerk = clerk
    this.running = Array.from({ length: count }, (_, writer) => this.run(writer, keysPerWriter))
  }

  /** Lets the writes under way end, and waits for them. */
  async stop(): Promise<void> {
    this.isStopping = true
    await Promise.all(this.running)
  }

  /** After `stop`: reads everything back. Returns what is wrong, nothing if all is well. */
  async check(clerk: Clerk = this.clerk): Promise<readonly Finding[]> {
    const found = [...this.findings]
    for (const states of [this.puts, this.chains]) {
      await Promise.all(
        [...states].map(async ([key, { value, tried }]) => {
          const entry = await clerk.get(key)
          const seen = entry?.value.toString() ?? ''
          if (seen === value || (tried !== null && seen === tried)) return
          found.push({ key, problem: `acknowledged "${value}", read "${seen}"` })
        }),
      )
    }
    return found
  }

  private async run(writer: number, keys: number): Promise<void> {
    for (let count = 1; !this.isStopping; count++) {
      const name = `${this.prefix}-${writer}-${count % keys}`
      if (count % 3 === 0) await this.link(`${name}-chain`, `${count}`)
      else await this.put(name, `${writer}:${count}`)
      await new Promise(done => setTimeout(done, 5))
    }
  }

  private async put(key: string, value: string): Promise<void> {
    const state = this.puts.get(key) ?? { value: '', tried: null }
    this.puts.set(key, state)
    const isDone = await this.attempt(() => this.clerk.put(key, value))
    if (isDone === 'unknown') state.tried = value
    if (isDone !== null && isDone !== 'unknown') this.puts.set(key, { value, tried: null })
  }

  private async link(key: string, value: string): Promise<void> {
    const state = this.chains.get(key) ?? { value: '', tried: null }
    this.chains.set(key, state)
    if (state.tried !== null) return // its next value depends on what nobody knows
    const isDone = await this.attempt(() => this.clerk.putHash(key, value))
    const next = String(fnv1a(state.value + value))
    if (isDone === 'unknown') state.tried = next
    if (isDone === null || isDone === 'unknown') return
    const previous = isDone.previous.toString()
    if (previous !== state.value) {
      this.findings.push({ key, problem: `previous "${previous}" instead of "${state.value}"` })
    }
    this.chains.set(key, { value: next, tried: null })
  }

  /** Null: certainly nothing happened. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | 'unknown' | null> {
    try {
      const result = await work()
      const now = performance.now()
      this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt)
      this.lastAt = now
      this.acknowledged += 1
      return result
    } catch (error) {
      if (!(error instanceof ShardglassError)) throw error
      if (error.outcome === 'not_applied') return null
      this.unknown += 1
      return 'unknown'
    }
  }
}
