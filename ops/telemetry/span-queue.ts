// What waits for export. Bounded: above the high-water mark ordinary instances lose their details, at
// the mark of all instances, acceptances and requests are dropped, at the end everything is; each is
// counted.

import { SPAN, type SpanName } from '../trace/span-model.ts'
import type { SpanSource } from './span.ts'

/** What became of finished spans. Each is counted once. */
export type SpanFates = {
  /** The receiver has it. */
  exported: number
  /** The receiver has it, without its details. */
  thinned: number
  /** There was no room, or no time before the process stopped. */
  dropped: number
  /** The receiver refused it for good. */
  failed: number
}

export type SpanCounters = Readonly<Record<SpanName, SpanFates>>

export type Queued = { readonly source: SpanSource; readonly isThin: boolean }

export type QueueBounds = {
  /** Spans; from here on ordinary instances are thinned. */
  readonly thinFrom: number
  /** No further instances, acceptances and requests. */
  readonly many: number
  readonly max: number
}

/** About 0.5 KB each: 16 MB at the most, or half a minute of a busy leader. */
export const QUEUE_BOUNDS: QueueBounds = { thinFrom: 8_192, many: 32_768, max: 34_816 }

/** As many as there are instances, or requests: they may not fill the places of the rare ones. */
const MANY: readonly SpanName[] = [SPAN.instance, SPAN.accept, SPAN.request]

export class SpanQueue {
  readonly counters: SpanCounters
  private readonly bounds: QueueBounds
  private items: Queued[] = []
  private first = 0

  constructor(bounds: QueueBounds = QUEUE_BOUNDS) {
    this.bounds = bounds
    this.counters = noFates()
  }

  get size(): number {
    return this.items.length - this.first
  }

  add(source: SpanSource): void {
    const { size } = this
    const { thinFrom, many, max } = this.bounds
    if (size >= max || (size >= many && MANY.includes(source.name))) {
      this.counters[source.name].dropped += 1
      return
    }
    this.items.push({ source, isThin: size >= thinFrom && source.isOrdinary })
  }

  /** The oldest ones, which are out of the queue then. */
  take(countMax: number): readonly Queued[] {
    const end = Math.min(this.items.length, this.first + countMax)
    const taken = this.items.slice(this.first, end)
    this.first = end
    if (this.first === this.items.length || this.first >= PLACES_LEFT) {
      this.items = this.items.slice(this.first)
      this.first = 0
    }
    return taken
  }

  count(queued: readonly Queued[], fate: 'sent' | 'dropped' | 'failed'): void {
    for (const { source, isThin } of queued) {
      const fates = this.counters[source.name]
      if (fate !== 'sent') fates[fate] += 1
      else if (isThin) fates.thinned += 1
      else fates.exported += 1
    }
  }
}

/** So many taken ones are forgotten at once. */
const PLACES_LEFT = 1_024

export function noFates(): SpanCounters {
  const none = (): SpanFates => ({ exported: 0, thinned: 0, dropped: 0, failed: 0 })
  return {
    [SPAN.instance]: none(),
    [SPAN.accept]: none(),
    [SPAN.election]: none(),
    [SPAN.leadership]: none(),
    [SPAN.catchUp]: none(),
    [SPAN.snapshot]: none(),
    [SPAN.recovery]: none(),
    [SPAN.reconfiguration]: none(),
    [SPAN.handoff]: none(),
    [SPAN.change]: none(),
    [SPAN.request]: none(),
  }
}
