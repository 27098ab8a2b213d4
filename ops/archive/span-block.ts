// How spans lie in the archive: blocks of up to 256, deflated. Inside, texts are numbers into a table
// of the block, times are steps from the one before, and numbers take as many bytes as they need; so
// an instance with its events is about 100 bytes. The ids, which nothing makes smaller, stand before
// the deflated part: a span is found without inflating.
//
//   block   = count, count × (trace id 16, span id 8), deflated(table, author table, lengths, spans)
//   numbers = 7 bits per byte, lowest first, the high bit on all but the last

import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { AttributeValue } from './answers.ts'
import { ByteReader, ByteWriter } from './byte-stream.ts'
import type { AttributeList, Author, OtlpEvent, OtlpLink, OtlpSpan } from './otlp-span.ts'

export const BLOCK_SPANS_MAX = 256
const ID_BYTES = 24
/** A block of the largest spans that are taken; beyond, a file of ours was tampered with. */
const BLOCK_BYTES_MAX = 512 * 1024 * 1024
/** Most of what there is to gain, for a fifth of the time of the default. */
const LEVEL = 1

const VALUE = { text: 0, natural: 1, negative: 2, double: 3, yes: 4, no: 5, array: 6 } as const

export class BlockEncoder {
  private readonly spans = new ByteWriter()
  private readonly head = new ByteWriter()
  private readonly ids = new ByteWriter()
  private readonly texts = new Map<string, number>()
  private readonly authors = new Map<Author, number>()

  encode(spans: readonly OtlpSpan[]): Buffer {
    const { ids, head, texts, authors } = this
    for (const part of [ids, head, this.spans]) part.clear()
    texts.clear()
    authors.clear()
    ids.number(spans.length)
    const lengths: number[] = []
    let previous = 0
    for (const span of spans) {
      ids.hex(span.traceId)
      ids.hex(span.spanId)
      const start = this.spans.length
      this.writeSpan(span, previous)
      previous = span.startMicros
      lengths.push(this.spans.length - start)
    }
    const written = [...authors.keys()].map(author => this.authorFields(author))
    head.number(texts.size)
    for (const text of texts.keys()) head.text(text)
    head.number(written.length)
    for (const fields of written) for (const field of fields) head.number(field)
    for (const length of lengths) head.number(length)
    const packed = deflateRawSync(Buffer.concat([head.bytes(), this.spans.bytes()]), {
      level: LEVEL,
    })
    return Buffer.concat([ids.bytes(), packed])
  }

  private authorFields({ node, service, namespace, gid, replica }: Author): readonly number[] {
    const texts = [node, service, namespace].map(text => this.textNumber(text))
    return [...texts, gid === null ? 0 : gid + 1, replica === null ? 0 : replica + 1]
  }

  private writeSpan(span: OtlpSpan, previousMicros: number): void {
    const { spans, authors } = this
    let author = authors.get(span.author)
    if (author === undefined) {
      author = authors.size
      authors.set(span.author, author)
    }
    spans.number(this.textNumber(span.name))
    spans.number(author)
    spans.number(span.kind + 8 * span.status)
    spans.signed(span.startMicros - previousMicros)
    spans.number(span.durationMicros)
    spans.number(this.textNumber(span.parentSpanId))
    spans.number(this.textNumber(span.statusMessage))
    this.writeAttributes(span.attributes)
    spans.number(span.events.length)
    let at = span.startMicros
    for (const event of span.events) {
      spans.number(this.textNumber(event.name))
      spans.signed(event.atMicros - at)
      at = event.atMicros
      this.writeAttributes(event.attributes)
    }
    spans.number(span.links.length)
    for (const { traceId, spanId } of span.links) {
      spans.hex(traceId)
      spans.hex(spanId)
    }
  }

  private writeAttributes(list: AttributeList): void {
    this.spans.number(list.length / 2)
    for (let at = 0; at < list.length; at += 2) {
      this.spans.number(this.textNumber(String(list[at])))
      this.writeValue(list[at + 1] ?? '')
    }
  }

  private writeValue(value: AttributeValue): void {
    const { spans } = this
    if (typeof value === 'string') spans.number(this.textNumber(value) * 8 + VALUE.text)
    else if (typeof value === 'boolean') spans.number(value ? VALUE.yes : VALUE.no)
    else if (typeof value === 'number') this.writeNumber(value)
    else {
      spans.number(value.length * 8 + VALUE.array)
      for (const item of value) this.writeValue(item)
    }
  }

  private writeNumber(value: number): void {
    const { spans } = this
    const isShort = Number.isInteger(value) && Math.abs(value) < 2 ** 49 && !Object.is(value, -0)
    if (!isShort) {
      spans.number(VALUE.double)
      spans.double(value)
    } else if (value >= 0) spans.number(value * 8 + VALUE.natural)
    else spans.number(-value * 8 + VALUE.negative)
  }

  private textNumber(text: string): number {
    const known = this.texts.get(text)
    if (known !== undefined) return known
    const number = this.texts.size
    this.texts.set(text, number)
    return number
  }
}

/** The bytes are no block: the file lost some of them, or was tampered with. */
export class DamagedBlock extends Error {
  override readonly name = 'DamagedBlock'
}

/** A block that is read span by span. Throws DamagedBlock where its ids cannot all be there. */
export class Block {
  readonly count: number
  private readonly data: Buffer
  private readonly idsAt: number
  private inside: Inside | null = null

  constructor(data: Buffer) {
    const reader = new ByteReader(data)
    // Without an end of the number, there is no count.
    this.count = data.some(byte => byte < 0x80) ? reader.number() : Number.POSITIVE_INFINITY
    this.idsAt = reader.at
    this.data = data
    if (this.idsAt + this.count * ID_BYTES > data.length) {
      throw new DamagedBlock(`a block of ${data.length} bytes says it has ${this.count} spans`)
    }
  }

  traceId(index: number): string {
    const at = this.idsAt + index * ID_BYTES
    return this.data.toString('hex', at, at + 16)
  }

  spanId(index: number): string {
    const at = this.idsAt + index * ID_BYTES + 16
    return this.data.toString('hex', at, at + 8)
  }

  span(index: number): OtlpSpan {
    this.inside ??= opened(this.data.subarray(this.idsAt + this.count * ID_BYTES), this.count)
    const { reader, texts, authors, offsets, starts } = this.inside
    const text = (): string => texts[reader.number()] ?? ''
    reader.at = offsets[index] ?? 0
    const name = text()
    const author = authors[reader.number()] ?? NOBODY
    const kindAndStatus = reader.number()
    reader.signed() // the step from the span before, added up in starts
    const startMicros = starts[index] ?? 0
    const durationMicros = reader.number()
    return {
      traceId: this.traceId(index),
      spanId: this.spanId(index),
      name,
      author,
      startMicros,
      durationMicros,
      kind: kindAndStatus % 8,
      status: Math.floor(kindAndStatus / 8),
      parentSpanId: text(),
      statusMessage: text(),
      attributes: readAttributes(reader, texts),
      events: readEvents(reader, texts, startMicros),
      links: readLinks(reader),
    }
  }
}

type Inside = {
  readonly reader: ByteReader
  readonly texts: readonly string[]
  readonly authors: readonly Author[]
  readonly offsets: readonly number[]
  readonly starts: readonly number[]
}

const NOBODY: Author = { node: '', service: '', namespace: '', gid: null, replica: null }

function opened(packed: Buffer, count: number): Inside {
  const reader = new ByteReader(inflateRawSync(packed, { maxOutputLength: BLOCK_BYTES_MAX }))
  const texts = times(reader.number(), () => reader.text())
  const text = (): string => texts[reader.number()] ?? ''
  const authors = times(reader.number(), () => {
    const [node, service, namespace] = [text(), text(), text()]
    const [gid, replica] = [reader.number(), reader.number()]
    const orNull = (number: number): number | null => (number === 0 ? null : number - 1)
    return { node, service, namespace, gid: orNull(gid), replica: orNull(replica) }
  })
  const lengths = times(count, () => reader.number())
  let offset = reader.at
  let start = 0
  const starts: number[] = []
  const offsets = lengths.map(length => {
    reader.at = offset
    for (let field = 0; field < 3; field++) reader.number()
    start += reader.signed()
    starts.push(start)
    offset += length
    return offset - length
  })
  return { reader, texts, authors, offsets, starts }
}

function readEvents(
  reader: ByteReader,
  texts: readonly string[],
  startMicros: number,
): readonly OtlpEvent[] {
  let atMicros = startMicros
  return times(reader.number(), () => {
    const name = texts[reader.number()] ?? ''
    atMicros += reader.signed()
    return { name, atMicros, attributes: readAttributes(reader, texts) }
  })
}

function readLinks(reader: ByteReader): readonly OtlpLink[] {
  return times(reader.number(), () => ({ traceId: reader.hex(16), spanId: reader.hex(8) }))
}

function readAttributes(reader: ByteReader, texts: readonly string[]): AttributeList {
  const list: AttributeValue[] = []
  const pairs = reader.number()
  for (let pair = 0; pair < pairs; pair++) {
    list.push(texts[reader.number()] ?? '', readValue(reader, texts))
  }
  return list
}

function readValue(reader: ByteReader, texts: readonly string[]): AttributeValue {
  const tag = reader.number()
  if (tag % 8 !== VALUE.array) return readScalar(reader, texts, tag)
  return times(Math.floor(tag / 8), () => readScalar(reader, texts, reader.number()))
}

function readScalar(reader: ByteReader, texts: readonly string[], tag: number) {
  const rest = Math.floor(tag / 8)
  switch (tag % 8) {
    case VALUE.text:
      return texts[rest] ?? ''
    case VALUE.natural:
      return rest
    case VALUE.negative:
      return -rest
    case VALUE.double:
      return reader.double()
    case VALUE.yes:
      return true
    case VALUE.no:
      return false
    default:
      throw new Error(`a block of the archive has a value of an unknown kind`)
  }
}

function times<T>(count: number, make: () => T): T[] {
  const made: T[] = []
  for (let index = 0; index < count; index++) made.push(make())
  return made
}
