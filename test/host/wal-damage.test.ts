// What is done to the log's files from outside: torn tails are cut, everything else is refused, and
// refusing changes nothing.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  RECORD_HEADER_BYTES,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from '../../server/host/wal-segment.ts'
import { randomFrom, WalDisk } from '../support/wal-disk.ts'
import { own, runWal } from '../support/wal-run.ts'

const test = suite('wal damage')

/** Each text in a disk write of its own, or all in one. */
async function written(texts: readonly string[], isTogether = false): Promise<WalDisk> {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (const text of texts) {
    if (isTogether) run.wal.append(Buffer.from(text), 1)
    else await run.write(text, 1)
  }
  await run.wal.close()
  return disk.clone()
}

async function recovered(disk: WalDisk): Promise<readonly string[]> {
  const run = await runWal(disk)
  await run.wal.close()
  return own(run.recovered)
}

async function refused(disk: WalDisk): Promise<string> {
  const before = new Map(disk.list().map(name => [name, Buffer.from(disk.content(name))]))
  const message = await runWal(disk).then(
    () => assert.unreachable('was not refused'),
    error => {
      assert.is(error.name, 'WalDamageError', String(error))
      return error.message
    },
  )
  assert.equal([...disk.list()].sort(), [...before.keys()].sort())
  for (const [name, content] of before) assert.ok(content.equals(disk.content(name)), name)
  assert.is(disk.openCount, 0)
  return message
}

/** Where each record of the first segment begins, and where the last one ends. */
function offsets(disk: WalDisk, name = segmentName(1)): readonly number[] {
  const content = disk.content(name)
  const found = [SEGMENT_HEADER_BYTES]
  for (let at = SEGMENT_HEADER_BYTES; at + RECORD_HEADER_BYTES <= content.length; ) {
    if (content.readUInt32LE(at + 16) === 0) break
    at += RECORD_HEADER_BYTES + content.readUInt32LE(at + 4)
    found.push(at)
  }
  return found
}

const TEXTS = ['one', 'two', 'three', 'four', 'five']

test('a tail torn at any byte of the last write is cut, and the log goes on behind it', async () => {
  const disk = await written(TEXTS)
  const content = disk.content(segmentName(1))
  const [from, to] = offsets(disk).slice(-2)
  for (let cut = from!; cut < to!; cut++) {
    for (const filler of [null, 0, 0xff]) {
      const torn = disk.clone()
      const kept = content.subarray(0, cut)
      const rest = Buffer.alloc(300, filler ?? 0)
      torn.put(segmentName(1), filler === null ? kept : Buffer.concat([kept, rest]))
      assert.equal(await recovered(torn), TEXTS.slice(0, 4), `${cut}`)
      const run = await runWal(torn)
      await run.write('after')
      await run.wal.close()
      assert.equal(await recovered(torn), [...TEXTS.slice(0, 4), 'after'], `${cut}, again`)
    }
  }
})

test('of a write torn in the middle, what is whole at its start is kept', async () => {
  const disk = await written(TEXTS, true)
  const at = offsets(disk)
  const content = disk.content(segmentName(1))
  // The header record is the first of this write.
  for (let lost = 2; lost < at.length - 1; lost++) {
    const torn = Buffer.from(content)
    torn.fill(0, at[lost]!, at[lost + 1]!)
    const other = disk.clone()
    other.put(segmentName(1), torn)
    assert.equal(await recovered(other), TEXTS.slice(0, lost - 1))
    assert.equal(await recovered(other), TEXTS.slice(0, lost - 1))
  }
})

test('a bit flipped anywhere in a record that others follow is refused', async () => {
  const disk = await written(TEXTS)
  const at = offsets(disk)
  for (let record = 0; record < TEXTS.length; record++) {
    for (let byte = at[record]!; byte < at[record + 1]!; byte++) {
      const flipped = flip(disk, segmentName(1), byte)
      assert.match(await refused(flipped), /damaged or missing/, `byte ${byte}`)
    }
  }
})

test('a bit flipped anywhere in the last record cuts just that', async () => {
  const disk = await written(TEXTS)
  const [from, to] = offsets(disk).slice(-2)
  for (let byte = from!; byte < to!; byte++) {
    assert.equal(await recovered(flip(disk, segmentName(1), byte)), TEXTS.slice(0, 4), `${byte}`)
  }
})

test('damage in an earlier segment is refused, down to its last record', async () => {
  const texts = Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(100, '-'))
  const disk = await written(texts)
  assert.ok(disk.list().includes(segmentName(4)))
  for (const number of [1, 2, 3]) {
    const [from, to] = offsets(disk, segmentName(number)).slice(-2)
    for (const byte of [from!, from! + 20, to! - 1]) {
      assert.match(await refused(flip(disk, segmentName(number), byte)), /damaged or missing/)
    }
  }
})

test('a bit flipped in a segment header is refused', async () => {
  const disk = await written(TEXTS)
  for (let byte = 0; byte < 28; byte++) {
    assert.match(await refused(flip(disk, segmentName(1), byte)), /log segment/, `byte ${byte}`)
  }
})

test('a format that is not known is refused by name', async () => {
  const disk = await written(TEXTS)
  disk.content(segmentName(1)).writeUInt32LE(2, 8)
  assert.match(await refused(disk), /format 2, this program knows 1: written by a newer version/)
})

test('swapped records are refused', async () => {
  const disk = await written(['aaaa', 'bbbb', 'cccc', 'dddd'])
  const at = offsets(disk)
  const content = disk.content(segmentName(1))
  for (const [left, right] of [
    [1, 2],
    [2, 3],
    [3, 4],
    [1, 4],
  ] as const) {
    const swapped = Buffer.from(content)
    content.copy(swapped, at[left]!, at[right]!, at[right + 1]!)
    content.copy(swapped, at[right]!, at[left]!, at[left + 1]!)
    const other = disk.clone()
    other.put(segmentName(1), swapped)
    assert.match(await refused(other), /damaged or missing/, `${left} and ${right}`)
  }
})

test('a record doubled over another is refused', async () => {
  const disk = await written(['aaaa', 'bbbb', 'cccc', 'dddd'])
  const at = offsets(disk)
  const content = disk.content(segmentName(1))
  content.copy(content, at[2]!, at[1]!, at[2]!)
  assert.match(await refused(disk), /damaged or missing/)
})

test('a missing, swapped or replayed segment is refused', async () => {
  const texts = Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(100, '-'))
  const disk = await written(texts)
  const missing = disk.clone()
  missing.delete(segmentName(2))
  assert.match(await refused(missing), /segment 0*2.wal is missing/)

  const swapped = disk.clone()
  swapped.put(segmentName(2), disk.content(segmentName(3)))
  swapped.put(segmentName(3), disk.content(segmentName(2)))
  assert.match(await refused(swapped), /holds segment 3, misplaced or copied/)

  const early = new WalDisk()
  const run = await runWal(early)
  for (const text of texts.slice(0, 5)) await run.write(text)
  const replay = early.clone()
  for (const text of texts.slice(5)) await run.write(text)
  const now = early.clone()
  now.put(segmentName(2), replay.content(segmentName(2)))
  assert.match(await refused(now), /damaged or missing/)
  await run.wal.close()

  const otherLife = await written(texts.map(text => text.replaceAll('-', '+')))
  const mixed = disk.clone()
  mixed.put(segmentName(2), otherLife.content(segmentName(2)))
  assert.match(await refused(mixed), /damaged or missing/)
})

test('without the first record of the first segment nothing is guessed', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let slot = 1; slot <= 12; slot++) await run.write(`${slot}`.padEnd(100, '-'), slot)
  run.wal.trimBelow(8)
  for (let slot = 13; slot <= 16; slot++) await run.write(`${slot}`.padEnd(100, '-'), slot)
  await run.wal.close()
  const first = [...disk.list()].sort()[0]!
  assert.is.not(first, segmentName(1))
  const other = flip(disk, first, SEGMENT_HEADER_BYTES + 5)
  assert.match(await refused(other), /first record is damaged/)
})

test('what an earlier use of a file left behind never comes back', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let slot = 1; slot <= 60; slot++) {
    await run.write(`${slot}`.padEnd(100, '-'), slot)
    run.wal.trimBelow(slot)
  }
  // The power goes right after each write: the rest of the active segment is old records.
  let stale = 0
  for (let slot = 61; slot <= 80; slot++) {
    await run.write(`${slot}`.padEnd(60, '-'), slot)
    const cut = disk.clone()
    const active = [...cut.list()]
      .filter(name => /^\d/.test(name))
      .sort()
      .at(-1)!
    if (
      cut
        .content(active)
        .subarray(200)
        .some(byte => byte !== 0)
    )
      stale += 1
    assert.is(Number.parseInt((await recovered(cut)).at(-1)!, 10), slot)
    run.wal.trimBelow(slot)
  }
  assert.ok(stale > 10, `${stale} files with old records`)
  await run.wal.close()
})

test('each use of a file has a seed of its own: no value can be made to look like a record', async () => {
  const seeds: number[] = []
  for (let life = 0; life < 3; life++) {
    const disk = new WalDisk()
    const run = await runWal(disk)
    for (let slot = 1; slot <= 20; slot++) {
      await run.write(`${slot}`.padEnd(100, '-'), slot)
      run.wal.trimBelow(slot)
      const [newest = ''] = disk
        .list()
        .filter(name => /^\d/.test(name))
        .sort()
        .reverse()
      seeds.push(readSegmentHeader(disk.content(newest), Number(newest.slice(0, 16))))
    }
    await run.wal.close()
  }
  assert.ok(new Set(seeds).size >= 12, `${new Set(seeds).size} seeds`)
})

test('random damage never brings forth a record that was not written, nor a hang', async () => {
  const texts = Array.from({ length: 10 }, (_, index) => `${index}`.padEnd(60, '-'))
  const disk = await written(texts)
  for (let seed = 1; seed <= 1500; seed++) {
    const random = randomFrom(seed)
    const other = disk.clone()
    const names = other.list().filter(name => /^\d/.test(name))
    for (let count = 0; count <= seed % 4; count++) {
      const content = other.content(names[Math.floor(random() * names.length)]!)
      const at = Math.floor(random() * content.length)
      const length = 1 + Math.floor(random() * 40)
      for (let byte = at; byte < Math.min(at + length, content.length); byte++) {
        content[byte] = random() * 256
      }
    }
    const found = await recovered(other).catch(error => {
      assert.is(error.name, 'WalDamageError', `seed ${seed}: ${error.stack}`)
      return []
    })
    assert.equal(found, texts.slice(0, found.length), `seed ${seed}`)
  }
})

function flip(disk: WalDisk, name: string, byte: number): WalDisk {
  const other = disk.clone()
  const content = other.content(name)
  content.writeUInt8(content.readUInt8(byte) ^ (1 << (byte % 8)), byte)
  return other
}

test('the last record of the oldest segment does not pass for its first', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk)
  for (let slot = 1; slot <= 30; slot++) await run.write(`text${10 + slot}`, slot)
  run.wal.trimBelow(15)
  await run.wal.close()
  const [oldest, next] = [...disk.list()].sort()
  assert.ok(oldest !== segmentName(1) && next !== undefined, 'the first segment is gone')
  const content = Buffer.from(disk.content(oldest!))
  const at = offsets(disk, oldest)
  const last = content.subarray(at.at(-2), at.at(-1))
  last.copy(content, SEGMENT_HEADER_BYTES)
  const damaged = disk.clone()
  damaged.put(oldest!, content)
  assert.match(await refused(damaged), /first record is damaged/)
  assert.ok((await recovered(disk)).length > 10)
})

test.run()
