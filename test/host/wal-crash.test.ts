// The power goes before every single operation of a scripted run, in three ways; what was reported
// durable must be there afterwards, in order, and the log must go on from there.

import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Loss, randomFrom, WalDisk } from '../support/wal-disk.ts'
import { own, runWal, type WalRun } from '../support/wal-run.ts'

const test = suite('wal crash points')

type Progress = { durable: number; trimmed: number; written: number }

/** Slots are the texts: 1, 2, 3 … in groups of one to three records per write. */
async function script(disk: WalDisk, progress: Progress, from: number, steps: number) {
  const run = await runWal(disk, {
    onDurable: upTo => {
      progress.durable = from - 1 + upTo
    },
  })
  for (let step = 0; step < steps; step++) {
    for (let count = 0; count <= step % 3; count++) {
      progress.written += 1
      run.wal.append(payloadOf(progress.written), progress.written)
    }
    run.wal.flush()
    await settle(run)
    if (step % 6 === 5) {
      progress.trimmed = Math.max(1, progress.durable - 4)
      run.wal.trimBelow(progress.trimmed)
      await settle(run)
    }
  }
  await run.wal.close()
  return run
}

/** Everything on this disk ends within a few turns of the event loop. */
async function settle(run: WalRun) {
  for (let turn = 0; turn < 20 && run.failures.length === 0; turn++) {
    await new Promise(resolve => setImmediate(resolve))
  }
}

function payloadOf(number: number): Buffer {
  return Buffer.from(String(number).padEnd(30 + ((number * 37) % 110), '-'))
}

function numbersOf(recovered: readonly string[]): readonly number[] {
  return own(recovered).map(text => Number.parseInt(text, 10))
}

function check(numbers: readonly number[], progress: Progress, label: string) {
  const first = numbers[0] ?? 1
  assert.ok(first <= Math.max(1, progress.trimmed), `${label}: begins with ${first}`)
  for (const [index, number] of numbers.entries())
    assert.is(number, first + index, `${label}: order`)
  const last = numbers.at(-1) ?? 0
  assert.ok(
    last >= progress.durable,
    `${label}: ends with ${last}, ${progress.durable} was durable`,
  )
  assert.ok(last <= progress.written, `${label}: ${last} was never written`)
}

const STEPS = 24

test('every crash point of a run with rotation and trimming keeps what was durable', async () => {
  const whole = new WalDisk()
  await script(whole, { durable: 0, trimmed: 0, written: 0 }, 1, STEPS)
  const total = whole.operations.length
  assert.ok(whole.operations.filter(name => name.startsWith('rename spare')).length > 5)
  assert.ok(
    whole.operations.some(name => /^rename \d/.test(name)),
    'recycling took part',
  )
  for (let point = 1; point <= total + 1; point++) {
    for (const lost of ['nothing', 'everything', 'torn', 'torn'] satisfies Loss[]) {
      await crashAt(
        point,
        lost,
        point * 31 + (lost === 'torn' ? Math.floor(Math.random() * 1e6) : 0),
      )
    }
  }
})

/** Says that everything written so far may go, before each write. The promise may not. */
async function trimAll(disk: WalDisk, progress: { durable: number }) {
  const onDurable = (upTo: number) => {
    progress.durable = upTo
  }
  const run = await runWal(disk, { onDurable })
  for (let slot = 1; slot <= 20 && run.failures.length === 0; slot++) {
    run.wal.trimBelow(1000)
    run.wal.append(Buffer.from(`${slot}`.padEnd(100, '-')), slot)
    run.wal.flush()
    await settle(run)
  }
  await run.wal.close()
}

test('whatever is trimmed, what segments begin with is there after any power cut (S9)', async () => {
  const whole = new WalDisk()
  await trimAll(whole, { durable: 0 })
  assert.ok(whole.operations.filter(name => name.startsWith('rename 0')).length > 2)
  for (let point = 1; point <= whole.operations.length + 1; point++) {
    for (const lost of ['nothing', 'everything'] satisfies Loss[]) {
      const disk = new WalDisk()
      disk.cutBefore = point
      const progress = { durable: 0 }
      await trimAll(disk, progress).catch(() => undefined)
      const run = await runWal(disk.afterPowerCut(lost, () => 0))
      await run.wal.close()
      if (progress.durable === 0) continue
      assert.ok(run.recovered.includes('header'), `crash before ${point}, lost ${lost}`)
    }
  }
})

async function crashAt(point: number, lost: Loss, seed: number) {
  const label = `crash before ${point}, lost ${lost}, seed ${seed}`
  const disk = new WalDisk()
  disk.cutBefore = point
  const progress = { durable: 0, trimmed: 0, written: 0 }
  await script(disk, progress, 1, STEPS).catch(() => undefined)
  const random = randomFrom(seed)
  const second = disk.afterPowerCut(lost, random)
  second.cutBefore = 1 + Math.floor(random() * 40)
  const numbers = await reopen(second, progress, label)
  const before = { ...progress }
  const third = second.afterPowerCut(lost, random)
  check(await recoveredOn(third, label), before, `${label}, again`)
  assert.ok(numbers === null || numbers.length >= 0)
}

/** Reopens, goes on writing until the power goes again; null when it went during the opening. */
async function reopen(disk: WalDisk, progress: Progress, label: string) {
  const run = await runWal(disk).catch(error => {
    if (error instanceof Error && error.name === 'PowerCut') return null
    throw new Error(`${label}: ${String(error)}`, { cause: error })
  })
  if (run === null) return null
  const numbers = numbersOf(run.recovered)
  check(numbers, progress, label)
  const from = (numbers.at(-1) ?? 0) + 1
  progress.written = from - 1
  progress.durable = from - 1
  for (let number = from; number < from + 5 && run.failures.length === 0; number++) {
    progress.written = number
    run.wal.append(payloadOf(number), number)
    run.wal.flush()
    await settle(run)
    if (run.durable() === number - from + 1) progress.durable = number
  }
  await run.wal.close()
  return numbers
}

async function recoveredOn(disk: WalDisk, label: string): Promise<readonly number[]> {
  try {
    const run = await runWal(disk)
    await run.wal.close()
    return numbersOf(run.recovered)
  } catch (error) {
    throw new Error(`${label}: ${String(error)}`, { cause: error })
  }
}

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('append'), size: fc.integer({ min: 0, max: 700 }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('flush'), size: fc.constant(0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('trim'), size: fc.integer({ min: 0, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen'), size: fc.constant(0) }) },
)

test('any mixture of appends, flushes, trims and reopenings is a list', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async commands => {
      const disk = new WalDisk()
      let run = await runWal(disk)
      const model: string[] = []
      let trimmed = 0
      for (const { type, size } of commands) {
        if (type === 'append') {
          model.push(`${model.length + 1}:${'v'.repeat(size)}`)
          run.wal.append(Buffer.from(model.at(-1)!), model.length)
        }
        if (type === 'flush') run.wal.flush()
        if (type === 'trim') {
          trimmed = Math.max(trimmed, model.length - size)
          run.wal.trimBelow(trimmed)
          await settle(run)
        }
        if (type === 'reopen') {
          await run.wal.close()
          run = await runWal(disk)
          compare(own(run.recovered), model, trimmed)
        }
      }
      await run.wal.close()
      run = await runWal(disk)
      compare(own(run.recovered), model, trimmed)
      await run.wal.close()
      assert.is(disk.openCount, 0, 'all files are closed')
    }),
    { numRuns: 100 },
  )
})

/** A suffix of the model that begins at or below the trim. */
function compare(recovered: readonly string[], model: readonly string[], trimmed: number) {
  assert.equal(recovered, model.slice(model.length - recovered.length))
  assert.ok(model.length - recovered.length <= Math.max(0, trimmed - 1))
}

test.run()
