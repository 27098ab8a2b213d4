// The store on disk: the contract, and what is its own.

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
import { storeContract } from '../support/store-contract.ts'
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

const folder = makeFolder()
storeContract('store on disk', {
  make: () => open(folder),
  reopen: async store => {
    await store.close()
    return open(folder)
  },
  dispose: async store => {
    await store.close()
    fs.rmSync(folder, { recursive: true })
  },
}).run()

const test = suite('store on disk: rounds')

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
    }
    assert.ok(most < 1_000_000, `${most} bytes in memory`)
    await store.flush()
    for (let index = 0; index < 200; index++) {
      assert.ok(Buffer.alloc(20_000, index).equals(store.get(`key ${index}`) ?? Buffer.alloc(0)))
    }
  },
)

test.run()
