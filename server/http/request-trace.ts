// The request's side of tracing, as far as the routes know it: which requests leave a trace is decided
// when they are answered, from two times and the outcome; until then a request costs a number.

import type { ByteString } from '../bytes.ts'

/** A replica that refused or did not answer, and what it was asked after it. */
export type Attempt = {
  /** Since the request began, and how long it took; ms. */
  readonly afterMs: number
  readonly tookMs: number
  readonly gid: number
  readonly replica: number
  /** Type of its reply; `unreachable` when there was none. */
  readonly outcome: string
}

export type AnsweredRequest = {
  /** get | put | puthash | delete | batch | join | leave | move. */
  readonly op: string
  /** As `now` gave it. */
  readonly startedAt: number
  /** W3C traceparent that came with it. */
  readonly traceParent: string | null
  /** `ok`, or why it was not done. */
  readonly outcome: string
  readonly isFailed: boolean
  readonly key: ByteString | null
  readonly shard: number | null
  readonly config: number | null
  /** The group and slot that decided a write, or up to which a read saw. */
  readonly gid: number | null
  readonly slot: number | null
  /** Null: not a read. */
  readonly read: 'linearizable' | 'stale' | null
  /** The first few. */
  readonly attempts: readonly Attempt[]
  /** How often a replica was asked, whatever it said. */
  readonly tries: number
}

export interface RequestTrace {
  /** ms, for `startedAt`. */
  now(): number
  /** Whether a request that is answered now is to be kept. */
  isKept(startedAt: number, isFailed: boolean, traceParent: string | null): boolean
  /** Keeps it. Returns the traceparent of its span. */
  keep(request: AnsweredRequest): string
}

/** Whether who sent the traceparent keeps its own part of the trace. */
export function isSampledByCaller(traceParent: string): boolean {
  return (Number.parseInt(traceParent.slice(-2), 16) & 1) === 1
}
