// OTLP/HTTP in protobuf: ExportTraceServiceRequest → spans. Field numbers are those of opentelemetry-
// proto (collector/trace/v1/trace_service.proto, trace/v1/trace.proto, common/v1/common.proto,
// resource/v1/resource.proto); fields that the archive has no use for are passed over.

import type { AttributeValue } from './answers.ts'
import {
  ATTRIBUTES_MAX,
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
import { newTextTable, ProtobufReader } from './protobuf.ts'

const REQUEST = { resourceSpans: 1 } as const
const RESOURCE_SPANS = { resource: 1, scopeSpans: 2 } as const
const RESOURCE = { attributes: 1 } as const
const SCOPE_SPANS = { spans: 2 } as const
const SPAN = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  start: 7,
  end: 8,
  attributes: 9,
  events: 11,
  links: 13,
  status: 15,
} as const
const EVENT = { time: 1, name: 2, attributes: 3 } as const
const LINK = { traceId: 1, spanId: 2 } as const
const STATUS = { message: 2, code: 3 } as const
const KEY_VALUE = { key: 1, value: 2 } as const
const ANY = { text: 1, bool: 2, int: 3, double: 4, array: 5, list: 6, bytes: 7 } as const
const VALUES = { values: 1 } as const

/** Throws BadBody. */
export class ProtobufDecoder {
  private readonly texts = newTextTable()

  decode(body: Buffer): Received {
    const reader = new ProtobufReader(body, this.texts)
    const received = newReceived()
    while (reader.next()) {
      if (reader.field !== REQUEST.resourceSpans) reader.skip()
      else readResourceSpans(reader, received)
    }
    return received
  }
}

/** The resource may come after its spans: who wrote them is read first, then all again. */
function readResourceSpans(reader: ProtobufReader, received: Received): void {
  const outer = reader.enter()
  const start = reader.at
  let author: Author = authorOf(() => undefined)
  while (reader.next()) {
    if (reader.field === RESOURCE_SPANS.resource) author = readResource(reader)
    else reader.skip()
  }
  reader.at = start
  while (reader.next()) {
    if (reader.field === RESOURCE_SPANS.scopeSpans) readScopeSpans(reader, author, received)
    else reader.skip()
  }
  reader.leave(outer)
}

function readResource(reader: ProtobufReader): Author {
  const outer = reader.enter()
  const attributes = new Attributes(ATTRIBUTES_MAX)
  while (reader.next()) {
    if (reader.field === RESOURCE.attributes) attributes.read(reader)
    else reader.skip()
  }
  reader.leave(outer)
  return authorOf(key => attributes.find(key))
}

function readScopeSpans(reader: ProtobufReader, author: Author, received: Received): void {
  const outer = reader.enter()
  while (reader.next()) {
    if (reader.field !== SCOPE_SPANS.spans) {
      reader.skip()
      continue
    }
    if (received.spans.length + received.rejected >= SPANS_MAX) {
      throw new BadBody(`more than ${SPANS_MAX} spans in one request`, true)
    }
    readSpan(reader, author, received)
  }
  reader.leave(outer)
}

function readSpan(reader: ProtobufReader, author: Author, received: Received): void {
  const outer = reader.enter()
  const draft = new Draft()
  const eventsMax = Math.min(EVENTS_MAX, received.eventsLeft)
  while (reader.next()) if (!readPlain(reader, draft)) readNested(reader, draft, eventsMax)
  reader.leave(outer)
  received.eventsLeft -= draft.events.length
  const { traceId, spanId, parentSpanId, name, kind, startMicros, events, links } = draft
  admit(received, {
    ...{ traceId, spanId, name, startMicros, events, links, author },
    parentSpanId: parentSpanId.length === 16 ? parentSpanId : '',
    kind: kind <= 5 ? kind : 0,
    durationMicros: durationOf(startMicros, draft.endMicros),
    status: draft.status.code,
    statusMessage: draft.status.message,
    attributes: draft.attributes.list,
  })
}

/** A span while its fields come in, in any order. */
class Draft {
  traceId = ''
  spanId = ''
  parentSpanId = ''
  name = ''
  kind = 0
  startMicros = Number.NaN
  endMicros = Number.NaN
  status = NO_STATUS
  readonly attributes = new Attributes(ATTRIBUTES_MAX)
  readonly events: OtlpEvent[] = []
  readonly links: OtlpLink[] = []
  /** What its events may still have of attributes. */
  readonly budget = { left: EVENT_ATTRIBUTES_MAX }
}

/** False: the field is none of these. */
function readPlain(reader: ProtobufReader, draft: Draft): boolean {
  switch (reader.field) {
    case SPAN.traceId:
      draft.traceId = reader.hex()
      return true
    case SPAN.spanId:
      draft.spanId = reader.hex()
      return true
    case SPAN.parentSpanId:
      draft.parentSpanId = reader.hex()
      return true
    case SPAN.name:
      draft.name = cut(reader.text(), NAME_LENGTH_MAX)
      return true
    case SPAN.kind:
      draft.kind = reader.unsigned()
      return true
    case SPAN.start:
      draft.startMicros = reader.micros()
      return true
    case SPAN.end:
      draft.endMicros = reader.micros()
      return true
    default:
      return false
  }
}

function readNested(reader: ProtobufReader, draft: Draft, eventsMax: number): void {
  const { events, links } = draft
  switch (reader.field) {
    case SPAN.attributes:
      draft.attributes.read(reader)
      return
    case SPAN.events:
      if (events.length < eventsMax) events.push(readEvent(reader, draft.budget))
      else reader.skip()
      return
    case SPAN.links:
      if (links.length < LINKS_MAX) pushLink(links, readLink(reader))
      else reader.skip()
      return
    case SPAN.status:
      draft.status = readStatus(reader)
      return
    default:
      reader.skip()
  }
}

function readEvent(reader: ProtobufReader, budget: { left: number }): OtlpEvent {
  const outer = reader.enter()
  const attributes = new Attributes(Math.min(ATTRIBUTES_MAX, budget.left))
  let name = ''
  let atMicros = 0
  while (reader.next()) {
    if (reader.field === EVENT.time) atMicros = reader.micros()
    else if (reader.field === EVENT.name) name = cut(reader.text(), NAME_LENGTH_MAX)
    else if (reader.field === EVENT.attributes) attributes.read(reader)
    else reader.skip()
  }
  reader.leave(outer)
  budget.left -= attributes.list.length / 2
  return { name, atMicros, attributes: attributes.list }
}

function readLink(reader: ProtobufReader): OtlpLink {
  const outer = reader.enter()
  let [traceId, spanId] = ['', '']
  while (reader.next()) {
    if (reader.field === LINK.traceId) traceId = reader.hex()
    else if (reader.field === LINK.spanId) spanId = reader.hex()
    else reader.skip()
  }
  reader.leave(outer)
  return { traceId, spanId }
}

const NO_STATUS = { code: 0, message: '' }

function readStatus(reader: ProtobufReader): { code: number; message: string } {
  const outer = reader.enter()
  let [code, message] = [0, '']
  while (reader.next()) {
    if (reader.field === STATUS.code) code = reader.unsigned()
    else if (reader.field === STATUS.message) message = cut(reader.text(), TEXT_LENGTH_MAX)
    else reader.skip()
  }
  reader.leave(outer)
  return { code: code <= 2 ? code : 0, message }
}

/** Key-value pairs up to a bound; the rest is passed over. */
class Attributes {
  readonly list: AttributeValue[] = []
  private readonly lengthMax: number

  constructor(countMax: number) {
    this.lengthMax = 2 * countMax
  }

  read(reader: ProtobufReader): void {
    if (this.list.length >= this.lengthMax) return reader.skip()
    const outer = reader.enter()
    let key = ''
    let value: AttributeValue | null = null
    while (reader.next()) {
      if (reader.field === KEY_VALUE.key) key = cut(reader.text(), NAME_LENGTH_MAX)
      else if (reader.field === KEY_VALUE.value) value = readValue(reader, 0)
      else reader.skip()
    }
    reader.leave(outer)
    if (key !== '' && value !== null) this.list.push(key, value)
  }

  find(key: string): AttributeValue | undefined {
    for (let at = 0; at < this.list.length; at += 2) {
      if (this.list[at] === key) return this.list[at + 1]
    }
    return undefined
  }
}

/** Null: an empty value, or one nested too deeply. */
function readValue(reader: ProtobufReader, depth: number): AttributeValue | null {
  const outer = reader.enter()
  let value: AttributeValue | null = null
  while (reader.next()) {
    switch (reader.field) {
      case ANY.text:
        value = cut(reader.text(), TEXT_LENGTH_MAX)
        break
      case ANY.bool:
        value = reader.unsigned() !== 0
        break
      case ANY.int:
        value = reader.signed()
        break
      case ANY.double:
        value = finite(reader.double())
        break
      case ANY.bytes:
        value = reader.base64(TEXT_LENGTH_MAX / 2)
        break
      case ANY.array:
        value = depth < VALUE_DEPTH_MAX ? readArray(reader, depth + 1) : skipped(reader)
        break
      case ANY.list:
        value = depth < VALUE_DEPTH_MAX ? readList(reader, depth + 1) : skipped(reader)
        break
      default:
        reader.skip()
    }
  }
  reader.leave(outer)
  return value
}

function skipped(reader: ProtobufReader): null {
  reader.skip()
  return null
}

/** Elements that are arrays themselves become text. */
function readArray(reader: ProtobufReader, depth: number): AttributeValue {
  const outer = reader.enter()
  const values: (string | number | boolean)[] = []
  while (reader.next()) {
    if (reader.field !== VALUES.values || values.length >= ELEMENTS_MAX) {
      reader.skip()
      continue
    }
    const value = readValue(reader, depth)
    if (value !== null) values.push(typeof value === 'object' ? asText(value) : value)
  }
  reader.leave(outer)
  return values
}

function readList(reader: ProtobufReader, depth: number): string {
  const outer = reader.enter()
  const entries: [string, AttributeValue][] = []
  while (reader.next()) {
    if (reader.field !== VALUES.values || entries.length >= ELEMENTS_MAX) {
      reader.skip()
      continue
    }
    const inner = reader.enter()
    let key = ''
    let value: AttributeValue | null = null
    while (reader.next()) {
      if (reader.field === KEY_VALUE.key) key = cut(reader.text(), NAME_LENGTH_MAX)
      else if (reader.field === KEY_VALUE.value) value = readValue(reader, depth)
      else reader.skip()
    }
    reader.leave(inner)
    if (value !== null) entries.push([key, value])
  }
  reader.leave(outer)
  return asText(Object.fromEntries(entries))
}
