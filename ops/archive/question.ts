// What can be asked of the archive, and how each question is answered from its segments.

import { ATTR, SPAN } from '../trace/span-model.ts'
import type {
  HandoffAnswer,
  HandoffLine,
  HandoffsAnswer,
  InstanceAnswer,
  InstancesAnswer,
  RequestAnswer,
  SpansAnswer,
  TimelineAnswer,
  TraceAnswer,
} from './answers.ts'
import {
  archivedSpan,
  handoffLine,
  instanceLine,
  numberAt,
  spanLine,
  TIMELINE_NAMES,
  textAt,
  timelineLine,
} from './lines.ts'
import type { OtlpSpan } from './otlp-span.ts'
import { type FoundPage, type IsOver, overAfter, type Page, type Search } from './search.ts'
import type { Filter, Place } from './segment-reader.ts'

type Listing = { readonly filter: Filter; readonly page: Page }

export type Question =
  | { readonly type: 'trace'; readonly traceId: string }
  | { readonly type: 'request'; readonly traceId: string }
  | { readonly type: 'instance'; readonly gid: number; readonly slot: number }
  | { readonly type: 'handoff'; readonly config: number; readonly shard: number }
  | ({ readonly type: 'instances' } & Listing)
  | ({ readonly type: 'handoffs' } & Listing)
  | ({ readonly type: 'timeline' } & Listing)
  | ({ readonly type: 'spans' } & Listing)

/** Instances that one request's answer holds: it may have been part of many batches. */
const LINKED_TRACES_MAX = 64

/** No question takes much longer, however many searches it is: one segment more at most. */
const QUESTION_MS_MAX = 1_000

/** Null: there is nothing of that name. A list may be empty. */
export function answer(
  search: Search,
  question: Question,
  isOver: IsOver = overAfter(QUESTION_MS_MAX),
): object | null {
  switch (question.type) {
    case 'trace':
      return trace(search, question.traceId)
    case 'request':
      return request(search, question.traceId, isOver)
    case 'instance':
      return instance(search, question.gid, question.slot)
    case 'handoff':
      return handoff(search, question.config, question.shard)
    case 'instances':
      return instances(search, question, isOver)
    case 'handoffs':
      return handoffs(search, question, isOver)
    case 'timeline':
      return timeline(search, question, isOver)
    case 'spans':
      return spans(search, question, isOver)
  }
}

function trace(search: Search, traceId: string): TraceAnswer | null {
  const found = search.ofTrace(traceId)
  return found.length === 0 ? null : { traceId, spans: inOrder(found) }
}

/** Newest formation first: another formation of the group is another log, in another trace. */
function instance(search: Search, gid: number, slot: number): InstanceAnswer | null {
  const found = paxosOf(search, gid, slot)
  if (found.length === 0) return null
  const logs = new Map<string, OtlpSpan[]>()
  for (const span of found) logs.set(span.traceId, [...(logs.get(span.traceId) ?? []), span])
  const newest = (spans: readonly OtlpSpan[]): number =>
    Math.max(...spans.map(({ startMicros }) => startMicros))
  const ordered = [...logs.values()].sort((one, other) => newest(other) - newest(one))
  return { gid, slot, spans: ordered.flatMap(inOrder) }
}

/** Changes and snapshots name a slot as well. */
function paxosOf(search: Search, gid: number, slot: number): readonly OtlpSpan[] {
  return search
    .ofSlot(gid, slot)
    .filter(({ name }) => name === SPAN.instance || name === SPAN.accept)
}

function handoff(search: Search, config: number, shard: number): HandoffAnswer | null {
  const found = search.ofShard(SPAN.handoff, config, shard)
  return found.length === 0 ? null : { config, shard, spans: inOrder(found) }
}

function request(search: Search, traceId: string, isOver: IsOver): RequestAnswer | null {
  const found = search.ofTrace(traceId)
  if (found.length === 0) return null
  const linked = new Set(found.flatMap(({ links }) => links.map(link => link.traceId)))
  linked.delete(traceId)
  const searches = [
    ...[...linked].slice(0, LINKED_TRACES_MAX).map(id => () => search.ofTrace(id)),
    ...found.slice(0, LINKED_TRACES_MAX).map(span => () => decidedIn(search, span)),
  ]
  const bySpan = new Map<string, OtlpSpan>()
  let isPartial = false
  for (const next of searches) {
    isPartial = isOver()
    if (isPartial) break
    for (const span of next()) bySpan.set(span.traceId + span.spanId, span)
  }
  return { traceId, spans: inOrder(found), instances: inOrder([...bySpan.values()]), isPartial }
}

/** A node of another group knows in which slot a write was decided, but not the ids there. */
function decidedIn(search: Search, span: OtlpSpan): readonly OtlpSpan[] {
  const gid = numberAt(span.attributes, ATTR.decidedGroup)
  const slot = numberAt(span.attributes, ATTR.decidedSlot)
  const isRead = textAt(span.attributes, ATTR.readPath) !== null
  return gid === null || slot === null || isRead ? [] : paxosOf(search, gid, slot)
}

function instances(search: Search, { filter, page }: Listing, isOver: IsOver): InstancesAnswer {
  const found = search.page({ ...filter, names: [SPAN.instance] }, page, isOver)
  return { instances: spansOf(search, found).map(instanceLine), ...ending(found) }
}

function timeline(search: Search, { filter, page }: Listing, isOver: IsOver): TimelineAnswer {
  const found = search.page({ ...filter, names: TIMELINE_NAMES }, page, isOver)
  return { entries: spansOf(search, found).map(timelineLine), ...ending(found) }
}

function spans(search: Search, { filter, page }: Listing, isOver: IsOver): SpansAnswer {
  const found = search.page(filter, page, isOver)
  return { spans: spansOf(search, found).map(spanLine), ...ending(found) }
}

/** Both sides of a move are spans of their own: a move is listed where its newest one stands. */
function handoffs(search: Search, { filter, page }: Listing, isOver: IsOver): HandoffsAnswer {
  const wanted = { ...filter, names: [SPAN.handoff] }
  const listed: HandoffLine[] = []
  const known = new Set<string>()
  let { before } = page
  const ended = before === null ? null : { ...before, spanId: search.spanId(before) }
  for (;;) {
    const found = search.page(wanted, { ...page, before }, isOver)
    for (const place of found.places) {
      const line = joined(search, place, ended)
      const name = line === null ? '' : `${line.config}/${line.shard}`
      if (line !== null && !known.has(name)) listed.push(line)
      known.add(name)
      before = place
      // A page may be short; the next one goes on where this one had no more time.
      if (listed.length < page.limit && !isOver()) continue
      return { handoffs: listed, next: cursorText(place), isPartial: found.isPartial }
    }
    before = found.next
    if (before !== null && !isOver()) continue
    const next = before === null ? null : cursorText(before)
    return { handoffs: listed, next, isPartial: found.isPartial }
  }
}

type Ended = { readonly startMicros: number; readonly spanId: string | null }

/** Null: not a whole handoff, or one that an earlier page had because of its other side. */
function joined(search: Search, place: Place, ended: Ended | null): HandoffLine | null {
  const span = search.span(place)
  const config = numberAt(span.attributes, ATTR.config)
  const shard = numberAt(span.attributes, ATTR.shard)
  if (config === null || shard === null) return null
  const sides = search.ofShard(SPAN.handoff, config, shard)
  const isListed = sides.some(
    ({ startMicros, spanId }) =>
      ended !== null && (startMicros > ended.startMicros || spanId === ended.spanId),
  )
  return isListed || sides.length === 0 ? null : handoffLine(config, shard, sides)
}

function spansOf(search: Search, { places }: FoundPage): readonly OtlpSpan[] {
  return places.map(place => search.span(place))
}

function inOrder(spans: readonly OtlpSpan[]) {
  return [...spans]
    .sort((one, other) => one.startMicros - other.startMicros)
    .map(span => archivedSpan(span))
}

function ending({ next, isPartial }: FoundPage) {
  return { next: next === null ? null : cursorText(next), isPartial }
}

/** Opaque to those who send it back. */
function cursorText({ segment, id, startMicros, durationMicros }: Place): string {
  return [segment, id, startMicros, durationMicros].map(part => part.toString(36)).join('.')
}

/** Null: not a text of `cursorText`. */
export function cursorPlace(text: string): Place | null {
  if (!/^[0-9a-z]{1,11}(?:\.[0-9a-z]{1,11}){3}$/.test(text)) return null
  const [segment = 0, id = 0, startMicros = 0, durationMicros = 0] = text
    .split('.')
    .map(part => Number.parseInt(part, 36))
  const all = [segment, id, startMicros, durationMicros]
  return all.every(Number.isSafeInteger) ? { segment, id, startMicros, durationMicros } : null
}
