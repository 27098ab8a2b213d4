// Questions over all segments: which of them can have an answer is known from their extents, so most
// are never opened.

import { existsSync } from 'node:fs'
import type { OtlpSpan } from './otlp-span.ts'
import {
  type Filter,
  newerFirst,
  type Place,
  SegmentReader,
  SPANS_OF_ONE_MAX,
  slowerFirst,
} from './segment-reader.ts'

/** A segment as readers see it; the active one may get spans of any time. */
export type Readable = {
  readonly number: number
  readonly path: string
  readonly startMin: number
  readonly startMax: number
}

export type Page = {
  readonly order: 'newest' | 'slowest'
  readonly limit: number
  /** Where the page before ended. */
  readonly before: Place | null
}

export type FoundPage = {
  readonly places: readonly Place[]
  /** The last one; null when there is nothing after it. */
  readonly next: Place | null
  /** The time was over before everything was looked at, and `next` cannot go on from there. */
  readonly isPartial: boolean
}

/** When a question has had its time: asked between two steps of a search. */
export type IsOver = () => boolean

/** Segments kept open, the last used: each is three files of those that a process may have open. */
const READERS_MAX = 128

export class Search {
  private segments: readonly Readable[] = []
  /** Last used last. */
  private readonly readers = new Map<number, SegmentReader>()
  private readonly readersMax: number

  constructor(readersMax = READERS_MAX) {
    this.readersMax = readersMax
  }

  /** Replaces the list, oldest first; what is not in it any more is closed. */
  update(segments: readonly Readable[]): void {
    const numbers = new Set(segments.map(({ number }) => number))
    for (const [number, reader] of this.readers) {
      if (numbers.has(number)) continue
      reader.close()
      this.readers.delete(number)
    }
    this.segments = [...segments].reverse()
  }

  close(): void {
    this.update([])
  }

  ofTrace(traceId: string): readonly OtlpSpan[] {
    return this.gathered(reader => reader.ofTrace(traceId))
  }

  ofSlot(gid: number, slot: number): readonly OtlpSpan[] {
    return this.gathered(reader => reader.ofSlot(gid, slot))
  }

  ofShard(name: string, config: number, shard: number): readonly OtlpSpan[] {
    return this.gathered(reader => reader.ofShard(name, config, shard))
  }

  span(place: Place): OtlpSpan {
    const segment = this.segments.find(({ number }) => number === place.segment)
    const reader = segment === undefined ? null : this.reader(segment)
    if (reader === null) throw new Error('a span was asked for in a segment that is gone')
    return reader.span(place.id)
  }

  /** Null: it is not there any more. */
  spanId(place: Place): string | null {
    const isThere = this.segments.some(({ number }) => number === place.segment)
    return isThere && place.id > 0 ? this.span(place).spanId : null
  }

  page(filter: Filter, page: Page, isOver: IsOver): FoundPage {
    const { order } = page
    return order === 'newest'
      ? this.newest(filter, page, isOver)
      : this.slowest(filter, page, isOver)
  }

  private newest(filter: Filter, { limit, before }: Page, isOver: IsOver): FoundPage {
    const found: Place[] = []
    const top = before?.startMicros ?? Number.POSITIVE_INFINITY
    const within = this.within(filter)
      .filter(({ startMin }) => startMin <= top)
      .sort((one, other) => other.startMax - one.startMax)
    for (const segment of within) {
      const last = found.length > limit ? found[limit] : undefined
      if (last !== undefined && last.startMicros > segment.startMax) break
      const reader = this.reader(segment)
      if (reader === null) continue
      const part = reader.newest(filter, { before, limit: limit + 1, isOver })
      found.push(...part.places)
      found.sort(newerFirst)
      found.length = Math.min(found.length, limit + 1)
      if (part.reachedMicros !== null) return cutAt(found, part.reachedMicros, limit)
      if (isOver() && segment !== within.at(-1)) {
        const rest = within.slice(within.indexOf(segment) + 1)
        return cutAt(found, Math.max(...rest.map(({ startMax }) => startMax)), limit)
      }
    }
    return wholePage(found, limit)
  }

  private slowest(filter: Filter, { limit, before }: Page, isOver: IsOver): FoundPage {
    const found: Place[] = []
    for (const segment of this.within(filter)) {
      if (isOver()) return { places: found.slice(0, limit), next: null, isPartial: true }
      const places = this.reader(segment)?.slowest(filter, { before, limit: limit + 1 }) ?? []
      found.push(...places)
      found.sort(slowerFirst)
      found.length = Math.min(found.length, limit + 1)
    }
    return wholePage(found, limit)
  }

  private within({ fromMicros, toMicros }: Filter): Readable[] {
    return this.segments.filter(
      ({ startMin, startMax }) => startMin <= toMicros && startMax >= fromMicros,
    )
  }

  private gathered(find: (reader: SegmentReader) => readonly OtlpSpan[]): readonly OtlpSpan[] {
    const found: OtlpSpan[] = []
    for (const segment of this.segments) {
      const reader = this.reader(segment)
      if (reader !== null) found.push(...find(reader))
      if (found.length >= SPANS_OF_ONE_MAX) break
    }
    return found.slice(0, SPANS_OF_ONE_MAX)
  }

  /** Null: it was removed a moment ago, which the next `update` will tell. */
  private reader(segment: Readable): SegmentReader | null {
    const known = this.readers.get(segment.number)
    const reader = known ?? this.opened(segment)
    if (reader === null) return null
    this.readers.delete(segment.number)
    this.readers.set(segment.number, reader)
    return reader
  }

  private opened(segment: Readable): SegmentReader | null {
    for (const [number, reader] of this.readers) {
      if (this.readers.size < this.readersMax) break
      reader.close()
      this.readers.delete(number)
    }
    try {
      return new SegmentReader(segment.number, segment.path)
    } catch (error) {
      // A file that is there and cannot be opened may have the answer: "nothing" would be untrue.
      if (existsSync(segment.path)) throw error
      return null
    }
  }
}

function wholePage(found: readonly Place[], limit: number): FoundPage {
  const places = found.slice(0, limit)
  const next = found.length > limit ? (places.at(-1) ?? null) : null
  return { places, next, isPartial: false }
}

/** Of what was found until the time was over, all that is newer than anything not looked at. */
function cutAt(found: readonly Place[], reachedMicros: number, limit: number): FoundPage {
  const places = found.filter(place => place.startMicros > reachedMicros).slice(0, limit)
  if (places.length === limit) {
    return { places, next: places.at(-1) ?? null, isPartial: false }
  }
  const next = { segment: 0, id: 0, startMicros: reachedMicros + 1, durationMicros: 0 }
  return { places, next, isPartial: false }
}

export function overAfter(ms: number): IsOver {
  const end = performance.now() + ms
  return () => performance.now() > end
}
