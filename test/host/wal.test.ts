// What the log promises while nothing goes wrong, on a disk in memory and on the real one.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { crc32c } from '../../server/host/crc32c.ts'
import { WritePace } from '../../server/host/wal-pace.ts'
import { segmentName } from '../../server/host/wal-segment.ts'
import { WalDisk } from '../support/wal-disk.ts'
import { own, runWal, until } from '../support/wal-run.ts'

const test = suite('wal')

test('the checksum is CRC-32C, from any start and in parts', () => {
  const bytes = Buffer.from('123456789')
  assert.is(crc32c(bytes), 0xe3069283)
  assert.is(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  assert.is(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.is(crc32c(bytes, crc32c(bytes, 0, 0, cut), cut), 0xe3069283)
  }
})

test('an empty folder is an empty log', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  assert.equal(run.recovered, [])
  await run.wal.close()
  assert.is(disk.openCount, 0)
})

test('records come back in order, with the headers of their segments', async () => {
  const disk = new WalDisk()
  const first = await runWal(disk)
  for (let index = 1; index <= 3; index++) await first.write(`record ${index}`)
  await first.wal.close()
  const second = await runWal(disk)
  assert.equal(second.recovered, ['header', 'record 1', 'record 2', 'record 3'])
  await second.write('record 4')
  await second.wal.close()
  const third = await runWal(disk)
  assert.equal(own(third.recovered), ['record 1', 'record 2', 'record 3', 'record 4'])
  await third.wal.close()
})

test('numbers count the records of this opening, not the headers', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  await until(() => run.wal.stats().segments >= 0)
  assert.is(run.wal.append(Buffer.from('a'), 0), 1)
  assert.is(run.wal.append(Buffer.from('b'), 0), 2)
  run.wal.flush()
  await until(() => run.durable() === 2)
  await run.wal.close()
  const again = await runWal(disk)
  assert.is(again.wal.append(Buffer.from('c'), 0), 1)
  await again.wal.close()
  assert.is(again.durable(), 1)
})

test('what was appended together is one write and one sync', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk, { segmentBytes: 64 * 1024 })
  await run.write('first')
  const before = disk.operations.length
  for (let index = 0; index < 100; index++) run.wal.append(Buffer.from(`record ${index}`), 0)
  run.wal.flush()
  assert.equal(disk.operations.slice(before), ['write', 'sync'])
  await until(() => run.durable() === 101)
  await run.wal.close()
})

test('nothing is announced from within flush, and nothing without it', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  await run.write('first')
  run.wal.append(Buffer.from('second'), 0)
  await new Promise(resolve => setTimeout(resolve, 5))
  assert.is(run.durable(), 1)
  run.wal.flush()
  assert.is(run.durable(), 1)
  await until(() => run.durable() === 2)
  await run.wal.close()
})

test('a record larger than a segment has one of its own', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  const large = 'x'.repeat(3000)
  await run.write('small')
  await run.write(large)
  await run.write('small again')
  await run.wal.close()
  const again = await runWal(disk)
  assert.equal(again.recovered, ['header', 'small', 'header', large, 'header', 'small again'])
  await again.wal.close()
})

test('whole segments go when all their slots are below, and not before', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let slot = 1; slot <= 40; slot++) await run.write(`${slot}`.padStart(100, '.'), slot)
  const before = run.wal.stats().segments
  assert.is(before, 14, 'three records each')
  run.wal.trimBelow(21)
  await until(() => run.wal.stats().segments === before - 6)
  await run.wal.close()
  const again = await runWal(disk)
  const slots = own(again.recovered).map(text => Number(text.replaceAll('.', '')))
  assert.is(slots.at(-1), 40)
  assert.is(slots[0], 19)
  for (const [index, slot] of slots.entries()) assert.is(slot, 19 + index)
  again.wal.trimBelow(1000)
  await new Promise(resolve => setTimeout(resolve, 20))
  await again.wal.close()
  const third = await runWal(disk)
  assert.equal(own(third.recovered).length, slots.length, 'no trim before the header is durable')
  await third.wal.close()
})

test('files are used again, and their number stays bounded', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let slot = 1; slot <= 300; slot++) {
    await run.write(`${slot}`.padStart(100, '.'), slot)
    run.wal.trimBelow(slot)
  }
  const created = disk.operations.filter(operation => operation.startsWith('create'))
  assert.ok(created.length < 10, `${created.length} files created`)
  assert.ok(disk.list().length <= 5, disk.list().join())
  await run.wal.close()
  const again = await runWal(disk)
  assert.is(own(again.recovered).at(-1), '300'.padStart(100, '.'))
  await again.wal.close()
})

test('restarts without writes in between do not pile up files', async () => {
  const disk = new WalDisk()
  for (let index = 0; index < 10; index++) {
    const run = await runWal(disk)
    await run.write(`${index}`)
    await run.wal.close()
    const idle = await runWal(disk)
    assert.is(own(idle.recovered).length, index + 1)
    await idle.wal.close()
  }
  const bytes = disk.list().reduce((sum, name) => sum + disk.content(name).length, 0)
  assert.ok(bytes < 10 * 150 + 3 * 512, `${bytes} bytes`)
})

test('a closed log takes nothing more', async () => {
  const run = await runWal(new WalDisk())
  await run.wal.close()
  assert.throws(() => run.wal.append(Buffer.from('late'), 0), /closed/)
  run.wal.flush()
  await run.wal.close()
})

test('closing writes what was appended', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let index = 0; index < 20; index++) run.wal.append(Buffer.alloc(100, index), 0)
  await run.wal.close()
  assert.is(run.durable(), 20)
  const again = await runWal(disk)
  assert.is(own(again.recovered).length, 20)
  await again.wal.close()
})

/** So many writes in a row; returns how many of them blocked. */
function noted(pace: WritePace, count: number, ms: (index: number) => number): number {
  let blocked = 0
  for (let index = 1; index <= count; index++) {
    if (pace.blocksNext) blocked += 1
    pace.note(ms(index))
  }
  return blocked
}

test('writes block while the disk is fast on average, in spite of single slow ones', () => {
  const pace = new WritePace()
  assert.is(
    noted(pace, 1000, index => (index % 50 === 0 ? 20 : 0.2)),
    1000,
  )
  assert.is(noted(pace, 1000, () => 3) < 50, true)
  assert.is(pace.isBlocking, false)
})

test('one long stall is enough to write in the background, for a while', () => {
  const pace = new WritePace()
  noted(pace, 100, () => 0.2)
  pace.note(60)
  assert.is(pace.isBlocking, false)
  assert.is(
    noted(pace, 64, () => 5),
    0,
    'how long writes in the background take says nothing',
  )
  const blocked = noted(pace, 11, () => 0.2)
  assert.is(blocked, 3)
  assert.is(pace.isBlocking, true)
})

test('a slow disk is probed ever more seldom', () => {
  const pace = new WritePace()
  noted(pace, 100, () => 100)
  assert.ok(noted(pace, 10_000, () => 100) < 10)
  assert.ok(noted(pace, 10_000, () => 100) < 4)
  assert.is(pace.isBlocking, false)
})

test('in the background, the next write starts when the one before ends', async () => {
  const disk = new WalDisk()
  let isSlow = false
  disk.onOperation = operation => {
    const end = performance.now() + 70
    if (isSlow && operation === 'sync') while (performance.now() < end);
    return undefined
  }
  const run = await runWal(disk, { segmentBytes: 64 * 1024 })
  isSlow = true
  await run.write('slow')
  assert.is(run.wal.stats().isBlocking, false)
  isSlow = false
  const before = disk.operations.length
  run.wal.append(Buffer.from('a'), 0)
  run.wal.flush()
  run.wal.append(Buffer.from('b'), 0)
  run.wal.append(Buffer.from('c'), 0)
  run.wal.flush()
  await until(() => run.durable() === 4)
  assert.equal(disk.operations.slice(before), ['write', 'sync', 'write', 'sync'])
  await run.wal.close()
})

test('on the real disk, records come back and segments are preallocated', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wal-'))
  try {
    const run = await runRealWal(dir)
    for (let index = 0; index < 50; index++) await run.write(`record ${index}`, index)
    assert.is(fs.statSync(path.join(dir, segmentName(1))).size, 64 * 1024)
    assert.is(fs.statSync(path.join(dir, segmentName(1))).mode & 0o777, 0o600)
    await run.wal.close()
    const again = await runRealWal(dir)
    assert.is(own(again.recovered).length, 50)
    assert.ok(fs.statSync(path.join(dir, segmentName(1))).size < 64 * 1024)
    await again.wal.close()
  } finally {
    fs.rmSync(dir, { recursive: true })
  }
})

async function runRealWal(dir: string) {
  const { nodeWalFiles } = await import('../../server/host/wal-files.ts')
  return runWal(nodeWalFiles(dir), { segmentBytes: 64 * 1024 })
}

test.run()
