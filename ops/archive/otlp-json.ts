// OTLP/HTTP in JSON: the protobuf JSON mapping with hex ids and enums as numbers, as OTLP defines it.
// 64-bit numbers come as text from most, as numbers from others; both are taken. Whatever has another
// shape than it should counts as absent.

import { isRecord } from '../../server/client/problem.ts'
import type { AttributeValue } from './answers.ts'
import {
  ATTRIBUTES_MAX,
  type AttributeList,
  type Author,
  admit,
  asText,
  authorOf,
  BadBody,
  cut,
  durationOf,
  ELEMENTS_MAX,
  EVENT_ATTRIBUTES_MAX,
  EVENTS_MAX,
  finite,
  hexId,
  LINKS_MAX,
  NAME_LENGTH_MAX,
  newReceived,
  type OtlpEvent,
  type OtlpLink,
  pushLink,
  type Received,
  SPANS_MAX,
  TEXT_LENGTH_MAX,
  VALUE_DEPTH_MAX,
} from './otlp-span.ts'

type Json = Readonly<Record<string, unknown>>

/** Throws BadBody. */
export function decodeJsonSpans(body: Buffer): Received {
  const request = parsed(body)
  const received = newReceived()
  for (const resourceSpans of records(request.resourceSpans)) {
    const author = readAuthor(resourceSpans.resource)
    for (const scopeSpans of records(resourceSpans.scopeSpans)) {
      const spans = records(scopeSpans.spans)
      if (received.spans.length + received.rejected + spans.length > SPANS_MAX) {
        throw new BadBody(`more than ${SPANS_MAX} spans in one request`, true)
      }
      for (const span of spans) readSpan(span, author, received)
    }
  }
  return received
}

function parsed(body: Buffer): Json {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw new BadBody('the body is not JSON')
  }
  if (!isRecord(value)) throw new BadBody('the body is not a JSON object')
  return value
}

function readAuthor(resource: unknown): Author {
  const list = readAttributes(isRecord(resource) ? resource.attributes : [], ATTRIBUTES_MAX)
  const position = (key: string): number =>
    list.findIndex((item, at) => at % 2 === 0 && item === key)
  return authorOf(key => (position(key) < 0 ? undefined : list[position(key) + 1]))
}

function readSpan(span: Json, author: Author, received: Received): void {
  const startMicros = microsFrom(span.startTimeUnixNano)
  const status = isRecord(span.status) ? span.status : {}
  const budget = { left: EVENT_ATTRIBUTES_MAX }
  const code = wholeFrom(status.code)
  const kind = wholeFrom(span.kind)
  const events = records(span.events)
    .slice(0, Math.min(EVENTS_MAX, received.eventsLeft))
    .map(event => readEvent(event, budget))
  received.eventsLeft -= events.length
  const links: OtlpLink[] = []
  for (const link of records(span.links).slice(0, LINKS_MAX)) {
    pushLink(links, { traceId: hexId(link.traceId, 32), spanId: hexId(link.spanId, 16) })
  }
  admit(received, {
    traceId: hexId(span.traceId, 32),
    spanId: hexId(span.spanId, 16),
    parentSpanId: hexId(span.parentSpanId, 16),
    name: textFrom(span.name, NAME_LENGTH_MAX),
    kind: kind <= 5 ? kind : 0,
    startMicros,
    durationMicros: durationOf(startMicros, microsFrom(span.endTimeUnixNano)),
    status: code <= 2 ? code : 0,
    statusMessage: textFrom(status.message, TEXT_LENGTH_MAX),
    attributes: readAttributes(span.attributes, ATTRIBUTES_MAX),
    events,
    links,
    author,
  })
}

function readEvent(event: Json, budget: { left: number }): OtlpEvent {
  const attributes = readAttributes(event.attributes, Math.min(ATTRIBUTES_MAX, budget.left))
  budget.left -= attributes.length / 2
  const atMicros = microsFrom(event.timeUnixNano)
  return {
    name: textFrom(event.name, NAME_LENGTH_MAX),
    atMicros: Number.isSafeInteger(atMicros) ? atMicros : 0,
    attributes,
  }
}

function readAttributes(attributes: unknown, countMax: number): AttributeList {
  const list: AttributeValue[] = []
  if (!Array.isArray(attributes)) return list
  for (const pair of attributes) {
    if (list.length >= 2 * countMax) break
    if (!isRecord(pair)) continue
    const key = textFrom(pair.key, NAME_LENGTH_MAX)
    const value = readValue(pair.value, 0)
    if (key !== '' && value !== null) list.push(key, value)
  }
  return list
}

function readValue(value: unknown, depth: number): AttributeValue | null {
  if (!isRecord(value)) return null
  const { stringValue, intValue, boolValue, doubleValue, arrayValue, kvlistValue, bytesValue } =
    value
  if (typeof stringValue === 'string') return cut(stringValue, TEXT_LENGTH_MAX)
  if (intValue !== undefined) return integerFrom(intValue)
  if (typeof boolValue === 'boolean') return boolValue
  if (doubleValue !== undefined) return doubleFrom(doubleValue)
  if (isRecord(arrayValue)) return readArray(arrayValue.values, depth + 1)
  if (isRecord(kvlistValue)) return readList(kvlistValue.values, depth + 1)
  return typeof bytesValue === 'string' ? cut(bytesValue, TEXT_LENGTH_MAX) : null
}

/** Elements that are arrays themselves become text. */
function readArray(values: unknown, depth: number): AttributeValue | null {
  if (depth > VALUE_DEPTH_MAX) return null
  const found: (string | number | boolean)[] = []
  for (const item of records(values).slice(0, ELEMENTS_MAX)) {
    const value = readValue(item, depth)
    if (value !== null) found.push(typeof value === 'object' ? asText(value) : value)
  }
  return found
}

function readList(values: unknown, depth: number): string | null {
  if (depth > VALUE_DEPTH_MAX) return null
  const entries: [string, AttributeValue][] = []
  for (const pair of records(values).slice(0, ELEMENTS_MAX)) {
    const value = readValue(pair.value, depth)
    if (value !== null) entries.push([textFrom(pair.key, NAME_LENGTH_MAX), value])
  }
  return asText(Object.fromEntries(entries))
}

function integerFrom(value: unknown): number | null {
  if (typeof value === 'number') return Number.isInteger(value) ? value : null
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? Number(value) : null
}

/** The mapping writes what JSON has no numbers for as text: NaN, Infinity. */
function doubleFrom(value: unknown): number | string | null {
  if (typeof value === 'number') return finite(value)
  return typeof value === 'string' && /^(?:NaN|-?Infinity)$/.test(value) ? value : null
}

/** Nanoseconds, exact only as text; NaN for anything that is no time. */
function microsFrom(nanos: unknown): number {
  if (typeof nanos === 'string') {
    return /^\d{1,20}$/.test(nanos) ? Number(nanos.slice(0, -3)) : Number.NaN
  }
  return typeof nanos === 'number' && nanos >= 0 ? Math.floor(nanos / 1000) : Number.NaN
}

/** 0 for anything that is no small whole number. */
function wholeFrom(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0
}

function textFrom(value: unknown, lengthMax: number): string {
  return typeof value === 'string' ? cut(value, lengthMax) : ''
}

function records(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
