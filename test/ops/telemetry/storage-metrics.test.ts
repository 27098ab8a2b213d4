import { tmpdir } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StorageMetrics } from '../../../ops/telemetry/storage-metrics.ts'

const test = suite('storage metrics')

test('the disk is asked once for both figures of a scrape, and not at all in memory', () => {
  const storage = new StorageMetrics()
  assert.is(storage.space(), null)
  storage.folder = tmpdir()
  const space = storage.space()
  assert.ok(space !== null && space.freeBytes <= space.sizeBytes)
  assert.is(storage.space(), space)
})

test.run()
