// How a replica comes to know what it missed: its start, slots from others' logs, snapshots of others'
// stores. A catch-up is one span however many questions it took.

import type { PaxosEvent } from '../../server/paxos/event.ts'
import { ATTR, EVENT, SPAN, type SpanName } from '../trace/span-model.ts'
import { type Attributes, made, randomSpanId, randomTraceId, type SpanEvent } from './span.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends PaxosEvent['type']> = Extract<PaxosEvent, { type: T }>
type Told = {
  readonly name: SpanName
  readonly startedAt: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
}

/** A catch-up that went on longer is told in parts. */
const CHUNKS_MAX = 100
/** No part for so long: it is over, for the leader's own messages filled the rest. */
const QUIET_MICROS = 5_000_000

type CatchUp = {
  readonly first: Of<'caughtUp'>
  last: Of<'caughtUp'>
  lastAt: number
  bytes: number
  readonly chunks: SpanEvent[]
}

export class CatchingUp {
  private readonly context: SpanContext
  private catchUp: CatchUp | null = null
  private recovered: Of<'recovered'> | null = null
  private opened: SpanEvent[] = []
  private readonly startedAt: number

  /** `startedAt`: when the process began, monotonic µs. */
  constructor(context: SpanContext, startedAt: number) {
    this.context = context
    this.startedAt = startedAt
  }

  onRecovered(event: Of<'recovered'>): void {
    this.recovered = event
    this.opened = [
      { name: EVENT.recovered, at: this.context.time.of(this.context.now), attributes: {} },
    ]
  }

  onReady(): void {
    const { recovered } = this
    if (recovered === null) return
    const { applied, decided, entries } = recovered
    const at = this.context.time.of(this.context.now)
    this.tell({
      name: SPAN.recovery,
      startedAt: this.startedAt,
      attributes: {
        [ATTR.slotFrom]: applied,
        [ATTR.slotTo]: decided,
        [ATTR.entries]: entries,
        [ATTR.outcome]: 'ok',
      },
      events: [...this.opened, { name: EVENT.ready, at, attributes: {} }],
    })
    this.recovered = null
  }

  onCaughtUp(event: Of<'caughtUp'>): void {
    const { now, time } = this.context
    this.catchUp ??= { first: event, last: event, lastAt: now, bytes: 0, chunks: [] }
    const { catchUp } = this
    catchUp.last = event
    catchUp.lastAt = now
    catchUp.bytes += event.bytes
    const { from, to, bytes, source, replica } = event
    const attributes = {
      [ATTR.slotFrom]: from,
      [ATTR.slotTo]: to,
      [ATTR.bytes]: bytes,
      [ATTR.peer]: replica,
      [ATTR.source]: source,
    }
    catchUp.chunks.push({ name: EVENT.chunk, at: time.of(now), attributes })
    if (event.isLevel || catchUp.chunks.length >= CHUNKS_MAX) this.end(catchUp)
  }

  /** After the events of a step. */
  settle(): void {
    const { catchUp } = this
    if (catchUp !== null && this.context.now - catchUp.lastAt > QUIET_MICROS) this.end(catchUp)
  }

  onSent({ slot, to, startedAt, chunks, keys, bytes }: Of<'snapshotSent'>): void {
    const about = { [ATTR.side]: 'giver', [ATTR.peer]: to, [ATTR.slot]: slot }
    this.tellSnapshot(startedAt, { ...about, ...sizes({ chunks, keys, bytes }) })
  }

  onInstalled({ slot, replica, startedAt, chunks, keys, bytes }: Of<'snapshotInstalled'>): void {
    const about = { [ATTR.side]: 'taker', [ATTR.peer]: replica, [ATTR.slot]: slot }
    this.tellSnapshot(startedAt, { ...about, ...sizes({ chunks, keys, bytes }) })
  }

  private tellSnapshot(startedAt: number, attributes: Attributes): void {
    this.tell({
      name: SPAN.snapshot,
      startedAt,
      attributes: { ...attributes, [ATTR.outcome]: 'ok' },
      events: [],
    })
  }

  private end({ first, last, bytes, chunks }: CatchUp): void {
    this.catchUp = null
    const attributes = {
      [ATTR.slotFrom]: first.from,
      [ATTR.slotTo]: last.to,
      [ATTR.bytes]: bytes,
      [ATTR.chunks]: chunks.length,
      [ATTR.peer]: last.replica,
      [ATTR.source]: last.source,
      [ATTR.outcome]: last.isLevel ? 'ok' : 'partial',
    }
    this.tell({ name: SPAN.catchUp, startedAt: first.behindSince, attributes, events: chunks })
  }

  private tell({ name, startedAt, attributes, events }: Told): void {
    const { time, now, spans } = this.context
    spans(
      made({
        name,
        kind: 'internal',
        traceId: randomTraceId(),
        spanId: randomSpanId(),
        parentSpanId: null,
        start: time.of(Math.min(startedAt, now)),
        end: Math.max(time.of(now), events.at(-1)?.at ?? 0),
        status: 'ok',
        attributes,
        events,
        links: [],
      }),
    )
  }
}

function sizes(size: {
  readonly chunks: number
  readonly keys: number
  readonly bytes: number
}): Attributes {
  return { [ATTR.chunks]: size.chunks, [ATTR.keys]: size.keys, [ATTR.bytes]: size.bytes }
}
