import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as shape from '../../../ops/archive/answers.ts'
import { TIMELINE_NAMES } from '../../../ops/archive/lines.ts'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import { answer, cursorPlace, type Question } from '../../../ops/archive/question.ts'
import { Search } from '../../../ops/archive/search.ts'
import { SegmentReader } from '../../../ops/archive/segment-reader.ts'
import { SegmentWriter } from '../../../ops/archive/segment-writer.ts'
import { Shelf } from '../../../ops/archive/shelf.ts'
import { ATTR, EVENT, SPAN } from '../../../ops/trace/span-model.ts'
import {
  event,
  handoffSpans,
  instanceSpan,
  nodeResource,
  protobufBody,
  readableSpan,
} from '../../support/archive-spans.ts'

const test = suite('search')
const START = Date.UTC(2026, 10, 25) * 1000
const ALL = { fromMicros: 0, toMicros: Number.MAX_SAFE_INTEGER }
let folder = ''
let shelf: Shelf
const search = new Search()

/** Small segments, so that every question meets many. */
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'search-'))
  shelf = new Shelf({
    ...{ folder, sync: 'normal', bytesMax: 16 * 1024 ** 2, ageMsMax: 7 * 86_400_000 },
    nowMs: () => START / 1000,
  })
  const decoder = new ProtobufDecoder()
  const all = everySpan()
  for (let from = 0; from < all.length; from += 700) {
    shelf.store([decoder.decode(protobufBody(all.slice(from, from + 700))).spans])
    shelf.tidy()
  }
  assert.ok(shelf.segments().length >= 3, String(shelf.segments().length))
  search.update(shelf.segments())
})
test.after(() => {
  search.close()
  shelf.close()
  rmSync(folder, { recursive: true, force: true })
})

const SLOTS = 10_000
/** One slow instance in a thousand. */
const isSlow = (slot: number): boolean => slot % 1_000 === 7

function everySpan(): readonly ReadableSpan[] {
  const instances = Array.from({ length: SLOTS }, (_, at) => {
    const slot = at + 1
    const gid = (slot % 2) + 1
    const stepMicros = isSlow(slot) ? 50_000 : 200
    const origin = slot % 500 === 0 ? 'noop' : 'own'
    return instanceSpan({ gid, slot, startMicros: START + slot * 1_000, stepMicros, origin })
  })
  const moves = Array.from({ length: 30 }, (_, at) =>
    handoffSpans({
      config: 3 + at,
      shard: at % 3,
      from: 1,
      to: 2,
      startMicros: START + at * 300_000,
    }),
  ).flat()
  const mixed = [...instances, ...moves, ...rarities()]
  return mixed.sort((one, other) => startOf(one) - startOf(other))
}

function startOf({ startTime: [seconds, nanos] }: ReadableSpan): number {
  return seconds * 1e6 + nanos / 1000
}

const REQUEST = 'a'.repeat(32)

function rarities(): readonly ReadableSpan[] {
  const election = readableSpan({
    name: SPAN.election,
    ...{
      traceId: 'e'.repeat(32),
      spanId: 'e'.repeat(16),
      startMicros: START + 5,
      durationMicros: 9,
    },
    resource: nodeResource(1, 2),
    attributes: { [ATTR.ballot]: '4.2', [ATTR.outcome]: 'ok', [ATTR.inherited]: 3 },
    events: [event(EVENT.won, START + 14)],
  })
  const slot77 = instanceSpan({ gid: 2, slot: 77, startMicros: START + 77_000 }).spanContext()
  const request = readableSpan({
    name: SPAN.request,
    ...{ traceId: REQUEST, spanId: 'b'.repeat(16), startMicros: START + 9, durationMicros: 80_000 },
    resource: nodeResource(2, 0),
    attributes: { [ATTR.shard]: 1, [ATTR.outcome]: 'timeout' },
    links: [slot77],
  })
  const again = instanceSpan({ gid: 1, slot: 4, startMicros: START + 8e6, formation: 'f2' })
  return [election, request, again]
}

const page = (more: object = {}) => ({
  order: 'newest' as const,
  limit: 100,
  before: null,
  ...more,
})

function instances(filter: object, more: object = {}): shape.InstancesAnswer {
  const question: Question = {
    type: 'instances',
    filter: { ...ALL, ...filter },
    page: page(more),
  }
  return shape.instancesAnswer.parse(answer(search, question))
}

/** All pages of a list, by its own cursor. */
function everyPage<T>(
  read: (before: unknown) => { lines: readonly T[]; next: string | null },
): T[] {
  const found: T[] = []
  let before: unknown = null
  for (let pages = 0; pages < 200; pages++) {
    const { lines, next } = read(before)
    found.push(...lines)
    if (next === null) return found
    before = cursorPlace(next)
    assert.ok(before !== null)
  }
  throw new Error('the pages do not end')
}

test('an instance is found by group and slot, whole', () => {
  const found = shape.instanceAnswer.parse(
    answer(search, { type: 'instance', gid: 1, slot: 2_222 }),
  )
  assert.is(found.spans.length, 1)
  const [span] = found.spans
  assert.is(span?.attributes[ATTR.slot], 2_222)
  assert.is(span?.startMicros, START + 2_222_000)
  assert.equal(
    span?.events.map(({ name }) => name),
    ['proposed', 'accepted', 'accepted', 'decided', 'accepted', 'applied'],
  )
  assert.is(answer(search, { type: 'instance', gid: 1, slot: 2_223 }), null, 'of the other group')
  assert.is(answer(search, { type: 'instance', gid: 1, slot: SLOTS + 5 }), null)
})

test("another formation's instance comes first when it is newer", () => {
  const found = shape.instanceAnswer.parse(answer(search, { type: 'instance', gid: 1, slot: 4 }))
  assert.equal(
    found.spans.map(({ startMicros }) => startMicros),
    [START + 8e6, START + 4_000],
  )
  assert.is.not(found.spans[0]?.traceId, found.spans[1]?.traceId)
})

test('pages of the newest give every instance once, in order', () => {
  const slots = everyPage(before => {
    const { instances: lines, next } = instances({ gid: 2 }, { limit: 333, before })
    return { lines, next }
  }).map(({ slot }) => slot)
  const expected = Array.from({ length: SLOTS / 2 }, (_, at) => SLOTS - 1 - 2 * at)
  assert.equal(slots, expected)
})

test('pages of the slowest give every instance once, slowest first', () => {
  const lines = everyPage(before => {
    const found = instances({}, { limit: 400, before, order: 'slowest' })
    return { lines: found.instances, next: found.next }
  })
  assert.is(lines.length, SLOTS + 1)
  assert.is(new Set(lines.map(({ traceId }) => traceId)).size, SLOTS + 1)
  const durations = lines.map(({ durationMicros }) => durationMicros)
  assert.equal(
    durations,
    [...durations].sort((one, other) => other - one),
  )
  assert.equal(
    lines.slice(0, 10).map(({ slot }) => slot % 1_000),
    Array(10).fill(7),
  )
})

test('filters by time, duration, origin and group hold together', () => {
  const within = { fromMicros: START + 2_000_000, toMicros: START + 6_000_000 }
  const slow = instances({ ...within, minMicros: 100_000 })
  assert.equal(
    slow.instances.map(({ slot }) => slot),
    [5_007, 4_007, 3_007, 2_007],
  )
  const noops = instances({ ...within, origin: 'noop', gid: 1 }, { order: 'slowest' })
  assert.equal(
    noops.instances.map(({ slot }) => slot).sort(),
    [2_000, 2_500, 3_000, 3_500, 4_000, 4_500, 5_000, 5_500, 6_000],
  )
  const edge = instances({ fromMicros: START + 5_000, toMicros: START + 5_000 })
  assert.equal(
    edge.instances.map(({ slot }) => slot),
    [5],
  )
  assert.equal(instances({ outcome: 'never seen' }).instances, [])
  assert.equal(instances({ fromMicros: START + 1e9 }).instances, [])
})

test('a line of an instance has the timings of its acceptors', () => {
  const [line] = instances({ fromMicros: START + 77_000, toMicros: START + 77_000 }).instances
  assert.is(line?.gid, 2)
  assert.equal(
    line?.acceptors.map(({ acceptor, madeQuorum }) => [acceptor, madeQuorum]),
    [
      [1, false],
      [0, true],
      [2, false],
    ],
  )
  assert.ok((line?.decidedMicros ?? 0) > (line?.acceptors[1]?.atMicros ?? 0))
  assert.ok((line?.appliedMicros ?? 0) > (line?.decidedMicros ?? 0))
})

function handoffs(filter: object, more: object = {}): shape.HandoffsAnswer {
  const question: Question = { type: 'handoffs', filter: { ...ALL, ...filter }, page: page(more) }
  return shape.handoffsAnswer.parse(answer(search, question))
}

test('handoffs are listed once, with both sides, however small the pages', () => {
  for (const limit of [1, 2, 7, 100]) {
    const lines = everyPage(before => {
      const found = handoffs({}, { limit, before })
      return { lines: found.handoffs, next: found.next }
    })
    assert.equal(
      lines.map(({ config }) => config),
      Array.from({ length: 30 }, (_, at) => 32 - at),
      `pages of ${limit}`,
    )
    assert.ok(lines.every(({ giver, taker }) => giver?.gid === 1 && taker?.gid === 2))
  }
  const [line] = handoffs({ shard: 2, config: 5 }).handoffs
  assert.equal(
    [line?.from, line?.to, line?.pauseMicros, line?.durationMicros, line?.outcome],
    [1, 2, 21_000, 30_000, 'ok'],
  )
  assert.is(handoffs({ shard: 2 }).handoffs.length, 10)
  assert.is(handoffs({ gid: 2, config: 4 }).handoffs[0]?.giver?.gid, 1, 'the other side too')
  const whole = shape.handoffAnswer.parse(answer(search, { type: 'handoff', config: 5, shard: 2 }))
  assert.is(whole.spans.length, 2)
})

test('a question has one deadline, however many searches it is', () => {
  const afterChecks = (count: number) => {
    let left = count
    return () => left-- <= 0
  }
  let shortPages = 0
  const lines = everyPage(before => {
    const question: Question = {
      type: 'handoffs',
      filter: ALL,
      page: page({ limit: 25, before }),
    }
    const isOver = afterChecks(40)
    const { handoffs: some, next } = shape.handoffsAnswer.parse(answer(search, question, isOver))
    if (next !== null && some.length < 25) shortPages += 1
    return { lines: some, next }
  })
  assert.equal(
    lines.map(({ config }) => config),
    Array.from({ length: 30 }, (_, at) => 32 - at),
  )
  assert.ok(shortPages > 0, 'a page ends where the time does')
  const of = { type: 'request', traceId: REQUEST } as const
  const late = shape.requestAnswer.parse(answer(search, of, afterChecks(0)))
  assert.equal([late.spans.length, late.instances.length, late.isPartial], [1, 0, true])
})

test("a request's answer has the instances that it is linked to", () => {
  const found = shape.requestAnswer.parse(answer(search, { type: 'request', traceId: REQUEST }))
  assert.is(found.spans.length, 1)
  assert.equal(
    found.instances.map(({ gid, attributes }) => [gid, attributes[ATTR.slot]]),
    [[2, 77]],
  )
  assert.not(found.isPartial)
  assert.is(answer(search, { type: 'request', traceId: 'b'.repeat(32) }), null)
})

test('the timeline has what is rare, in words; the general search any span', () => {
  const timeline: Question = { type: 'timeline', filter: ALL, page: page() }
  const { entries } = shape.timelineAnswer.parse(answer(search, timeline))
  assert.equal(
    entries.map(({ text, gid }) => [gid, text]),
    [[1, 'replica 2, ballot 4.2, leads, inherited 3']],
  )
  const slowest: Question = {
    type: 'spans',
    filter: { ...ALL, outcome: 'timeout' },
    page: page({ order: 'slowest' }),
  }
  const { spans } = shape.spansAnswer.parse(answer(search, slowest))
  assert.equal(
    spans.map(({ name, durationMicros }) => [name, durationMicros]),
    [[SPAN.request, 80_000]],
  )
  const trace = shape.traceAnswer.parse(answer(search, { type: 'trace', traceId: REQUEST }))
  assert.is(trace.spans[0]?.links.length, 1)
})

/** Of the one segment that has the election; no other name of the timeline is in any. */
function ofElection<T>(read: (reader: SegmentReader) => T): T {
  const [first] = shelf.segments()
  const reader = new SegmentReader(first!.number, first!.path)
  try {
    return read(reader)
  } finally {
    reader.close()
  }
}

test('rare names are found by their index, whether or not a segment has all of them', () => {
  const names = [...TIMELINE_NAMES, 'never.seen']
  // A walk through the blocks would end at once, and say so.
  const query = { before: null, limit: 10, isOver: () => true }
  const found = ofElection(reader => reader.newest({ ...ALL, names }, query))
  assert.is(found.reachedMicros, null)
  assert.equal(
    found.places.map(({ startMicros }) => startMicros),
    [START + 5],
  )
})

test('pages of any length are read by the same statements', () => {
  const counts = ofElection(reader =>
    [1, 2, 3, 4].map(limit => {
      reader.newest(
        { ...ALL, names: [SPAN.election] },
        { before: null, limit, isOver: () => false },
      )
      reader.slowest({ ...ALL, names: [SPAN.instance] }, { before: null, limit })
      const statements: unknown = Reflect.get(reader, 'statements')
      return statements instanceof Map ? statements.size : 0
    }),
  )
  assert.ok((counts[0] ?? 0) > 0)
  assert.equal(counts, Array(4).fill(counts[0]))
})

test('a thousand odd names do not hide the names of the project', () => {
  const path = join(folder, 'odd.db')
  const writer = new SegmentWriter(path, { sync: 'normal', bytesMax: 1e6 })
  const instance = instanceSpan({ slot: 1, startMicros: START })
  const [span] = new ProtobufDecoder().decode(protobufBody([instance])).spans
  const odd = Array.from({ length: 1_200 }, (_, at) => ({ ...span!, name: `odd.${at}` }))
  const own = Object.values(SPAN).map(name => ({ ...span!, name }))
  writer.append([...odd, ...own])
  writer.close()
  const reader = new SegmentReader(1, path)
  const query = { before: null, limit: 10, isOver: () => false }
  for (const name of Object.values(SPAN)) {
    assert.is(reader.newest({ ...ALL, names: [name] }, query).places.length, 1, name)
    assert.is(reader.slowest({ ...ALL, names: [name] }, query).length, 1, name)
  }
  reader.close()
})

test('what is written after a question is found by the next one', () => {
  const decoder = new ProtobufDecoder()
  const late = instanceSpan({ gid: 1, slot: 70_000, startMicros: START + 1_000, outcome: 'lease' })
  assert.is(answer(search, { type: 'instance', gid: 1, slot: 70_000 }), null)
  shelf.store([decoder.decode(protobufBody([late])).spans])
  search.update(shelf.segments())
  assert.ok(answer(search, { type: 'instance', gid: 1, slot: 70_000 }) !== null)
  assert.equal(
    instances({ outcome: 'lease' }).instances.map(({ slot }) => slot),
    [70_000],
  )
})

test.run()
