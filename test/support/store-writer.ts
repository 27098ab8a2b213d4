// Writes to a store until it is killed; after each flush it says how far it is. In each transaction
// all keys get the number of the round, now and then by a replacement. Argument: directory.

import { openLmdbStore } from '../../server/host/store-lmdb.ts'

const store = await openLmdbStore(process.argv[2] ?? '', {
  mapBytes: 2 ** 30,
  roundBytes: 50_000,
  onFailure: error => {
    throw error
  },
})

for (let round = 1; ; round++) {
  const value = Buffer.alloc(200, `${round} `)
  const entries = Array.from({ length: 100 }, (_, index) => [`key ${index}`, value] as const)
  if (round % 7 === 0) {
    const replacement = store.beginReplacement()
    for (let from = 0; from < 100; from += 25) replacement.put(entries.slice(from, from + 25))
    await new Promise(resolve => setImmediate(resolve))
    replacement.commit()
  } else {
    store.transact(each => {
      for (const [key] of each.range({ from: 'key', to: 'l' })) each.delete(key)
      for (const [key, entry] of entries) each.put(key, entry)
    })
  }
  if (round % 3 === 0) {
    await store.flush()
    process.stdout.write(`${round}\n`)
  }
}
