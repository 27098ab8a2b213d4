// A disk that writes short, fills up or fails.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemError, WalDisk } from '../support/wal-disk.ts'
import { own, runWal, until } from '../support/wal-run.ts'

const test = suite('wal faults')

/** In both ways of writing: while waiting, and in the background. */
for (const isBlocking of [true, false]) {
  const way = isBlocking ? 'blocking' : 'in the background'

  const start = async (disk: WalDisk) => {
    const run = await runWal(disk, { segmentBytes: 4096 })
    disk.onOperation = (operation: string) => {
      const end = performance.now() + 70
      if (!isBlocking && operation === 'sync') while (performance.now() < end);
      return undefined
    }
    await run.write('first')
    disk.onOperation = () => undefined
    assert.is(run.wal.stats().isBlocking, isBlocking)
    return run
  }

  test(`short writes are gone on with, ${way}`, async () => {
    const disk = new WalDisk()
    const run = await start(disk)
    disk.onOperation = (operation, bytes) =>
      operation === 'write' ? Math.max(1, Math.floor(bytes / 3)) : undefined
    await run.write('second'.repeat(50))
    disk.onOperation = () => undefined
    await run.wal.close()
    assert.equal(await reread(disk), ['first', 'second'.repeat(50)])
  })

  test(`a full disk loses and acknowledges nothing, and is tried again, ${way}`, async () => {
    const disk = new WalDisk()
    const run = await start(disk)
    let isFull = true
    let tries = 0
    disk.onOperation = (operation, bytes) => {
      if (operation !== 'write' || !isFull) return undefined
      tries += 1
      // A few bytes still fit, so there is a torn record where the next one goes.
      if (bytes === 136 || bytes === 272) return 50
      throw systemError('ENOSPC')
    }
    run.wal.append(Buffer.alloc(100, 'x'), 0)
    run.wal.flush()
    run.wal.append(Buffer.alloc(100, 'y'), 0)
    run.wal.flush()
    await until(() => tries > 6)
    assert.is(run.wal.stats().isFull, true)
    assert.is(run.durable(), 1)
    assert.equal(await reread(disk.clone()), ['first'])
    isFull = false
    await until(() => run.durable() === 3)
    assert.is(run.wal.stats().isFull, false)
    assert.equal(run.failures, [])
    await run.wal.close()
    assert.equal(await reread(disk), ['first', 'x'.repeat(100), 'y'.repeat(100)])
  })

  test(`a failed sync is the end, and never tried again, ${way}`, async () => {
    for (const code of ['EIO', 'ENOSPC']) {
      const disk = new WalDisk()
      const run = await start(disk)
      let syncs = 0
      disk.onOperation = operation => {
        if (operation !== 'sync') return undefined
        syncs += 1
        if (syncs === 1) throw systemError(code)
        return undefined
      }
      run.wal.append(Buffer.from('lost'), 0)
      run.wal.flush()
      await until(() => run.failures.length > 0)
      run.wal.flush()
      await new Promise(resolve => setTimeout(resolve, 20))
      assert.is(syncs, 1)
      assert.is(run.failures.length, 1)
      assert.is(run.durable(), 1)
      assert.throws(() => run.wal.append(Buffer.from('more'), 0), /failed/)
      await run.wal.close()
      assert.is(run.durable(), 1)
      assert.is(syncs, 1)
    }
  })

  test(`a failed write is the end, ${way}`, async () => {
    const disk = new WalDisk()
    const run = await start(disk)
    disk.onOperation = operation => {
      if (operation === 'write') throw systemError('EIO')
      return undefined
    }
    run.wal.append(Buffer.from('lost'), 0)
    run.wal.flush()
    await until(() => run.failures.length > 0)
    assert.is(run.failures.length, 1)
    disk.onOperation = () => undefined
    await run.wal.close()
    assert.is(run.durable(), 1)
    assert.equal(await reread(disk), ['first'])
  })
}

test('without room for another segment, the active one is still written', async () => {
  const disk = new WalDisk()
  let isFull = false
  disk.onOperation = operation => {
    if (isFull && operation === 'create') throw systemError('ENOSPC')
    return undefined
  }
  const run = await runWal(disk)
  await run.write('1'.repeat(100))
  await until(() => disk.list().length === 2)
  isFull = true
  await run.write('2'.repeat(100))
  await run.write('3'.repeat(100))
  await run.write('4'.repeat(100))
  await until(() => run.wal.stats().isFull)
  await run.write('5'.repeat(100))
  await run.write('6'.repeat(100))
  run.wal.append(Buffer.alloc(100, '7'), 0)
  run.wal.flush()
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.is(run.durable(), 6)
  isFull = false
  await until(() => run.durable() === 7)
  assert.is(run.wal.stats().isFull, false)
  await run.wal.close()
  assert.is((await reread(disk)).length, 7)
})

test('trimming makes the room that was missing', async () => {
  const disk = new WalDisk()
  let isFull = false
  disk.onOperation = operation => {
    if (isFull && operation === 'create') throw systemError('ENOSPC')
    return undefined
  }
  const run = await runWal(disk, { retryMs: 60_000 })
  for (let slot = 1; slot <= 6; slot++) await run.write(`${slot}`.repeat(100), slot)
  isFull = true
  for (let slot = 7; slot <= 8; slot++) {
    run.wal.append(Buffer.alloc(100, `${slot}`), slot)
    run.wal.flush()
  }
  for (let slot = 9; slot <= 20; slot++) run.wal.append(Buffer.alloc(100), slot)
  run.wal.flush()
  await until(() => run.wal.stats().isFull)
  const before = run.durable()
  assert.ok(before < 20)
  run.wal.trimBelow(before)
  await until(() => run.durable() > before)
  await run.wal.close()
})

test('closing does not wait for room', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk, { retryMs: 60_000 })
  await run.write('first')
  disk.onOperation = operation => {
    if (operation === 'write') throw systemError('ENOSPC')
    return undefined
  }
  run.wal.append(Buffer.from('second'), 0)
  await run.wal.close()
  assert.is(run.durable(), 1)
  assert.is(disk.openCount, 0)
})

test('a folder that cannot be made durable, or a half-made segment that stays, is the end', async () => {
  for (const failing of ['syncDirectory', 'rename']) {
    const disk = new WalDisk()
    disk.onOperation = operation => {
      if (operation === failing) throw systemError('EIO')
      return undefined
    }
    const run = await runWal(disk)
    await until(() => run.failures.length > 0)
    assert.throws(() => run.wal.append(Buffer.from('x'), 0), /failed/)
    await run.wal.close()
    assert.is(disk.openCount, 0)
  }
})

async function reread(disk: WalDisk): Promise<readonly string[]> {
  const run = await runWal(disk, { segmentBytes: 4096 })
  await run.wal.close()
  return own(run.recovered)
}

test.run()
