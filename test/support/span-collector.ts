// The spans that the switch makes of events, in the hands of a test, with a clock that it sets.

import { EventSpans } from '../../ops/telemetry/event-spans.ts'
import type { Span } from '../../ops/telemetry/span.ts'
import { SpanContext } from '../../ops/telemetry/span-context.ts'
import type { SpanName } from '../../ops/trace/span-model.ts'
import type { Event } from '../../server/contract.ts'

export const CLUSTER = 'test'
export const WALL_MS = 1_790_000_000_000

/** One replica's. */
export class SpanCollector {
  readonly spans: Span[] = []
  readonly context: SpanContext
  readonly events: EventSpans
  /** Of the clock, µs. */
  micros = 1_000_000

  constructor(gid = 1, replica = 0) {
    this.context = new SpanContext({
      cluster: CLUSTER,
      gid,
      replica,
      clock: () => this.micros,
      spans: source => this.spans.push(source.span(false)),
    })
    this.events = new EventSpans(this.context, 0)
  }

  /** At a time of the clock, µs; wall time goes with it. */
  tell(events: readonly Event[], micros: number = this.micros): void {
    this.micros = micros
    const wallMs = WALL_MS + Math.floor(micros / 1000)
    this.events.onEvents(events, { micros, wallMs })
  }

  named(name: SpanName): readonly Span[] {
    return this.spans.filter(span => span.name === name)
  }
}

/** µs since 1970 of a time of the collector's clock. */
export function wall(micros: number): number {
  return WALL_MS * 1000 + micros
}

/** Names of a span's events, in order. */
export function steps(span: Span | undefined): readonly string[] {
  return (span?.events ?? []).map(({ name }) => name)
}
