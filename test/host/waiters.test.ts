import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Waiters } from '../../server/host/waiters.ts'

const test = suite('waiters')

test('each is given back once, under an id that no other has, however places are used again', () => {
  const waiters = new Waiters<string>()
  const ids = new Set<number>()
  const called: string[] = []
  let open: number[] = []
  for (let round = 0; round < 200; round++) {
    for (let count = 0; count < 5; count++) {
      const id = waiters.add(reply => called.push(reply))
      assert.ok(id >= 1 && !ids.has(id), `id ${id}`)
      ids.add(id)
      open.push(id)
    }
    assert.is(waiters.size, open.length)
    const [first, second, third, ...rest] = open
    for (const id of [second, first, third]) {
      const done = waiters.take(id!)
      assert.ok(done)
      done(String(id))
      assert.is(waiters.take(id!), undefined, 'only once')
    }
    open = rest
  }
  assert.is(called.length, 600)
  assert.is(new Set(called).size, 600)
  for (const id of ids) if (!open.includes(id)) assert.is(waiters.take(id), undefined, `id ${id}`)
  assert.is(waiters.take(0), undefined)
  waiters.clear()
  assert.is(waiters.size, 0)
  assert.is(waiters.take(open[0]!), undefined)
})

test.run()
