// Planted bugs of the archive of traces.

import type { Mutant } from './mutant.ts'

const SHELF = 'test/ops/archive/shelf.test.ts'
const SEARCH = 'test/ops/archive/search.test.ts'
const OTLP = 'test/ops/archive/otlp.test.ts'
const HOSTILE = 'test/ops/archive/otlp-hostile.test.ts'
const ROUTES = 'test/ops/archive/archive-routes.test.ts'
const LINES = 'test/ops/archive/lines.test.ts'
const SILENCE = 'test/ops/archive/silence.test.ts'

export const ARCHIVE_MUTANTS: readonly Mutant[] = [
  {
    name: 'answered-batch-waits-for-ever',
    row: 'archive',
    file: 'ops/archive/archive.ts',
    find: '    this.waitingBytes -= length\n',
    replace: '',
    by: { file: ROUTES, test: 'what was answered waits no more' },
  },
  {
    name: 'span-stored-twice',
    row: 'archive',
    file: 'ops/archive/shelf.ts',
    find: 'if (this.seen.has(spanId) && this.activeHas(span)) return true',
    replace: '',
    by: { file: SHELF, test: 'adds nothing' },
  },
  {
    name: 'closed-segments-not-asked',
    row: 'archive',
    file: 'ops/archive/shelf.ts',
    find: 'return this.probe(segment).has(traceId, spanId)',
    replace: 'return spanId === traceId',
    by: { file: SHELF, test: 'although its segment is full' },
  },
  {
    name: 'bytes-without-bound',
    row: 'archive',
    file: 'ops/archive/shelf.ts',
    find: 'if (!isOld && bytes <= bytesMax) break',
    replace: 'if (!isOld) break',
    by: { file: SHELF, test: 'too many bytes' },
  },
  {
    name: 'old-spans-stay',
    row: 'archive',
    file: 'ops/archive/shelf.ts',
    find: 'const isOld = nowMs - segment.sealedMs > ageMsMax',
    replace: 'const isOld = nowMs - segment.sealedMs > 100 * ageMsMax',
    by: { file: SHELF, test: 'old enough' },
  },
  {
    name: 'bomb-inflated',
    row: 'archive',
    file: 'ops/archive/writer-thread.ts',
    find: '{ maxOutputLength: INFLATED_BYTES_MAX }',
    replace: '{}',
    by: { file: ROUTES, test: 'bombs' },
  },
  {
    name: 'peers-read-the-archive',
    row: 'archive',
    file: 'ops/archive/archive-routes.ts',
    find: "const READ = { method: 'GET',",
    replace: "const READ = { isForPeers: true, method: 'GET',",
    by: { file: ROUTES, test: 'nobody else' },
  },
  {
    name: 'nanoseconds-lose-digits',
    row: 'archive',
    file: 'ops/archive/protobuf.ts',
    find: 'Math.floor((high * 296 + low) / 1000)',
    replace: 'Math.floor(low / 1000)',
    by: { file: OTLP, test: 'nanoseconds become' },
  },
  {
    name: 'nesting-without-bound',
    row: 'archive',
    file: 'ops/archive/otlp-protobuf.ts',
    find: 'value = depth < VALUE_DEPTH_MAX ? readArray',
    replace: 'value = depth < 1e9 ? readArray',
    by: { file: HOSTILE, test: 'nested values' },
  },
  {
    name: 'attributes-without-bound',
    row: 'archive',
    file: 'ops/archive/otlp-protobuf.ts',
    find: 'if (this.list.length >= this.lengthMax) return reader.skip()',
    replace: '',
    by: { file: HOSTILE, test: 'too much of' },
  },
  {
    name: 'page-ends-between-blocks',
    row: 'archive',
    file: 'ops/archive/segment-reader.ts',
    find: 'if (found.length >= query.limit && isBelow(found, query.limit, base + high)) break',
    replace: 'if (found.length >= query.limit / 2) break',
    by: { file: SEARCH, test: 'every instance once' },
  },
  {
    name: 'handoff-listed-for-each-side',
    row: 'archive',
    file: 'ops/archive/question.ts',
    find: '(startMicros > ended.startMicros || spanId === ended.spanId)',
    replace: 'startMicros > ended.startMicros',
    by: { file: SEARCH, test: 'listed once' },
  },
  {
    name: 'thinned-quorum-misplaced',
    row: 'archive',
    file: 'ops/archive/thinned.ts',
    find: 'place + 1 === quorum',
    replace: 'place === quorum',
    by: { file: LINES, test: 'was thinned' },
  },
  {
    name: 'silence-waited-for-again',
    row: 'archive',
    file: 'ops/archive/silence.ts',
    find: 'return STILL',
    replace: 'return this.noted(ask)',
    by: { file: SILENCE, test: 'without a wait' },
  },
  {
    name: 'silence-for-ever',
    row: 'archive',
    file: 'ops/archive/silence.ts',
    find: 'this.nowMs() - this.since < REST_MS',
    replace: 'this.nowMs() - this.since < 100 * REST_MS',
    by: { file: SILENCE, test: 'its answer ends the silence' },
  },
  {
    name: 'try-waited-for',
    row: 'archive',
    file: 'ops/archive/silence.ts',
    find: 'return Promise.race([tried, soon()])',
    replace: 'return tried',
    by: { file: SILENCE, test: 'is not waited for long' },
  },
]
