// The files that a search keeps open: how many, and what it says of those that it cannot open.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProtobufDecoder } from '../../../ops/archive/otlp-protobuf.ts'
import { answer, type Question } from '../../../ops/archive/question.ts'
import { Search } from '../../../ops/archive/search.ts'
import { SegmentWriter } from '../../../ops/archive/segment-writer.ts'
import { instanceSpan, protobufBody } from '../../support/archive-spans.ts'

const test = suite('open segments')
const START = Date.UTC(2026, 10, 25) * 1000
const SEGMENTS = 5
let folder = ''

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'open-segments-'))
  for (let number = 1; number <= SEGMENTS; number++) {
    const writer = new SegmentWriter(pathOf(number), { sync: 'normal', bytesMax: 1e6 })
    const instance = instanceSpan({ slot: number, startMicros: START + number })
    writer.append(new ProtobufDecoder().decode(protobufBody([instance])).spans)
    writer.close()
  }
})
test.after(() => rmSync(folder, { recursive: true, force: true }))

function pathOf(number: number): string {
  return join(folder, `${number}.db`)
}

function searchOf(numbers: readonly number[], readersMax?: number): Search {
  const search = new Search(readersMax)
  const anyTime = { startMin: 0, startMax: Number.MAX_SAFE_INTEGER }
  search.update(numbers.map(number => ({ number, path: pathOf(number), ...anyTime })))
  return search
}

test('a bounded number is kept open, and any number is searched', () => {
  const search = searchOf([1, 2, 3, 4, 5], 2)
  const readers: unknown = Reflect.get(search, 'readers')
  for (const slot of [1, 5, 3, 1, 2]) {
    assert.ok(answer(search, { type: 'instance', gid: 1, slot }) !== null, String(slot))
    assert.is(readers instanceof Map && readers.size, 2)
  }
  search.close()
})

test('a segment that is gone has nothing; one that cannot be opened is a failure', async () => {
  const search = searchOf([9])
  const question: Question = { type: 'instance', gid: 1, slot: 9 }
  assert.is(answer(search, question), null)
  // SQLite says the same of a socket as of any file where no descriptor is left.
  const server = createServer()
  await new Promise<void>(resolve => server.listen(pathOf(9), resolve))
  assert.throws(
    () => answer(search, question),
    (error: { code?: string }) => /^SQLITE_CANTOPEN/.test(error.code ?? ''),
  )
  await new Promise(resolve => server.close(resolve))
})

test.run()
