import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLoop } from '../../ops/load/loop.ts'
import { type LoadPlan, readPlan } from '../../ops/load/plan.ts'
import { Recorder } from '../../ops/load/recorder.ts'
import type { Caller } from '../../ops/load/target.ts'

const test = suite('loops of the load generator')

function planOf(...flags: readonly string[]): LoadPlan {
  const plan = readPlan(['--warmup', '0', ...flags])
  if (plan === null || typeof plan === 'string') throw new Error(`flags: ${plan}`)
  return plan
}

/** Answers after a time, and knows how many operations were under way at once. */
class Answerer {
  most = 0
  readonly keys: number[] = []
  readonly ops: string[] = []
  private underWay = 0
  private readonly ms: () => number

  constructor(ms: () => number) {
    this.ms = ms
  }

  callers(count: number): readonly Caller[] {
    const caller: Caller = {
      run: (op, key, done) => {
        this.ops.push(op)
        this.keys.push(key)
        this.underWay += 1
        this.most = Math.max(this.most, this.underWay)
        setTimeout(() => {
          this.underWay -= 1
          done(true)
        }, this.ms())
      },
    }
    return Array.from({ length: count }, () => caller)
  }
}

test('a closed loop keeps each caller busy, one operation at a time, up to the count', async () => {
  const answerer = new Answerer(() => 1)
  const recorder = new Recorder(1)
  const plan = planOf('--clients', '4', '--count', '200')
  await startLoop(plan, answerer.callers(4), recorder).ended
  assert.equal([answerer.most, answerer.ops.length, recorder.good], [4, 200, 200])
})

test('an open loop begins as many as are due, however long answers take', async () => {
  const answerer = new Answerer(() => 5)
  const recorder = new Recorder(1)
  const plan = planOf('--rate', '500', '--seconds', '0.6')
  await startLoop(plan, answerer.callers(64), recorder).ended
  assert.ok(Math.abs(answerer.ops.length - 300) <= 2, `${answerer.ops.length} operations`)
})

test('a stall counts for every operation that was due in it', async () => {
  // The target stands still once, for 300 ms; an operation is due each 5 ms, and one caller is free.
  let count = 0
  const answerer = new Answerer(() => {
    count += 1
    return count === 20 ? 300 : 0
  })
  const recorder = new Recorder(1)
  const plan = planOf('--rate', '200', '--seconds', '0.8')
  await startLoop(plan, answerer.callers(1), recorder).ended
  const late = 1 - share(recorder, 50)
  assert.ok(late > 0.2, `${(late * 100).toFixed(0)} % of the latencies show the stall`)
  assert.ok(recorder.all.maxValue > 280_000)
})

/** Part of the operations that took up to so many ms. */
function share(recorder: Recorder, ms: number): number {
  for (let percent = 0; percent <= 100; percent++) {
    if (recorder.all.getValueAtPercentile(percent) > ms * 1000) return percent / 100
  }
  return 1
}

test('a mix has about the part of reads that was asked for', async () => {
  const answerer = new Answerer(() => 0)
  const plan = planOf('--op', 'mix', '--reads', '0.2', '--count', '1000')
  await startLoop(plan, answerer.callers(64), new Recorder(1)).ended
  const reads = answerer.ops.filter(op => op === 'get').length
  assert.ok(reads > 150 && reads < 250, `${reads} reads of 1000`)
})

test('generators that share a sequence of keys leave none out', async () => {
  const plan = planOf(
    '--distribution',
    'sequential',
    '--keys',
    '40',
    '--count',
    '20',
    '--batch',
    '1',
  )
  const seen: number[] = []
  for (const first of [0, 1]) {
    const answerer = new Answerer(() => 0)
    await startLoop(plan, answerer.callers(3), new Recorder(1), { first, step: 2 }).ended
    seen.push(...answerer.keys)
  }
  assert.equal(
    seen.sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, index) => index),
  )
})

test('what began before the warm-up was over is not counted', async () => {
  const answerer = new Answerer(() => 2)
  const recorder = new Recorder(1)
  const plan = { ...planOf('--seconds', '0.2', '--clients', '2'), warmup: 0.2 }
  await startLoop(plan, answerer.callers(2), recorder).ended
  assert.ok(
    recorder.good < answerer.ops.length * 0.75,
    `${recorder.good} of ${answerer.ops.length}`,
  )
  assert.ok(recorder.good > answerer.ops.length * 0.25)
})

test('another machine is not loaded by mistake', () => {
  assert.type(readPlan(['--url', 'http://10.0.0.1:4211']), 'string')
  assert.type(readPlan(['--url', 'http://127.0.0.1:4211,http://db.example:4211']), 'string')
  assert.type(readPlan(['--url', 'http://127.0.0.1.example.com:1']), 'string')
  assert.type(readPlan(['--url', 'http://10.0.0.1:4211', '--yes-remote']), 'object')
  assert.type(readPlan(['--url', 'http://127.0.0.1:4211,http://[::1]:4211']), 'object')
})

test('flags out of bounds are named', () => {
  for (const flags of [['--clients', '0'], ['--value', '1048577'], ['--op', 'drop'], ['--more']]) {
    assert.match(String(readPlan(flags)), flags[0]!)
  }
})

test.run()
