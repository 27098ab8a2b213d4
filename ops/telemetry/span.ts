// A finished span in plain fields, before the OpenTelemetry SDK makes one of its own of it. Times are
// whole µs since 1970.

import { randomBytes } from 'node:crypto'
import type { SpanName } from '../trace/span-model.ts'

export type AttributeValue = string | number | boolean
export type Attributes = Readonly<Record<string, AttributeValue>>

export type SpanEvent = {
  readonly name: string
  readonly at: number
  readonly attributes: Attributes
}

export type Span = {
  readonly name: SpanName
  readonly kind: 'internal' | 'server' | 'client'
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | null
  readonly start: number
  readonly end: number
  readonly status: 'unset' | 'ok' | 'error'
  readonly attributes: Attributes
  /** In order of time. */
  readonly events: readonly SpanEvent[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
}

/** Something that a span is made of when it is needed, and not before. */
export interface SpanSource {
  readonly name: SpanName
  /** Nobody misses the details: nothing in it was slow, refused or sent again. */
  readonly isOrdinary: boolean
  /** `isThin`: without events, their gist in attributes instead. */
  span(isThin: boolean): Span
}

/** A span that is made already. */
export function made(span: Span): SpanSource {
  return { name: span.name, isOrdinary: false, span: () => span }
}

/** Takes what is finished. */
export type Spans = (source: SpanSource) => void

export function randomTraceId(): string {
  return randomHex(16)
}

export function randomSpanId(): string {
  return randomHex(8)
}

/** Drawn from the system many at a time: each draw costs as much as the rest of a small span. */
let pool = Buffer.alloc(0)
let used = 0
const POOL_BYTES = 4_096

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}
