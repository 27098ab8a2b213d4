// Writes spans into one segment: their contents in blocks, and a small row for each by which it is found.

import type Database from 'better-sqlite3'
import { ATTR, SPAN } from '../trace/span-model.ts'
import type { OtlpSpan } from './otlp-span.ts'
import { bytesOf, type Db, type OpenOptions, openSegment } from './segment-schema.ts'
import { BLOCK_SPANS_MAX, Block, BlockEncoder } from './span-block.ts'

/** Different texts (names, outcomes) that one segment numbers; more is no name but noise. */
const TEXTS_MAX = 1_000
const TEXT_LENGTH_MAX = 64

/** What of the spans of a segment is known without asking it. */
export type Extent = {
  readonly spans: number
  /** µs; of no span: +∞ and −∞. */
  readonly startMin: number
  readonly startMax: number
}

export const NO_EXTENT: Extent = {
  spans: 0,
  startMin: Number.POSITIVE_INFINITY,
  startMax: Number.NEGATIVE_INFINITY,
}

const INSERT_SPAN = `INSERT INTO spans
  (id, trace, name, start, duration, gid, slot, shard, config, outcome, origin)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_BLOCK =
  'INSERT INTO blocks (first, count, start_min, start_max, data) VALUES (?, ?, ?, ?, ?)'

type Statement = Database.Statement<unknown[], unknown>

export class SegmentWriter {
  readonly path: string
  extent: Extent = NO_EXTENT
  private readonly db: Db
  private readonly encoder = new BlockEncoder()
  private readonly texts = new Map<string, number>()
  private readonly insertSpan: Statement
  private readonly insertBlock: Statement
  private readonly insertText: Statement
  private readonly idsOfTrace: Database.Statement<[number], number>
  private readonly blockOf: Database.Statement<[number], { first: number; data: Buffer }>
  private nextId = 1
  private baseMicros: number | null = null

  constructor(path: string, options: OpenOptions) {
    this.path = path
    const db = openSegment(path, options)
    this.db = db
    this.insertSpan = db.prepare(INSERT_SPAN)
    this.insertBlock = db.prepare(INSERT_BLOCK)
    this.insertText = db.prepare('INSERT INTO texts VALUES (?, ?)')
    this.idsOfTrace = db.prepare<[number], number>('SELECT id FROM spans WHERE trace = ?').pluck()
    this.blockOf = db.prepare(
      'SELECT first, data FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1',
    )
    try {
      this.recall()
      if (this.baseMicros === null) this.db.transaction(() => this.numberOwnNames())()
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** Of the file, without its log. */
  get bytes(): number {
    return bytesOf(this.db)
  }

  /** All or nothing; durable against the end of this process when it returns. */
  append(spans: readonly OtlpSpan[]): void {
    const before = { nextId: this.nextId, base: this.baseMicros, extent: this.extent }
    const known = new Map(this.texts)
    try {
      this.db.transaction(() => this.insert(spans))()
    } catch (error) {
      this.nextId = before.nextId
      this.baseMicros = before.base
      this.extent = before.extent
      this.texts.clear()
      for (const [text, id] of known) this.texts.set(text, id)
      throw error
    }
  }

  has(traceId: string, spanId: string): boolean {
    for (const id of this.idsOfTrace.all(traceKey(traceId))) {
      const found = this.blockOf.get(id)
      if (found === undefined) continue
      const block = new Block(found.data)
      const index = id - found.first
      if (block.traceId(index) === traceId && block.spanId(index) === spanId) return true
    }
    return false
  }

  /** Ids of all spans, in no order that matters. */
  *spanIds(): Generator<string> {
    const all = this.db.prepare<[], { data: Buffer }>('SELECT data FROM blocks')
    for (const { data } of all.iterate()) {
      const block = new Block(data)
      for (let index = 0; index < block.count; index++) yield block.spanId(index)
    }
  }

  /** Writes the log back into the file and empties it: nothing more is added to this segment. */
  seal(): void {
    this.db.pragma('wal_checkpoint(TRUNCATE)')
  }

  close(): void {
    this.db.close()
  }

  private recall(): void {
    const { db } = this
    const base = db.prepare<[], number>("SELECT value FROM facts WHERE key = 'base'").pluck().get()
    for (const row of db.prepare<[], { id: number; text: string }>('SELECT * FROM texts').all()) {
      this.texts.set(row.text, row.id)
    }
    if (base === undefined) return
    this.baseMicros = base
    this.nextId = (db.prepare<[], number>('SELECT max(id) FROM spans').pluck().get() ?? 0) + 1
    const found = db
      .prepare<[], { spans: number; low: number; high: number }>(
        'SELECT sum(count) AS spans, min(start_min) AS low, max(start_max) AS high FROM blocks',
      )
      .get()
    if (found === undefined) return
    const { spans, low, high } = found
    this.extent = { spans, startMin: base + low, startMax: base + high }
  }

  /** Before anyone else's: a sender of a thousand odd names must not make ours impossible to find. */
  private numberOwnNames(): void {
    for (const name of Object.values(SPAN)) this.textId(name)
  }

  private insert(spans: readonly OtlpSpan[]): void {
    const base = this.base(spans)
    for (let from = 0; from < spans.length; from += BLOCK_SPANS_MAX) {
      const part = spans.slice(from, from + BLOCK_SPANS_MAX)
      const starts = part.map(({ startMicros }) => startMicros)
      const [low, high] = [Math.min(...starts), Math.max(...starts)]
      const data = this.encoder.encode(part)
      this.insertBlock.run(this.nextId, part.length, low - base, high - base, data)
      for (const span of part) this.insertRow(span, base)
      const { extent } = this
      this.extent = {
        spans: extent.spans + part.length,
        startMin: Math.min(extent.startMin, low),
        startMax: Math.max(extent.startMax, high),
      }
    }
  }

  private insertRow(span: OtlpSpan, base: number): void {
    let [slot, shard, config, outcome, origin] = NO_FIELDS
    let gid = span.author.gid
    const { attributes } = span
    for (let at = 0; at < attributes.length; at += 2) {
      const value = attributes[at + 1]
      switch (attributes[at]) {
        case ATTR.slot:
          slot = whole(value)
          break
        case ATTR.shard:
          shard = whole(value)
          break
        case ATTR.config:
          config = whole(value)
          break
        case ATTR.group:
          gid = whole(value) ?? gid
          break
        case ATTR.outcome:
          outcome = this.textId(value)
          break
        case ATTR.origin:
          origin = this.textId(value)
          break
      }
    }
    const name = this.textId(span.name) ?? 0
    const start = span.startMicros - base
    this.insertSpan.run(
      this.nextId,
      traceKey(span.traceId),
      name,
      start,
      span.durationMicros,
      gid,
      slot,
      shard,
      config,
      outcome,
      origin,
    )
    this.nextId += 1
  }

  private base(spans: readonly OtlpSpan[]): number {
    if (this.baseMicros !== null) return this.baseMicros
    const base = Math.floor((spans[0]?.startMicros ?? 0) / 1e6) * 1e6
    this.db.prepare("INSERT INTO facts VALUES ('base', ?)").run(base)
    this.baseMicros = base
    return base
  }

  /** Null for what has no number: then nothing can be asked about it. */
  private textId(text: unknown): number | null {
    if (typeof text !== 'string' || text.length > TEXT_LENGTH_MAX) return null
    const known = this.texts.get(text)
    if (known !== undefined) return known
    if (this.texts.size >= TEXTS_MAX) return null
    const id = this.texts.size + 1
    this.insertText.run(id, text)
    this.texts.set(text, id)
    return id
  }
}

const NO_FIELDS: readonly (number | null)[] = [null, null, null, null, null]

/** The first 48 bits: exact as a number, and few enough bytes for an index. */
export function traceKey(traceId: string): number {
  return Number.parseInt(traceId.slice(0, 12), 16)
}

function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}
