// A store on a disk of a few megabytes, which is filled to the page before each of many rounds: with
// no page left, one, two … The round lands or is refused as a whole; with room it lands in the end.
// Prints `steps N, refused N, entries N`. Run by store-full-disk.test.ts in a mount namespace of its
// own: node --import tsx full-disk-script.ts FOLDER STEPS; FOLDER is on the small disk.

import fs from 'node:fs'
import path from 'node:path'
import { openLmdbStore } from '../../server/host/store-lmdb.ts'
import { Random } from './random.ts'

const PAGE_BYTES = 4096
const [folder = '', steps = '40'] = process.argv.slice(2)
const ballast = path.join(folder, 'ballast')
const dir = path.join(folder, 'store')

/** All that the disk has, but for so many pages. */
function fill(pagesLeft: number): void {
  const fd = fs.openSync(ballast, 'w')
  const { bavail, bsize } = fs.statfsSync(folder)
  const bytes = bavail * bsize - pagesLeft * PAGE_BYTES
  if (bytes > 0) fs.writeSync(fd, Buffer.alloc(bytes, 1))
  fs.closeSync(fd)
}

let refused = 0
let onFull = () => {}
const options = {
  retryMs: 5,
  onFailure: (error: Error) => {
    console.log(`failed: ${error.message}, ${String(error.cause)}`)
    process.exit(1)
  },
  onFull: () => onFull(),
}

const store = await openLmdbStore(dir, options)
const model = new Map<string, Buffer>()
const random = new Random(1, 'full disk')
for (let step = 0; step < Number(steps); step++) {
  fill(step)
  store.transact(transaction => {
    // Mostly new keys: old pages are used again first, and this is about new ones.
    for (let count = random.between(1, 40); count > 0; count--) {
      const key = `key ${step + random.between(0, 3)} ${random.between(1, 40)}`
      const value = Buffer.alloc(random.pick([10, 300, 2_000, 9_000]), step)
      model.set(key, value)
      transaction.put(key, value)
    }
  })
  const full = new Promise<'full'>(resolve => {
    onFull = () => resolve('full')
  })
  const flushed = store.flush()
  if ((await Promise.race([flushed, full])) === 'full') refused += 1
  fs.rmSync(ballast)
  await flushed
}
await store.close()

const again = await openLmdbStore(dir, options)
const found = [...again.range({ from: 'key', to: 'kez' })]
for (const [key, value] of found) {
  if (Buffer.compare(model.get(key) ?? Buffer.alloc(0), value) !== 0) console.log(`wrong: ${key}`)
}
await again.close()
console.log(`steps ${steps}, refused ${refused}, entries ${found.length} of ${model.size}`)
