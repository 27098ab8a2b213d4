// A span as it came in, whichever encoding brought it, already cut to what the archive takes. What
// arrives is hostile until shown otherwise: every count, length, time and id has a bound here.

import type { AttributeValue } from './answers.ts'

/** Bodies as received, and after inflating. An exporter's batch of 2,048 spans is about 1 MB. */
export const BODY_BYTES_MAX = 8 * 1024 * 1024
export const INFLATED_BYTES_MAX = 32 * 1024 * 1024
/** Spans of one request. */
export const SPANS_MAX = 20_000
/** Events of one request, ten for each span; more are left out. Two bytes in a body are an event in memory. */
export const EVENTS_OF_REQUEST_MAX = 200_000
/** Of one span; what exceeds these is left out of it. A batch may be linked to many requests. */
export const ATTRIBUTES_MAX = 64
export const EVENTS_MAX = 512
export const LINKS_MAX = 1024
/** Of all events of a span together: as many as its own, and four for each event on average. */
export const EVENT_ATTRIBUTES_MAX = 2_048
/** Elements of an array as a value, and nesting of one that is kept as text. */
export const ELEMENTS_MAX = 64
export const VALUE_DEPTH_MAX = 4
/** UTF-16 units; longer ones are cut. */
export const NAME_LENGTH_MAX = 128
export const TEXT_LENGTH_MAX = 2_048
/** A clock may be ahead of ours by so much, ms. */
export const AHEAD_MS_MAX = 600_000
/** µs; beyond, one of the two times is wrong. */
export const DURATION_MICROS_MAX = 30 * 24 * 3_600 * 1e6

/** Keys and values in turn: half the cost of an object per event. */
export type AttributeList = readonly AttributeValue[]

export type OtlpSpan = {
  /** 32 and 16 lower-case hex digits, not all zero. */
  readonly traceId: string
  readonly spanId: string
  /** '' for none. */
  readonly parentSpanId: string
  readonly name: string
  /** SpanKind of the protocol, 0–5. */
  readonly kind: number
  readonly startMicros: number
  readonly durationMicros: number
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number
  readonly statusMessage: string
  readonly attributes: AttributeList
  readonly events: readonly OtlpEvent[]
  readonly links: readonly OtlpLink[]
  readonly author: Author
}

export type OtlpEvent = {
  readonly name: string
  readonly atMicros: number
  readonly attributes: AttributeList
}

export type OtlpLink = { readonly traceId: string; readonly spanId: string }

/** What of a resource is kept: who wrote the span. */
export type Author = {
  readonly node: string
  readonly service: string
  readonly namespace: string
  readonly gid: number | null
  readonly replica: number | null
}

/** What a request held: spans that can be stored, and why others cannot. */
export type Received = {
  readonly spans: OtlpSpan[]
  rejected: number
  /** Of the first one that was rejected; '' when none was. */
  reason: string
  /** Events that its spans may still have. */
  eventsLeft: number
}

/** The body is not what it says it is; nothing of it is taken. */
export class BadBody extends Error {
  override readonly name = 'BadBody'
  readonly isTooLarge: boolean

  constructor(message: string, isTooLarge = false) {
    super(message)
    this.isTooLarge = isTooLarge
  }
}

export function newReceived(): Received {
  return { spans: [], rejected: 0, reason: '', eventsLeft: EVENTS_OF_REQUEST_MAX }
}

/** Takes the span, or counts it with the reason. Times are judged when it is stored. */
export function admit(received: Received, span: OtlpSpan): void {
  const reason = reasonAgainst(span)
  if (reason === null) {
    const isOdd = span.events.some(event => isFar(event, span))
    received.spans.push(isOdd ? { ...span, events: nearEvents(span) } : span)
    return
  }
  received.rejected += 1
  received.reason ||= reason
}

function isFar({ atMicros }: OtlpEvent, { startMicros }: OtlpSpan): boolean {
  return !(Math.abs(atMicros - startMicros) <= DURATION_MICROS_MAX)
}

/** An event without a believable time stands at the start of its span. */
function nearEvents(span: OtlpSpan): readonly OtlpEvent[] {
  const { events, startMicros } = span
  return events.map(event => (isFar(event, span) ? { ...event, atMicros: startMicros } : event))
}

const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

function reasonAgainst(span: OtlpSpan): string | null {
  if (span.traceId.length !== 32 || span.traceId === NO_TRACE) return 'a trace id is not valid'
  if (span.spanId.length !== 16 || span.spanId === NO_SPAN) return 'a span id is not valid'
  if (span.name === '') return 'a span has no name'
  if (!Number.isSafeInteger(span.startMicros)) return 'a start time is not valid'
  if (!Number.isSafeInteger(span.durationMicros)) return 'an end time is not valid'
  if (span.durationMicros > DURATION_MICROS_MAX) return 'a span is longer than 30 days'
  return null
}

const HEX = /^[0-9a-fA-F]+$/

/** Hex digits of exactly that many characters in lower case; '' for anything else. */
export function hexId(value: unknown, length: number): string {
  if (typeof value !== 'string' || value.length !== length || !HEX.test(value)) return ''
  return value.toLowerCase()
}

export function cut(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text
  // Not through the middle of a character.
  const isPair = (text.charCodeAt(lengthMax - 1) & 0xfc00) === 0xd800
  return text.slice(0, isPair ? lengthMax - 1 : lengthMax)
}

/** JSON, in which the archive answers, has no other numbers. */
export function finite(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

/** What is not flat is kept as JSON, for people. */
export function asText(value: unknown): string {
  return cut(JSON.stringify(value), TEXT_LENGTH_MAX)
}

/** A link without valid ids leads nowhere. */
export function pushLink(links: OtlpLink[], link: OtlpLink): void {
  if (link.traceId.length === 32 && link.spanId.length === 16) links.push(link)
}

/** Clocks are set back at times: such a span took no time, as far as anybody knows. */
export function durationOf(startMicros: number, endMicros: number): number {
  return endMicros > startMicros ? endMicros - startMicros : 0
}

/** From a resource's attributes by name. */
export function authorOf(find: (key: string) => AttributeValue | undefined): Author {
  const text = (key: string): string => {
    const value = find(key)
    return typeof value === 'string' ? cut(value, NAME_LENGTH_MAX) : ''
  }
  const whole = (key: string): number | null => {
    const value = find(key)
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
  }
  return {
    node: text('service.instance.id'),
    service: text('service.name'),
    namespace: text('service.namespace'),
    gid: whole('shardglass.group'),
    replica: whole('shardglass.replica'),
  }
}
