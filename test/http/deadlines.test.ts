import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadlines, type Waiting } from '../../server/http/deadlines.ts'

const test = suite('deadlines')

function waiting(called: number[], at: number): Waiting {
  return { due: 0, before: null, after: null, onDeadline: () => called.push(at) }
}

/** Keeps the process alive while only the deadlines' own timer runs. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5))
}

test('each is called once, in order, not before its time', async () => {
  const deadlines = new Deadlines()
  const startedAt = performance.now()
  const called: number[] = []
  const times: number[] = []
  for (const ms of [120, 10, 60]) {
    const due = waiting(called, ms)
    const { onDeadline } = due
    due.onDeadline = () => {
      onDeadline()
      times.push(performance.now() - startedAt - ms)
    }
    deadlines.add(due, startedAt + ms)
  }
  await until(() => called.length === 3)
  assert.equal(called, [10, 60, 120])
  assert.ok(
    times.every(late => late >= 0),
    `too early: ${times}`,
  )
  deadlines.close()
})

test('what is removed is never called, and a past time is due at once', async () => {
  const deadlines = new Deadlines()
  const called: number[] = []
  const removed = waiting(called, 1)
  deadlines.add(removed, performance.now() + 20)
  deadlines.remove(removed)
  deadlines.add(waiting(called, 2), performance.now() - 1_000)
  await until(() => called.length > 0)
  await new Promise(resolve => setTimeout(resolve, 80))
  assert.equal(called, [2])
  deadlines.close()
})

test('a wheel that stood still goes on with the time of the day', async () => {
  let now = 0
  const deadlines = new Deadlines(() => now)
  const called: number[] = []
  deadlines.add(waiting(called, 1), 10)
  now = 100
  await until(() => called.length === 1)
  now = 1_000_000
  await new Promise(resolve => setTimeout(resolve, 60))
  deadlines.add(waiting(called, 2), 1_000_050)
  await new Promise(resolve => setTimeout(resolve, 60))
  assert.equal(called, [1], 'not yet due')
  now = 1_000_200
  await until(() => called.length === 2)
  deadlines.close()
})

test('of those due together any may be removed, also by one that is called', async () => {
  let now = 0
  const deadlines = new Deadlines(() => now)
  const called: number[] = []
  const all = [0, 1, 2, 3, 4].map(at => waiting(called, at))
  for (const one of all) deadlines.add(one, 10)
  for (const at of [0, 2, 4]) deadlines.remove(all[at]!)
  deadlines.remove(all[2]!)
  all[1]!.onDeadline = () => {
    called.push(1)
    deadlines.add(all[2]!, 10)
    deadlines.remove(all[1]!)
  }
  now = 100
  await until(() => called.length >= 2)
  now = 200
  await until(() => called.length >= 3)
  assert.equal([...called].sort(), [1, 2, 3])
  assert.is(called.at(-1), 2, 'added anew, and called once')
  deadlines.close()
})

test('what waits longer than the wheel is round is not called a round early', async () => {
  let now = 0
  const deadlines = new Deadlines(() => now)
  const called: number[] = []
  deadlines.add(waiting(called, 1), 10)
  deadlines.add(waiting(called, 2), 25 * 4096 + 10)
  now = 100
  await until(() => called.length > 0)
  assert.equal(called, [1])
  now = 25 * 4096 + 100
  await until(() => called.length > 1)
  assert.equal(called, [1, 2])
  deadlines.close()
})

test.run()
