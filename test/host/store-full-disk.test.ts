// LMDB must never meet a full disk: it does not survive that (store-lmdb-room.ts). The room that is
// made for a round is enough for whatever LMDB then writes, and a disk with too little room, to the
// page, refuses the round and nothing else.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Layer } from '../../server/host/store-layer.ts'
import { openLmdbFile } from '../../server/host/store-lmdb-file.ts'
import { packPieces, unpackPiece } from '../../server/host/store-lmdb-piece.ts'
import { changesOf, FileRoom } from '../../server/host/store-lmdb-room.ts'
import { Random } from '../support/random.ts'

const test = suite('store on a full disk')

const PAGE_BYTES = 4096
const VALUE_BYTES = [0, 20, 300, 1_900, 2_100, 4_000, 9_000, 300_000]

function makeFolder(): string {
  return fs.mkdtempSync(path.join(tmpdir(), 'shardglass-full-'))
}

/** Changes of one round: many small ones, or a few large ones, or deletions among them. */
function drawRound(random: Random): Layer {
  const layer = new Layer()
  const kinds = random.shuffled(VALUE_BYTES).slice(0, random.between(1, 3))
  for (let count = random.pick([1, 10, 200, 1_500]); count > 0; count--) {
    const key = `${random.between(0, 3_000)}${'k'.repeat(random.pick([0, 30, 900]))}`
    const bytes = count > 50 ? Math.min(9_000, random.pick(kinds)) : random.pick(kinds)
    layer.set(key, random.chance(0.2) ? null : Buffer.alloc(bytes, count))
  }
  return layer
}

test('the room made for a round is enough for all that LMDB writes in it', () => {
  for (let seed = 1; seed <= 3; seed++) {
    const dir = makeFolder()
    const file = openLmdbFile({ dir, mapBytes: 2 ** 32 })
    const data = path.join(dir, 'data.mdb')
    const room = new FileRoom(file, data)
    const random = new Random(seed, 'rounds')
    for (let round = 1; round <= 25; round++) {
      const pieces = [...packPieces(drawRound(random))].map(bytes => ({ state: 0 as const, bytes }))
      assert.is(room.has(changesOf(pieces)), true)
      const made = fs.statSync(data).size
      file.root.transactionSync(() => {
        for (const { bytes } of pieces) {
          unpackPiece(bytes, (key, value) => {
            if (value === null) file.states[0].removeSync(key)
            else file.states[0].putSync(key, value)
          })
        }
      })
      const { lastPageNumber } = { lastPageNumber: Number.NaN, ...file.root.getStats() }
      const used = (lastPageNumber + 1) * PAGE_BYTES
      assert.ok(used <= made, `seed ${seed}, round ${round}: ${used} bytes used, ${made} made`)
    }
    room.close()
    void file.root.close()
    fs.rmSync(dir, { recursive: true })
  }
})

test('with any number of pages left a round lands or is refused whole, and lands with room', () => {
  if (process.getuid?.() !== 0) return console.log('\nSKIPPED: full disk, page by page: needs root')
  const folder = makeFolder()
  const script = path.join(import.meta.dirname, '../support/full-disk-script.ts')
  const mount = `mount -t tmpfs -o size=24m tmpfs ${folder} || exit 77`
  const run = `exec ${process.execPath} --import tsx ${script} ${folder} 120`
  const ran = spawnSync('unshare', ['--mount', 'sh', '-c', `${mount}; ${run}`], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  fs.rmSync(folder, { recursive: true })
  if (ran.error !== undefined || ran.status === 77) {
    return console.log('\nSKIPPED: full disk, page by page: needs unshare and mount')
  }
  const said = `${ran.signal ?? ran.status}: ${ran.stdout}${ran.stderr}`
  const line = /^steps 120, refused (\d+), entries (\d+) of (\d+)\n$/.exec(ran.stdout)
  assert.ok(line !== null && line[2] === line[3], said)
  const refused = Number(line[1])
  assert.ok(refused > 10 && refused < 120, said)
})

test.run()
