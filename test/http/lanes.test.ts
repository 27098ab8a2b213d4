import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Lanes, numberFor, type Ticket } from '../../server/http/lanes.ts'
import { CLIENT_OUTSTANDING_MAX } from '../../server/limits.ts'
import { Random } from '../support/random.ts'

const test = suite('lanes')

test('numbers grow by one, and acked follows the answers', () => {
  const lanes = new Lanes(() => 'n-1')
  const first = lanes.begin()!
  const second = lanes.begin()!
  assert.equal(first.session, { client: 'n-1', number: 1, acked: 0 })
  assert.equal(second.session, { client: 'n-1', number: 2, acked: 0 })
  lanes.end(second)
  const third = lanes.begin()!
  assert.equal(third.session, { client: 'n-1', number: 3, acked: 0 }, '1 is still out')
  lanes.end(first)
  assert.is(lanes.begin()!.session.acked, 2)
})

test('a number that stays out blocks its lane after a window, and another lane is opened', () => {
  let made = 0
  const lanes = new Lanes(() => `n-${++made}`)
  const slow = lanes.begin()!
  for (let count = 1; count < CLIENT_OUTSTANDING_MAX; count++) lanes.end(lanes.begin()!)
  assert.is(lanes.begin()!.session.client, 'n-2')
  lanes.end(slow)
  const next = lanes.begin()!
  assert.equal(next.session, { client: 'n-1', number: 65, acked: 64 })
})

test('when all lanes are full, there is no number', () => {
  const lanes = new Lanes(() => 'n', 2)
  const tickets = Array.from({ length: 2 * CLIENT_OUTSTANDING_MAX }, () => lanes.begin())
  assert.not(tickets.includes(null))
  assert.is(lanes.begin(), null)
  assert.is(numberFor(lanes, null), null)
  const given = { client: 'c', number: 5, acked: 0 }
  assert.equal(numberFor(lanes, given), { session: given, ticket: null })
  lanes.end(tickets[70]!)
  assert.is(lanes.begin(), null, 'it is not the oldest of its lane')
  lanes.end(tickets[64]!)
  assert.is(lanes.begin()!.session.number, 65)
})

test('whatever the order of answers: no number twice, none acked while it is out', () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const random = new Random(seed, 'lanes')
  let made = 0
  const lanes = new Lanes(() => `n-${++made}`)
  const out = new Map<string, Ticket>()
  const used = new Set<string>()
  for (let step = 0; step < 20_000; step++) {
    if (out.size > 300 || random.next() < 0.48) {
      const entries = [...out.entries()]
      const entry = entries[Math.floor(random.next() * entries.length)]
      if (entry === undefined) continue
      out.delete(entry[0])
      lanes.end(entry[1])
      continue
    }
    const ticket = lanes.begin()!
    const { client, number, acked } = ticket.session
    const name = `${client}/${number}`
    assert.not(used.has(name), `seed ${seed}: ${name} twice`)
    assert.ok(number - acked <= CLIENT_OUTSTANDING_MAX, `seed ${seed}: window of ${name}`)
    for (const other of out.values()) {
      const isAcked = other.session.client === client && other.session.number <= acked
      assert.not(isAcked, `seed ${seed}: ${name} acks a number that is out`)
    }
    used.add(name)
    out.set(name, ticket)
  }
  assert.ok(made < 60, `seed ${seed}: ${made} lanes`)
})

test.run()
