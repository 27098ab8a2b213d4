// Clients whose every operation is kept with its times and outcome, for the checker; and small words
// that the course's cases share.

import { availableParallelism, loadavg } from 'node:os'
import * as assert from 'uvu/assert'
import { checkHistory } from '../../ops/history/checker.ts'
import type { Action, Operation, Outcome } from '../../ops/history/history.ts'
import { fnv1a } from '../../server/bytes.ts'
import { type Clerk, ShardglassError } from '../../server/client/clerk.ts'

const NONE = { type: 'none' } as const

/** A put's value, or that of a chain of putHash after one more link. */
export function link(previous: string, value: string): string {
  return String(fnv1a(previous + value))
}

/** One run's history, from any number of clients. */
export class Recorder {
  readonly history: Operation[] = []
  private clients = 0

  /** A client of its own in the history. It asks `clerk`, or another one each time. */
  client(clerk: Clerk | (() => Clerk)): RecordedClerk {
    this.clients += 1
    return new RecordedClerk(
      this,
      `c${this.clients}`,
      typeof clerk === 'function' ? clerk : () => clerk,
    )
  }

  /** Throws unless a single copy of each key could have given these answers. */
  check(): void {
    assert.equal(checkHistory(this.history), { type: 'linearizable' })
  }
}

type Answer<T> = { readonly outcome: Outcome; readonly value: T }

/** Values are text; an absent key reads as ''. */
export class RecordedClerk {
  private readonly recorder: Recorder
  private readonly name: string
  private readonly clerk: () => Clerk
  /** A client whose request may yet take effect goes on under another name. */
  private life = 0

  constructor(recorder: Recorder, name: string, clerk: () => Clerk) {
    this.recorder = recorder
    this.name = name
    this.clerk = clerk
  }

  get(key: string): Promise<string> {
    return this.record(key, { op: 'get' }, async clerk => {
      const entry = await clerk.get(key)
      if (entry === null) return { outcome: { type: 'noSuchKey' }, value: '' }
      const value = entry.value.toString()
      return { outcome: { type: 'ok', value, version: entry.version }, value }
    })
  }

  put(key: string, value: string): Promise<void> {
    return this.record(key, { op: 'put', value, condition: NONE }, async clerk => {
      const { version } = await clerk.put(key, value)
      return { outcome: { type: 'ok', value, version }, value: undefined }
    })
  }

  /** The previous value. */
  putHash(key: string, value: string): Promise<string> {
    return this.record(key, { op: 'puthash', value, condition: NONE }, async clerk => {
      const { previous, version } = await clerk.putHash(key, value)
      const text = previous.toString()
      return { outcome: { type: 'ok', value: text, version }, value: text }
    })
  }

  private async record<T>(
    key: string,
    action: Action,
    run: (clerk: Clerk) => Promise<Answer<T>>,
  ): Promise<T> {
    const calledAt = performance.now()
    const client = `${this.name}-${this.life}`
    try {
      const { outcome, value } = await run(this.clerk())
      const returnedAt = performance.now()
      this.recorder.history.push({ client, key, action, calledAt, returnedAt, outcome })
      return value
    } catch (error) {
      if (error instanceof ShardglassError && error.outcome === 'unknown') {
        this.life += 1
        const unknown = { returnedAt: Number.POSITIVE_INFINITY, outcome: null }
        this.recorder.history.push({ client, key, action, calledAt, ...unknown })
      }
      throw error
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise(done => setTimeout(done, ms))
}

/** Runs `work` for 0 … count − 1 at once. */
export function together<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

/**
 * The course's deadlines are for a machine with time to spare: on one with more to do than it has
 * processors they are longer by so much.
 */
export function patienceMs(ms: number): number {
  return ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism())
}

/** Fails when it takes longer (see patienceMs). Returns the time that it took, in ms. */
export async function within(ms: number, what: string, work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  const limitMs = patienceMs(ms)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not within ${limitMs} ms: ${what}`)), limitMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
  return performance.now() - startedAt
}

/** What the work fails with, in words; throws when it does not fail. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  const failure = await work.then(
    () => null,
    error => String(error),
  )
  assert.ok(failure !== null, 'it fails')
  return failure
}
