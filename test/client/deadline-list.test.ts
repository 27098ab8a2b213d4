import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DeadlineList, type Timed } from '../../server/client/deadline-list.ts'
import { Random } from '../support/random.ts'

const test = suite('deadlines of calls')

class Call implements Timed {
  before: Timed | null = null
  after: Timed | null = null
  isTimed = false
  endedAt = 0
  readonly deadlineAt: number
  private readonly onEnd: (call: Call) => void

  constructor(deadlineAt: number, onEnd: (call: Call) => void = () => undefined) {
    this.deadlineAt = deadlineAt
    this.onEnd = onEnd
  }

  onDeadline(): void {
    this.endedAt = performance.now()
    this.onEnd(this)
  }
}

test('each call ends at its own deadline, in order, however they were begun', async () => {
  const random = new Random(1, 'deadlines')
  const list = new DeadlineList()
  const ended: Call[] = []
  const startedAt = performance.now()
  await new Promise<void>(resolve => {
    const calls = Array.from({ length: 200 }, () => {
      return new Call(startedAt + random.between(20, 120), call => {
        ended.push(call)
        if (ended.length === 150) resolve()
      })
    })
    for (const call of calls) list.add(call)
    // Fifty were answered; one of them is taken out twice.
    for (const call of calls.slice(0, 50)) list.remove(call)
    list.remove(calls[0]!)
  })
  const deadlines = ended.map(({ deadlineAt }) => deadlineAt)
  assert.equal(
    deadlines,
    [...deadlines].sort((a, b) => a - b),
  )
  for (const { endedAt, deadlineAt } of ended) assert.ok(endedAt >= deadlineAt)
})

test('a short deadline that comes behind long ones is kept', async () => {
  const list = new DeadlineList()
  const now = performance.now()
  const long = [new Call(now + 3_000), new Call(now + 3_000)]
  for (const call of long) list.add(call)
  await new Promise<void>(resolve => list.add(new Call(now + 30, () => resolve())))
  assert.ok(performance.now() - now < 2_000)
  // With nothing left to wait for the process may end: else this test would not.
  for (const call of long) list.remove(call)
})

test('a call that ends may begin or end others', async () => {
  const list = new DeadlineList()
  const now = performance.now()
  const second = new Call(now + 10)
  const ends: string[] = []
  await new Promise<void>(resolve => {
    list.add(
      new Call(now + 10, () => {
        ends.push('first')
        list.remove(second)
        list.add(new Call(performance.now() + 10, () => resolve()))
      }),
    )
    list.add(second)
  })
  assert.equal([ends, second.endedAt], [['first'], 0])
})

test.run()
