// Finds spans in one segment. Reads only; the segment may be the one that is being written.

import type Database from 'better-sqlite3'
import type { OtlpSpan } from './otlp-span.ts'
import { COMMON_NAMES, type Db, openForReading } from './segment-schema.ts'
import { traceKey } from './segment-writer.ts'
import { Block } from './span-block.ts'

/** What is asked for; undefined: any. Times in µs since 1970, both ends included. */
export type Filter = {
  readonly fromMicros: number
  readonly toMicros: number
  readonly names?: readonly string[] | undefined
  readonly gid?: number | undefined
  readonly shard?: number | undefined
  readonly config?: number | undefined
  readonly outcome?: string | undefined
  readonly origin?: string | undefined
  readonly minMicros?: number | undefined
}

/** Where a span is, and what it is sorted by. */
export type Place = {
  readonly segment: number
  readonly id: number
  readonly startMicros: number
  readonly durationMicros: number
}

/** Newest first: by start, then by segment and id, so that pages never repeat or leave out one. */
export function newerFirst(one: Place, other: Place): number {
  return other.startMicros - one.startMicros || laterFirst(one, other)
}

export function slowerFirst(one: Place, other: Place): number {
  return other.durationMicros - one.durationMicros || laterFirst(one, other)
}

function laterFirst(one: Place, other: Place): number {
  return other.segment - one.segment || other.id - one.id
}

/** Columns of all statements here; a row has those that its statement names. */
type Row = {
  readonly id?: number
  readonly start?: number
  readonly duration?: number
  readonly first?: number
  readonly count?: number
  readonly low?: number
  readonly high?: number
  readonly data?: Buffer
  readonly value?: number | null
}
type Condition = { readonly text: string; readonly values: readonly number[] }

const BLOCKS_CACHED = 24
const BLOCKS_AT_ONCE = 32

export class SegmentReader {
  readonly number: number
  private readonly db: Db
  /** By text, which therefore has no number of the question in it: else there would be no end of them. */
  private readonly statements = new Map<string, Database.Statement<(number | string)[], Row>>()
  private readonly blocks = new Map<number, Block>()
  private readonly texts = new Map<string, number>()
  private baseMicros: number | null = null

  constructor(number: number, path: string) {
    this.number = number
    this.db = openForReading(path)
  }

  close(): void {
    this.db.close()
  }

  ofTrace(traceId: string): readonly OtlpSpan[] {
    const ids = this.ids('SELECT id FROM spans WHERE trace = ?', [traceKey(traceId)])
    return ids.map(id => this.span(id)).filter(span => span.traceId === traceId)
  }

  ofSlot(gid: number, slot: number): readonly OtlpSpan[] {
    const ids = this.ids('SELECT id FROM spans WHERE gid = ? AND slot = ?', [gid, slot])
    return ids.map(id => this.span(id))
  }

  /** Spans of a rare name, such as both sides of a handoff. */
  ofShard(name: string, config: number, shard: number): readonly OtlpSpan[] {
    const rare = COMMON_NAMES.length
    const text = `SELECT id FROM spans WHERE shard = ? AND config = ? AND name > ${rare} AND name = ?`
    const ids = this.ids(text, [shard, config, this.textId(name) ?? 0])
    return ids.map(id => this.span(id))
  }

  span(id: number): OtlpSpan {
    const first = this.one('SELECT max(first) AS value FROM blocks WHERE first <= ?', [id]) ?? 0
    return this.block(first).span(id - first)
  }

  /**
   * The newest spans in question that come after `before` in that order, at most `limit`. Stops early
   * when `isOver` says so: then `reachedMicros` is where, and nothing older was looked at.
   */
  newest(
    filter: Filter,
    query: { before: Place | null; limit: number; isOver: () => boolean },
  ): { places: readonly Place[]; reachedMicros: number | null } {
    const condition = this.condition(filter, query.before)
    if (condition === null) return { places: [], reachedMicros: null }
    // A name that this segment does not have takes nothing away from the others' being rare.
    const numbers = (filter.names ?? []).flatMap(name => this.textId(name) ?? [])
    const isRare = numbers.length > 0 && numbers.every(number => number > COMMON_NAMES.length)
    // One view of the segment: blocks that come meanwhile would move the later ones.
    const view = this.db.transaction(() => this.newestByBlock(filter, condition, query))
    if (!isRare) return view()
    const text = `SELECT id, start, duration FROM spans WHERE ${condition.text}
      AND name > ${COMMON_NAMES.length} ORDER BY start DESC, id DESC LIMIT ?`
    const places = this.places(text, [...condition.values, query.limit])
    return { places, reachedMicros: null }
  }

  /** The slowest, for each name by itself: the index is by name first. */
  slowest(filter: Filter, query: { before: Place | null; limit: number }): readonly Place[] {
    const condition = this.condition({ ...filter, names: undefined }, null)
    if (condition === null) return []
    const bound = beforeCondition(query.before, this.number, 'duration')
    const names =
      filter.names?.flatMap(name => this.textId(name) ?? []) ?? this.namesInUse().slice(0, 64)
    return names.flatMap(name => {
      const text = `SELECT id, start, duration FROM spans INDEXED BY spans_by_duration
        WHERE name = ? AND ${condition.text} AND ${bound.text}
        ORDER BY duration DESC, id DESC LIMIT ?`
      return this.places(text, [name, ...condition.values, ...bound.values, query.limit])
    })
  }

  /** Blocks are nearly in order of time: walked from the newest until none can hold a newer span. */
  private newestByBlock(
    filter: Filter,
    condition: Condition,
    query: { before: Place | null; limit: number; isOver: () => boolean },
  ): { places: readonly Place[]; reachedMicros: number | null } {
    const base = this.base() ?? 0
    const top = Math.min(filter.toMicros, query.before?.startMicros ?? filter.toMicros) - base
    const found: Place[] = []
    const text = `SELECT id, start, duration FROM spans
      WHERE id >= ? AND id < ? AND ${condition.text}`
    for (const block of this.blocksFrom(filter.fromMicros - base)) {
      const { first = 0, count = 0, low = 0, high = 0 } = block
      if (found.length >= query.limit && isBelow(found, query.limit, base + high)) break
      if (query.isOver()) return { places: found, reachedMicros: base + high }
      if (low > top) continue
      found.push(...this.places(text, [first, first + count, ...condition.values]))
      found.sort(newerFirst)
      found.length = Math.min(found.length, query.limit)
    }
    return { places: found, reachedMicros: null }
  }

  /** Newest first, as far as they are asked for: a page mostly ends after a few. */
  private *blocksFrom(start: number): Generator<Row> {
    for (let offset = 0; ; offset += BLOCKS_AT_ONCE) {
      const rows = this.all(
        `SELECT first, count, start_min AS low, start_max AS high FROM blocks
         WHERE start_max >= ? ORDER BY start_max DESC, first DESC LIMIT ? OFFSET ?`,
        [start, BLOCKS_AT_ONCE, offset],
      )
      yield* rows
      if (rows.length < BLOCKS_AT_ONCE) return
    }
  }

  /** Null: nothing here can meet it. */
  private condition(filter: Filter, before: Place | null): Condition | null {
    const base = this.base()
    if (base === null) return null
    const parts: Condition[] = [
      { text: 'start BETWEEN ? AND ?', values: [filter.fromMicros - base, filter.toMicros - base] },
      beforeCondition(before, this.number, 'start', base),
    ]
    for (const column of ['gid', 'shard', 'config'] as const) {
      const value = filter[column]
      if (value !== undefined) parts.push({ text: `${column} = ?`, values: [value] })
    }
    if (filter.minMicros !== undefined) {
      parts.push({ text: 'duration >= ?', values: [filter.minMicros] })
    }
    for (const column of ['outcome', 'origin'] as const) {
      const text = filter[column]
      if (text === undefined) continue
      const number = this.textId(text)
      if (number === null) return null
      parts.push({ text: `${column} = ?`, values: [number] })
    }
    if (filter.names !== undefined) {
      const names = filter.names.flatMap(name => this.textId(name) ?? [])
      if (names.length === 0) return null
      parts.push({ text: `name IN (${names.map(() => '?').join(', ')})`, values: names })
    }
    return {
      text: parts.map(part => part.text).join(' AND '),
      values: parts.flatMap(part => part.values),
    }
  }

  private namesInUse(): readonly number[] {
    const found: number[] = []
    for (;;) {
      const next = this.one('SELECT min(name) AS value FROM spans WHERE name > ?', [
        found.at(-1) ?? -1,
      ])
      if (next === null) return found
      found.push(next)
    }
  }

  private places(text: string, values: readonly number[]): readonly Place[] {
    const base = this.base() ?? 0
    return this.all(text, values).map(({ id = 0, start = 0, duration = 0 }) => ({
      segment: this.number,
      id,
      startMicros: base + start,
      durationMicros: duration,
    }))
  }

  private block(first: number): Block {
    const known = this.blocks.get(first)
    if (known !== undefined) return known
    const [row] = this.all('SELECT data FROM blocks WHERE first = ?', [first])
    const block = new Block(row?.data ?? Buffer.alloc(1))
    const [oldest] = this.blocks.keys()
    if (this.blocks.size >= BLOCKS_CACHED && oldest !== undefined) this.blocks.delete(oldest)
    this.blocks.set(first, block)
    return block
  }

  private base(): number | null {
    this.baseMicros ??= this.one("SELECT value FROM facts WHERE key = 'base'", [])
    return this.baseMicros
  }

  /** Texts are added while the segment grows: asked for until found. */
  private textId(text: string): number | null {
    const known = this.texts.get(text)
    if (known !== undefined) return known
    const found = this.one('SELECT id AS value FROM texts WHERE text = ?', [text])
    if (found !== null) this.texts.set(text, found)
    return found
  }

  private ids(text: string, values: readonly number[]): readonly number[] {
    const rows = this.all(`${text} LIMIT ?`, [...values, SPANS_OF_ONE_MAX])
    return rows.map(({ id = 0 }) => id)
  }

  private one(text: string, values: readonly (number | string)[]): number | null {
    return this.all(text, values)[0]?.value ?? null
  }

  private all(text: string, values: readonly (number | string)[]): readonly Row[] {
    let statement = this.statements.get(text)
    if (statement === undefined) {
      statement = this.db.prepare<(number | string)[], Row>(text)
      this.statements.set(text, statement)
    }
    return statement.all(...values)
  }
}

/** Spans of one trace, slot or handoff in one answer: a hostile trace may have any number. */
export const SPANS_OF_ONE_MAX = 2_000

function isBelow(found: readonly Place[], limit: number, micros: number): boolean {
  return (found[limit - 1]?.startMicros ?? Number.NEGATIVE_INFINITY) > micros
}

/** Rows of this segment after a place in an order by `column`, then segment and id, all descending. */
function beforeCondition(
  before: Place | null,
  segment: number,
  column: 'start' | 'duration',
  base = 0,
): Condition {
  if (before === null) return { text: '1', values: [] }
  const bound = column === 'start' ? before.startMicros - base : before.durationMicros
  if (segment < before.segment) return { text: `${column} <= ?`, values: [bound] }
  if (segment > before.segment) return { text: `${column} < ?`, values: [bound] }
  return {
    text: `(${column} < ? OR (${column} = ? AND id < ?))`,
    values: [bound, bound, before.id],
  }
}
