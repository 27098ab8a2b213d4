import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import type { OtlpSpan } from '../../../ops/archive/otlp-span.ts'
import { openForReading, STEPS, versionOf } from '../../../ops/archive/segment-schema.ts'
import { SegmentWriter } from '../../../ops/archive/segment-writer.ts'
import { extentOf, Shelf, type ShelfOptions } from '../../../ops/archive/shelf.ts'
import { instanceSpan, protobufBody } from '../../support/archive-spans.ts'

const test = suite('shelf')
const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 10, 25)
const decoder = new ProtobufDecoder()
let folder = ''
let shelf: Shelf | null = null
let nowMs = START_MS

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'shelf-'))
  nowMs = START_MS
})
test.after.each(() => {
  shelf?.close()
  shelf = null
  rmSync(folder, { recursive: true, force: true })
})

function opened(options: Partial<ShelfOptions> = {}): Shelf {
  shelf?.close()
  shelf = new Shelf({
    ...{ folder, sync: 'normal', bytesMax: 64 * 1024 ** 2, ageMsMax: 7 * DAY_MS },
    nowMs: () => nowMs,
    ...options,
  })
  return shelf
}

/** Instances of slots `from` … `from + count - 1`, of the present time. */
function spans(from: number, count: number, formation = 'f1'): readonly OtlpSpan[] {
  const made = Array.from({ length: count }, (_, at) =>
    instanceSpan({ slot: from + at, startMicros: nowMs * 1000 + at, formation }),
  )
  return decoder.decode(protobufBody(made)).spans
}

const NONE = { stored: 0, duplicate: 0, expired: 0, rejected: 0 }

function count(of: Shelf): number {
  return extentOf(of.segments()).spans
}

test('a batch sent again, or twice at once, adds nothing', () => {
  const open = opened()
  const batch = spans(1, 500)
  assert.equal(open.store([batch, batch]), [
    { ...NONE, stored: 500 },
    { ...NONE, duplicate: 500 },
  ])
  assert.equal(open.store([batch]), [{ ...NONE, duplicate: 500 }])
  assert.equal(opened().store([batch]), [{ ...NONE, duplicate: 500 }], 'after a restart')
  assert.equal(opened().store([spans(1, 500, 'f2')]), [{ ...NONE, stored: 500 }], 'another log')
  assert.is(count(opened()), 1_000)
})

test('the same span id in another trace is another span', () => {
  const open = opened()
  const [span] = spans(1, 1)
  const other = { ...span!, traceId: 'f'.repeat(32) }
  assert.equal(open.store([[span!, other]]), [{ ...NONE, stored: 2 }])
  assert.equal(open.store([[span!, other]]), [{ ...NONE, duplicate: 2 }])
})

test('a batch sent again is known although its segment is full and closed', () => {
  const open = opened({ bytesMax: 2 * 1024 ** 2 })
  const first = spans(1, 1_000)
  open.store([first])
  for (let slot = 1_001; open.segments().length < 4; slot += 1_000) {
    nowMs += 1_000
    open.store([spans(slot, 1_000)])
    open.tidy()
  }
  assert.equal(open.store([first]), [{ ...NONE, duplicate: 1_000 }])
})

test('the oldest leave when there are too many bytes, and the disk has them back', () => {
  const bytesMax = 2 * 1024 ** 2
  const open = opened({ bytesMax })
  for (let slot = 1; slot < 60_000; slot += 2_000) {
    nowMs += 10_000
    open.store([spans(slot, 2_000)])
    open.tidy()
    assert.ok(bytesIn(folder) <= bytesMax, `${bytesIn(folder)} bytes after slot ${slot}`)
  }
  const kept = open.segments()
  assert.ok(kept.length > 2)
  assert.ok(count(open) > 4_000 && count(open) < 59_000, String(count(open)))
  assert.is(kept.at(-1)?.startMax, nowMs * 1000 + 1_999, 'the newest is there')
  assert.not(existsSync(join(folder, 'spans-00000001.db')))
  assert.is(readdirSync(folder).filter(name => /^spans-.*\.db$/.test(name)).length, kept.length)
})

function bytesIn(dir: string): number {
  return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
}

test('spans leave when they are old enough, not before, and come in no more', () => {
  const open = opened({ ageMsMax: DAY_MS })
  const old = spans(1, 10)
  open.store([old])
  nowMs += DAY_MS / 2
  open.tidy()
  const newer = spans(11, 10)
  open.store([newer])
  nowMs += DAY_MS / 2 - 1
  open.tidy()
  assert.is(count(open), 20)
  // A segment ends after 1/28 of the time, so its spans may stay by so much longer.
  nowMs += DAY_MS / 28 + DAY_MS / 2
  open.tidy()
  assert.is(count(open), 10)
  assert.equal(open.store([old]), [{ ...NONE, expired: 10 }])
  nowMs += 2 * DAY_MS
  open.tidy()
  open.tidy()
  assert.is(count(open), 0)
})

test('spans from clocks far ahead are rejected', () => {
  const open = opened()
  const batch = spans(1, 2)
  nowMs -= 3_600_000
  assert.equal(open.store([batch]), [{ ...NONE, rejected: 2 }])
  nowMs += 3_600_000 - 60_000
  assert.equal(open.store([batch]), [{ ...NONE, stored: 2 }])
})

test('an older file is brought up to date with its spans, a newer one left alone', () => {
  const open = opened()
  open.store([spans(1, 100)])
  const steps = [...STEPS, 'ALTER TABLE spans ADD COLUMN more INTEGER; CREATE TABLE later (x);']
  open.close()
  shelf = null
  const path = join(folder, 'spans-00000001.db')
  const migrated = new SegmentWriter(path, { sync: 'normal', bytesMax: 1e6, steps })
  assert.is(migrated.extent.spans, 100)
  migrated.close()
  const db = openForReading(path)
  assert.is(versionOf(db), STEPS.length + 1)
  assert.is(db.prepare('SELECT count(more IS NULL) FROM spans').pluck().get(), 100)
  db.close()
  const notes: string[] = []
  const again = opened({ onNote: text => notes.push(text) })
  assert.is(count(again), 0)
  assert.match(notes.join(), /set aside as .*spans-00000001\.db\.newer/)
  assert.ok(existsSync(`${path}.newer`))
  assert.equal(again.store([spans(1, 5)]), [{ ...NONE, stored: 5 }])
  assert.is(again.segments()[0]?.number, 2, 'its number is not used again')
})

test('a step that fails leaves the version before it', () => {
  opened().store([spans(1, 10)])
  shelf?.close()
  shelf = null
  const path = join(folder, 'spans-00000001.db')
  const steps = [...STEPS, 'CREATE TABLE half (x); SELECT no_such_function();']
  assert.throws(
    () => new SegmentWriter(path, { sync: 'normal', bytesMax: 1e6, steps }),
    /no_such_function/,
  )
  const db = openForReading(path)
  assert.is(versionOf(db), STEPS.length)
  assert.is(db.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'half'").pluck().get(), 0)
  db.close()
  assert.is(count(opened()), 10)
})

test('a damaged segment is set aside, and the others stay', () => {
  const open = opened({ bytesMax: 2 * 1024 ** 2 })
  for (let slot = 1; open.segments().length < 3; slot += 1_000) {
    nowMs += 1_000
    open.store([spans(slot, 1_000)])
    open.tidy()
  }
  const [first, second, third] = open.segments()
  open.close()
  shelf = null
  writeFileSync(
    second!.path,
    'this is no database, but it is long enough to look like a file of one',
  )
  const notes: string[] = []
  const again = opened({ bytesMax: 2 * 1024 ** 2, onNote: text => notes.push(text) })
  assert.equal(
    again.segments().map(({ number, spans }) => [number, spans]),
    [
      [first!.number, first!.spans],
      [third!.number, third!.spans],
    ],
  )
  assert.match(notes.join(), /spans-00000002\.db\.damaged/)
})

/** As a bad sector leaves it: pages that SQLite opens, and a block among them that is none. */
function spoilBlocks(path: string): void {
  const db = new Database(path)
  db.prepare("UPDATE blocks SET data = x'ff'").run()
  db.close()
}

/** Overwrites the page at the root of a table or an index. */
function spoilPage(path: string, name: string): void {
  const db = new Database(path)
  db.pragma('wal_checkpoint(TRUNCATE)')
  const page = db.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').pluck().get(name)
  db.close()
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, (Number(page) - 1) * 4096)
  closeSync(file)
}

test('a newest segment with damage behind its first pages is set aside at a start', () => {
  for (const spoil of [spoilBlocks, (path: string) => spoilPage(path, 'blocks')]) {
    const open = opened()
    open.store([spans(1, 100)])
    const path = open.segments().at(-1)?.path ?? ''
    open.close()
    shelf = null
    spoil(path)
    const notes: string[] = []
    const again = opened({ onNote: text => notes.push(text) })
    assert.match(notes.join(), /set aside as .*\.damaged/)
    assert.equal(again.store([spans(1, 100)]), [{ ...NONE, stored: 100 }])
  }
})

test('a newest segment with a damaged index makes room for another one', () => {
  const open = opened()
  open.store([spans(1, 100)])
  const path = open.segments().at(-1)?.path ?? ''
  open.close()
  shelf = null
  spoilPage(path, 'spans_by_trace')
  const notes: string[] = []
  const again = opened({ onNote: text => notes.push(text) })
  assert.equal(again.store([spans(1, 100)]), [{ ...NONE, stored: 100 }])
  assert.match(notes.join(), /set aside as .*\.damaged/)
  assert.equal(again.store([spans(1, 100)]), [{ ...NONE, duplicate: 100 }])
})

test('a closed segment that is damaged stops nothing, and is told of once', () => {
  for (const spoil of [spoilBlocks, (path: string) => spoilPage(path, 'spans_by_trace')]) {
    rmSync(folder, { recursive: true, force: true })
    const notes: string[] = []
    const open = opened({ bytesMax: 2 * 1024 ** 2, onNote: text => notes.push(text) })
    const first = spans(1, 1_000)
    open.store([first])
    nowMs += DAY_MS
    open.tidy()
    const path = open.segments()[0]?.path ?? ''
    spoil(path)
    assert.equal(open.store([first]), [{ ...NONE, stored: 1_000 }])
    assert.equal(open.store([first]), [{ ...NONE, duplicate: 1_000 }])
    assert.is(notes.length, 1, notes.join())
    assert.match(notes.join(), /spans-\d{8}\.db is damaged/)
    shelf?.close()
    shelf = null
    nowMs = START_MS
  }
})

test('a batch that fails in the middle leaves nothing, and the next one is stored', () => {
  const path = join(folder, 'one.db')
  const writer = new SegmentWriter(path, { sync: 'normal', bytesMax: 1e6 })
  const good = spans(1, 300)
  const bad = { ...good[299]!, startMicros: Number.NaN } // what no decoder lets through
  assert.throws(() => writer.append([...good.slice(0, 299), bad]))
  assert.is(writer.extent.spans, 0)
  assert.equal([...writer.spanIds()], [])
  writer.append(good)
  assert.is(writer.extent.spans, 300)
  assert.ok(writer.has(good[299]!.traceId, good[299]!.spanId))
  assert.not(writer.has(good[0]!.traceId, good[1]!.spanId))
  writer.close()
})

test.run()
