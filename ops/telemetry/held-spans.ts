// Spans of what every replica of a group sees alike: its leader writes them. A follower holds its own
// for a while, and writes them if it becomes the leader meanwhile: the one before may have died, or
// may have lost the leadership, with the span unwritten. Written twice they have two authors.

import type { SpanSource } from './span.ts'
import type { SpanContext } from './span-context.ts'

/** An election takes a second at most; older news was written by whoever led then. */
export const HELD_MICROS = 10_000_000
export const HELD_MAX = 1_000

export class HeldSpans {
  private readonly context: SpanContext
  private held: { readonly at: number; readonly source: SpanSource }[] = []

  constructor(context: SpanContext) {
    this.context = context
  }

  tell(source: SpanSource): void {
    const { context } = this
    if (context.leading !== null) return context.spans(source)
    this.forget()
    // The newest are those that are likeliest to be unwritten.
    if (this.held.length >= HELD_MAX) this.held.shift()
    this.held.push({ at: context.now, source })
  }

  /** This replica leads now. */
  release(): void {
    this.forget()
    for (const { source } of this.held) this.context.spans(source)
    this.held = []
  }

  private forget(): void {
    const since = this.context.now - HELD_MICROS
    while (this.held[0] !== undefined && this.held[0].at < since) this.held.shift()
  }
}
