// One request and its one answer, as the routes see them: on Node's own objects in a running node
// (half the cost of a web Request with a body), on web objects where the app is called without a
// server. Answers are plain values; an answer's body may be a stream of server-sent events.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { ANSWER_TIMEOUT_MS } from './bounds.ts'
import type { Problem, ProblemCode } from './problem.ts'
import { type RequestOp, Traffic } from './traffic.ts'

export type Answer = {
  readonly status: number
  /** Flat list of names and values. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array | null | EventStream
  /** Set where it is the answer of a problem. */
  readonly problem?: ProblemCode
  /** Of a write that was run: the slot that decided it, in the log of `group`. */
  readonly slot?: number
  readonly group?: number
}

/** Server-sent events, already formatted; ends soon after the signal is aborted. */
export type EventStream = { readonly events: (signal: AbortSignal) => AsyncIterable<string> }

export interface Exchange {
  readonly method: string
  /** The request target as it was received: nothing decoded, nothing normalised. */
  readonly target: string
  readonly remoteAddress: string
  /** The same object for all requests of one connection; null where there is none. */
  readonly connection: object | null
  /** Value of a header given in lower case. */
  header(name: string): string | undefined
  /** `done` gets the whole body or why it is refused; never called when the client went away. */
  readBody(bytesMax: number, done: (body: Buffer | Problem) => void): void
  /** Counts it from here on, until its answer. */
  begin(op: RequestOp): void
  /** Exactly once. */
  answer(answer: Answer): void
}

/** What the exchanges of one app share. */
export type ExchangeShared = {
  /** Event streams under way; aborting them ends them. */
  readonly streams: Set<AbortController>
  /** No stream may begin any more. */
  isClosing: boolean
  /** An answer that the client does not read for so long ends its connection, ms. */
  readonly answerTimeoutMs: number
  /** Bytes of bodies whose requests are not answered yet. */
  bodyBytes: number
  readonly traffic: Traffic
}

export function newShared(
  options: { readonly answerTimeoutMs?: number | undefined; readonly traffic?: Traffic } = {},
): ExchangeShared {
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS, traffic = new Traffic() } = options
  return { streams: new Set(), isClosing: false, answerTimeoutMs, bodyBytes: 0, traffic }
}

export type NodeObjects = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse }

export function isEventStream(body: Answer['body']): body is EventStream {
  return typeof body === 'object' && body !== null && 'events' in body
}
