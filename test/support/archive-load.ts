// Batches of instances as nodes send them, made fast enough to load an archive: a template from the SDK's
// own serializer, in which ids, slots and times are replaced in place for every batch.

import { randomBytes } from 'node:crypto'
import { ATTR } from '../../ops/trace/span-model.ts'
import { type hrTime, instanceSpan, jsonBody, nodeResource, protobufBody } from './archive-spans.ts'

export type Encoding = 'json' | 'protobuf'

/** Slots of this many digits and bytes in both encodings: replaced without moving anything. */
export const FIRST_SLOT = 10_000_000

type Place = {
  readonly at: number
  readonly kind: 'trace' | 'span' | 'slot' | 'time'
  readonly base: number
}

export class BatchTemplate {
  readonly spans: number
  private readonly encoding: Encoding
  private readonly body: Buffer
  private readonly places: readonly Place[]
  private readonly baseMicros: number

  constructor(options: { gid: number; replica: number; spans: number; encoding: Encoding }) {
    const { gid, replica, spans, encoding } = options
    this.spans = spans
    this.encoding = encoding
    this.baseMicros = 1_795_000_000_000_000
    const resource = nodeResource(gid, replica)
    const made = Array.from({ length: spans }, (_, at) =>
      instanceSpan({
        gid,
        slot: FIRST_SLOT + at,
        startMicros: this.baseMicros + at * 400,
        resource,
      }),
    )
    this.body = encoding === 'json' ? jsonBody(made) : protobufBody(made)
    const places: Place[] = []
    let from = 0
    const find = (kind: Place['kind'], bytes: Buffer, base: number): void => {
      const at = this.body.indexOf(bytes, from)
      if (at < 0) throw new Error(`the template has no ${kind} where one should be`)
      places.push({ at, kind, base })
      from = at + bytes.length
    }
    for (const [at, span] of made.entries()) {
      const { traceId, spanId } = span.spanContext()
      find('trace', this.id(traceId), 0)
      find('span', this.id(spanId), 0)
      find('time', this.time(toMicros(span.startTime)), toMicros(span.startTime))
      find('time', this.time(toMicros(span.endTime)), toMicros(span.endTime))
      if (span.attributes[ATTR.slot] !== FIRST_SLOT + at) throw new Error('an odd slot')
      find('slot', this.slot(FIRST_SLOT + at), at)
      const times = span.events.map(({ time }) => toMicros(time))
      // JSON has an event's attributes before its time, protobuf after it: the order of times is one.
      for (const micros of times) find('time', this.time(micros), micros)
    }
    this.places = places
  }

  /** A batch of the slots from `slot` on, beginning at that time; its ids are random. */
  fill(slot: number, startMicros: number): Buffer {
    const body = Buffer.from(this.body)
    const random = randomBytes(this.spans * 24)
    const delta = startMicros - this.baseMicros
    let used = 0
    for (const { at, kind, base } of this.places) {
      if (kind === 'time') this.time(base + delta).copy(body, at)
      else if (kind === 'slot') this.slot(slot + base).copy(body, at)
      else {
        const bytes = kind === 'trace' ? 16 : 8
        const id = random.subarray(used, used + bytes)
        used += bytes
        if (this.encoding === 'json') body.write(id.toString('hex'), at, 'latin1')
        else id.copy(body, at)
      }
    }
    return body
  }

  private id(hex: string): Buffer {
    return this.encoding === 'json' ? Buffer.from(hex) : Buffer.from(hex, 'hex')
  }

  private time(micros: number): Buffer {
    const nanos = `${micros}000`
    if (this.encoding === 'json') return Buffer.from(nanos)
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(nanos))
    return bytes
  }

  private slot(slot: number): Buffer {
    if (this.encoding === 'json') return Buffer.from(`{"intValue":${slot}}`)
    const bytes: number[] = []
    for (let rest = slot; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Buffer.from([...bytes, rest])
      bytes.push((rest % 128) | 128)
    }
  }
}

function toMicros([seconds, nanos]: ReturnType<typeof hrTime>): number {
  return seconds * 1e6 + Math.round(nanos / 1000)
}
