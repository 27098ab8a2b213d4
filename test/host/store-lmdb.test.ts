// What only the store on disk has: rounds, full disks, crashes. The rest is in store.test.ts.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type LmdbStore,
  type LmdbStoreOptions,
  openLmdbStore,
} from '../../server/host/store-lmdb.ts'
import { openLmdbFile } from '../../server/host/store-lmdb-file.ts'
import { bytes, list, put } from '../support/both-stores.ts'
import { until } from '../support/wal-run.ts'

const FAIL = {
  onFailure: (error: Error) => {
    throw error
  },
}

function open(dir: string, options: Partial<LmdbStoreOptions> = {}): Promise<LmdbStore> {
  return openLmdbStore(dir, { mapBytes: 2 ** 30, ...FAIL, ...options })
}

function makeFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'store-'))
}

const test = suite('store on disk')

/** Runs `work` on a store of its own. */
function on(
  title: string,
  options: Partial<LmdbStoreOptions>,
  work: (store: LmdbStore, dir: string) => Promise<void>,
) {
  test(title, async () => {
    const dir = makeFolder()
    const store = await open(dir, options)
    try {
      await work(store, dir)
    } finally {
      await store.close()
      fs.rmSync(dir, { recursive: true })
    }
  })
}

on('changes go to disk by themselves when there are many', { roundBytes: 10_000 }, async store => {
  store.transact(each => each.put('small', Buffer.alloc(100)))
  assert.ok(store.layerBytes > 0)
  store.transact(each => each.put('large', Buffer.alloc(20_000)))
  await until(() => store.layerBytes === 0)
  assert.is(store.get('large')?.length, 20_000)
})

on(
  'a transaction waits for the disk when too much is in memory',
  { roundBytes: 100_000, layerBytesMax: 400_000 },
  async store => {
    let most = 0
    for (let index = 0; index < 200; index++) {
      // Nothing here gives the event loop a turn.
      store.transact(each => each.put(`key ${index}`, Buffer.alloc(20_000, index)))
      most = Math.max(most, store.layerBytes)
      for (const each of [0, index >> 1, index]) assert.is(store.get(`key ${each}`)?.[0], each)
    }
    assert.ok(most < 1_000_000, `${most} bytes in memory`)
    await store.flush()
    for (let index = 0; index < 200; index++) {
      assert.ok(Buffer.alloc(20_000, index).equals(store.get(`key ${index}`) ?? Buffer.alloc(0)))
    }
  },
)

const small = makeFolder()
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small], { stdio: 'ignore' })
    .status === 0
const whereMounted = isMounted ? test : test.skip
test.after(() => {
  if (isMounted) spawnSync('umount', [small])
  fs.rmSync(small, { recursive: true })
})

whereMounted('a disk that stays full for many tries does no harm to the process', async () => {
  let tries = 0
  const onFull = () => {
    tries += 1
  }
  const store = await open(path.join(small, 'patient'), { retryMs: 2, onFull })
  const filler = path.join(small, 'filler')
  const put = (name: string) =>
    store.transact(each => {
      for (let index = 0; index < 5; index++) each.put(`${name} ${index}`, Buffer.alloc(200_000))
    })
  put('early')
  await store.flush()
  assert.throws(() => fs.writeFileSync(filler, Buffer.alloc(4_000_000)), /ENOSPC/)
  put('late')
  const flushed = store.flush()
  await until(() => tries >= 50)
  assert.ok(store.isFull)
  fs.rmSync(filler)
  await flushed
  await store.close()
  const again = await open(path.join(small, 'patient'))
  assert.is(again.get('late 4')?.length, 200_000)
  await again.close()
  fs.rmSync(path.join(small, 'patient'), { recursive: true })
})

whereMounted('a full disk keeps the changes in memory until there is room', async () => {
  const dir = path.join(small, 'store')
  const store = await open(dir, { retryMs: 5 })
  store.transact(each => each.put('early', Buffer.from('x')))
  await store.flush()
  fs.writeFileSync(path.join(small, 'filler'), Buffer.alloc(1_800_000))
  store.transact(each => {
    for (let index = 0; index < 100; index++) each.put(`key ${index}`, Buffer.alloc(20_000, index))
  })
  let isFlushed = false
  const flushed = store.flush().then(() => {
    isFlushed = true
  })
  await until(() => store.isFull)
  await new Promise(resolve => setTimeout(resolve, 50))
  assert.is(isFlushed, false)
  assert.is(store.get('key 99')?.length, 20_000)
  fs.rmSync(path.join(small, 'filler'))
  await flushed
  assert.is(store.isFull, false)
  assert.is(store.layerBytes, 0)

  fs.writeFileSync(path.join(small, 'filler'), Buffer.alloc(200_000))
  store.transact(each => {
    for (let index = 0; index < 100; index++) each.put(`more ${index}`, Buffer.alloc(20_000, index))
  })
  const late = store.flush().then(
    () => '',
    error => String(error),
  )
  await until(() => store.isFull)
  await store.close()
  assert.match(await late, /full/)
  const again = await open(dir)
  assert.is(again.get('key 99')?.length, 20_000)
  assert.is(again.get('more 0'), undefined, 'a round is there as a whole or not at all')
  await again.close()
})

on('a state that is not used any more is cleared in the background', {}, async (store, dir) => {
  const entries = Array.from({ length: 9000 }, (_, index) => [`key ${index}`, 'x'] as const)
  put(store, entries)
  await store.flush()
  const file = openLmdbFile({ dir, mapBytes: 2 ** 30 })
  const counts = () => {
    file.root.resetReadTxn()
    return file.states.map(state => state.getKeysCount({ start: '\0' })).join()
  }
  assert.is(counts(), '9000,0')
  const replacement = store.beginReplacement()
  replacement.put(entries.slice(0, 70).map(([key, value]) => [key, bytes(value)]))
  await store.flush()
  replacement.commit()
  await until(() => counts() === '0,70')
  const dropped = store.beginReplacement()
  dropped.put(entries.slice(0, 50).map(([key, value]) => [key, bytes(value)]))
  put(store, [['more', 'x']])
  await store.flush()
  assert.is(counts(), '50,71')
  dropped.abort()
  await until(() => counts() === '0,71')
  await file.root.close()
})

on(
  'a replacement begun while another is on its way to disk keeps what it is given',
  {},
  async store => {
    put(store, [['first', 'x']])
    const flushed = store.flush()
    const one = store.beginReplacement()
    one.put([['one', bytes('x')]])
    one.commit()
    const two = store.beginReplacement()
    two.put([['two', bytes('x')]])
    await flushed
    await store.flush()
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.equal(list(store), [['one', 'x']])
    two.put([['more', bytes('x')]])
    two.commit()
    await store.flush()
    assert.equal(list(store), [
      ['more', 'x'],
      ['two', 'x'],
    ])
  },
)

test('a file of another format is refused, and left alone', async () => {
  const dir = makeFolder()
  await (await open(dir)).close()
  const file = openLmdbFile({ dir, mapBytes: 2 ** 30 })
  await file.meta.put('format', Buffer.from('2'))
  await file.root.close()
  const message = await open(dir).then(
    () => 'it was opened',
    error => String(error),
  )
  assert.match(message, /format 2, this program knows 1: written by a newer version/)
  fs.rmSync(dir, { recursive: true })
})

test('kill -9 at any moment leaves one whole transaction, not older than the last flush', async () => {
  const dir = makeFolder()
  for (const lines of [2, 5, 9]) {
    const flushed = await writeUntilKilled(dir, lines)
    const store = await open(dir)
    const values = Array.from(store.range({ from: 'key', to: 'l' }), ([, value]) => String(value))
    assert.is(values.length, 100)
    assert.ok(
      values.every(value => value === values[0]),
      'all of one round',
    )
    assert.ok(
      Number.parseInt(values[0] ?? '', 10) >= flushed,
      `${values[0]?.slice(0, 9)} ${flushed}`,
    )
    await store.close()
  }
  fs.rmSync(dir, { recursive: true })
})

/** Kills the writer some time after it said `lines` lines; returns the last number it said. */
async function writeUntilKilled(dir: string, lines: number): Promise<number> {
  const file = new URL('../support/store-writer.ts', import.meta.url).pathname
  const args = ['--import', import.meta.resolve('tsx'), file, dir]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said: readonly string[] = []
  let text = ''
  child.stdout.on('data', data => {
    text += data
    said = text.split('\n').slice(0, -1)
  })
  const exited = once(child, 'exit')
  await until(() => said.length >= lines, 20_000)
  child.kill('SIGKILL')
  await exited
  return Number(said.at(-1))
}

test.run()
