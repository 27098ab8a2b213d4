import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadlines, type Waiting } from '../../server/http/deadlines.ts'

const test = suite('deadlines')

function waiting(called: number[], at: number): Waiting {
  return { due: 0, onDeadline: () => called.push(at) }
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

test.run()
