// Runs a test on each of the two stores, which promise the same (server/store.ts,
// host/store-durable.ts). One store of a kind serves a whole file, emptied in between: opening one on
// disk takes a while.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'uvu'
import type { DurableStore } from '../../server/host/store-durable.ts'
import { openLmdbStore } from '../../server/host/store-lmdb.ts'
import { MemoryStore } from '../../server/host/store-memory.ts'
import type { StoreEntry, StoreReader } from '../../server/store.ts'

/** Closes the store and opens it again. */
export type Reopen = () => Promise<DurableStore>
export type StoreTest = (store: DurableStore, reopen: Reopen) => Promise<void> | void

type Kind = { readonly name: string; open(before: DurableStore | null): Promise<DurableStore> }

/** All keys. */
export const ALL = { from: '\0', to: '\xff\xff' }

/** `on(title, work)` adds a test for each kind of store, which begins empty. */
export function onBothStores(test: Test): (title: string, work: StoreTest) => void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'store-'))
  const opened = new Map<Kind, DurableStore>()
  const reopen = async (kind: Kind) => {
    const before = opened.get(kind) ?? null
    await before?.close()
    const store = await kind.open(before)
    opened.set(kind, store)
    return store
  }
  test.after(async () => {
    for (const store of opened.values()) await store.close()
    fs.rmSync(folder, { recursive: true })
  })
  return (title, work) => {
    for (const kind of kinds(folder)) {
      test(`${title} (${kind.name})`, async () => {
        const store = opened.get(kind) ?? (await reopen(kind))
        store.beginReplacement().commit()
        await work(store, () => reopen(kind))
      })
    }
  }
}

let known: readonly Kind[] | null = null

function kinds(folder: string): readonly Kind[] {
  known ??= [
    {
      name: 'in memory',
      open: async before => (before instanceof MemoryStore ? before.crash() : new MemoryStore()),
    },
    {
      name: 'on disk',
      open: () =>
        openLmdbStore(folder, {
          mapBytes: 2 ** 30,
          onFailure: error => {
            throw error
          },
        }),
    },
  ]
  return known
}

export function numbered(count: number, value: string): (readonly [string, string])[] {
  return Array.from({ length: count }, (_, index) => [
    `key ${String(index).padStart(8, '0')}`,
    value,
  ])
}

export function put(store: DurableStore, entries: readonly (readonly [string, string])[]) {
  store.transact(transaction => {
    for (const [each, value] of entries) transaction.put(each, bytes(value))
  })
}

export function list(reader: StoreReader, range = ALL): (readonly [string, string])[] {
  return Array.from(reader.range(range), ([each, value]: StoreEntry) => [each, text(value) ?? ''])
}

export function bytes(value: string): Buffer {
  return Buffer.from(value, 'latin1')
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('latin1')
}
