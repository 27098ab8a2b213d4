// The writing thread by itself: what it holds at once, and when it answers.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SPANS_MAX } from '../../../ops/archive/otlp-span.ts'
import { type FromWriter, startThread, type ToWriter } from '../../../ops/archive/thread.ts'

const test = suite('writer thread')
let folder = ''
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'writer-thread-'))
})
test.after.each(() => rmSync(folder, { recursive: true, force: true }))

/** A small body, of many spans: `batch` tells them from those of others. */
function body(batch: number, count: number): Uint8Array {
  const startTimeUnixNano = `${Date.now()}000000`
  const spans = Array.from({ length: count }, (_, at) => ({
    traceId: String(batch).padStart(32, 'a'),
    spanId: String(at + 1).padStart(16, '0'),
    name: 'x',
    ...{ startTimeUnixNano, endTimeUnixNano: startTimeUnixNano },
  }))
  return gzipSync(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))
}

test('what came in together is written in parts when it is much', async () => {
  const data = { folder, sync: 'normal', bytesMax: 64 * 1024 ** 2, ageMsMax: 86_400_000 }
  const worker = startThread('writer-thread', data)
  const tell = (message: ToWriter): void => worker.postMessage(message)
  const answers: (readonly number[])[] = []
  const closed = new Promise<void>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (message: FromWriter) => {
      if (message.type === 'closed') resolve()
      if (message.type !== 'results') return
      for (const { result } of message.results) assert.is(result.type, 'stored')
      answers.push(message.results.map(({ id }) => id))
    })
  })
  const sizes = [10, SPANS_MAX, 20, SPANS_MAX / 2, SPANS_MAX / 2, 30]
  const bodies = sizes.map((size, id) => body(id, size))
  for (const [id, bytes] of bodies.entries()) {
    tell({ type: 'store', delivery: { id, encoding: 'json', isGzip: true, body: bytes } })
  }
  tell({ type: 'close' })
  await closed
  assert.equal(answers, [[0, 1], [2, 3, 4], [5]])
})

test.run()
