import { setImmediate as nextTurn } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Input } from '../../server/contract.ts'
import { systemClock } from '../../server/host/clock.ts'
import {
  STOP_FINISH_MS,
  STORE_FLUSH_LOG_BYTES,
  STORE_FLUSH_MS,
  WAITERS_MAX,
} from '../../server/limits.ts'
import {
  BEAT,
  countTimers,
  createRig,
  OVERLOADED,
  PEER,
  RECORD,
  type Reply,
  type Step,
  turns,
  typesOf,
} from '../support/host-rig.ts'

const test = suite('host')

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** Up to which record the step was told that all is durable; always since a time before the step. */
function durableOf(step: Step | undefined): readonly number[] {
  return (step?.inputs ?? []).flatMap(input => {
    if (input.type !== 'durable') return []
    const { at = Number.POSITIVE_INFINITY, upTo } = input
    assert.ok(at <= (step?.now.micros ?? 0), 'when it became so')
    return [upTo]
  })
}

test('what arrives in one turn is one step, after which nothing happens by itself', async () => {
  const rig = createRig()
  rig.host.deliver(PEER, BEAT)
  rig.host.submit('a', () => {})
  rig.host.submit('b', () => {})
  rig.host.onDurable(3)
  rig.host.onDurable(5)
  await turns()
  assert.equal(typesOf(rig.steps), ['durable message request request tick'])
  assert.equal(durableOf(rig.steps[0]), [5])
  assert.equal(rig.steps[0]?.inputs[1], { type: 'message', from: PEER, message: BEAT })
  rig.host.onDurable(5)
  rig.host.onDurable(4)
  await turns()
  assert.equal(typesOf(rig.steps).slice(1).join(''), '', 'durability is told once')
})

test('a reply that submits again is served by the next step', async () => {
  const rig = createRig()
  const order: string[] = []
  rig.answer = inputs => ({ replies: repliesTo(inputs) })
  rig.host.submit('a', () => {
    order.push('a')
    rig.host.submit('b', () => order.push('b'))
  })
  await turns()
  assert.equal(order, ['a', 'b'])
  assert.equal(typesOf(rig.steps), ['request tick', 'request'])
})

test('more waiters than can be held are told so, and the core is not', async () => {
  const rig = createRig()
  for (let count = 0; count < WAITERS_MAX; count++) rig.host.submit('a', () => {})
  assert.equal(await new Promise(resolve => rig.host.submit('b', resolve)), OVERLOADED)
  await turns()
  assert.is(rig.steps[0]?.inputs.length, WAITERS_MAX + 1, 'and a tick')
})

test('in memory, records are durable in the next turn, and counted from 1', async () => {
  const rig = createRig({ isMemory: true })
  let left = 2
  rig.answer = () => (left-- > 0 ? { records: [RECORD, RECORD] } : {})
  await turns()
  assert.equal(typesOf(rig.steps), ['tick', 'durable', 'durable'])
  assert.equal(durableOf(rig.steps[1]), [2])
  assert.equal(durableOf(rig.steps[2]), [4])
  assert.is(rig.host.status().storage, 'memory')
})

test('a tick comes when it was asked for, by one timer however many steps there are', async () => {
  const rig = createRig()
  let wakeAt = Number.POSITIVE_INFINITY
  rig.answer = () => ({ wakeAt })
  await turns()
  wakeAt = systemClock.now().micros + 300_000
  const armed = await countTimers(async () => {
    for (let count = 0; count < 50; count++) {
      rig.host.deliver(PEER, BEAT)
      await nextTurn()
      wakeAt += 10
    }
  })
  assert.is(armed, 1)
  const before = rig.steps.length
  const expected = wakeAt
  wakeAt = Number.POSITIVE_INFINITY
  rig.host.deliver(PEER, BEAT)
  await turns()
  assert.is(rig.steps.length, before + 1)
  wakeAt = expected
  rig.host.deliver(PEER, BEAT)
  await nextTurn()
  wakeAt = Number.POSITIVE_INFINITY
  await until(() => rig.steps.at(-1)?.inputs[0]?.type === 'tick', 'the tick')
  const last = rig.steps.at(-1)!
  assert.ok(last.now.micros >= expected, 'not before its time')
  assert.ok(last.now.micros < expected + 500_000, `late by ${last.now.micros - expected} µs`)
  assert.equal(last.inputs, [{ type: 'tick' }])
})

test('a timer that would wake for nothing is moved, but not at each step', async () => {
  const rig = createRig()
  let wakeAt = systemClock.now().micros + 200_000
  rig.answer = () => ({ wakeAt })
  const armed = await countTimers(async () => {
    for (let count = 0; count < 20; count++, wakeAt += 20_000) {
      rig.host.deliver(PEER, BEAT)
      await nextTurn()
    }
  })
  wakeAt = Number.POSITIVE_INFINITY
  assert.ok(armed >= 2 && armed <= 7, `${armed} timers for 20 steps over 400 ms`)
})

test('an earlier time replaces the timer', async () => {
  const rig = createRig()
  let wakeAt = systemClock.now().micros + 60_000_000
  rig.answer = () => ({ wakeAt })
  await turns()
  const soon = systemClock.now().micros + 10_000
  wakeAt = soon
  rig.host.deliver(PEER, BEAT)
  await nextTurn()
  wakeAt = Number.POSITIVE_INFINITY
  await until(() => typesOf(rig.steps).at(-1) === 'tick', 'the earlier tick')
  assert.ok(rig.steps.at(-1)!.now.micros >= soon)
})

test('the tick stands behind the messages that came before it', async () => {
  const rig = createRig()
  rig.answer = () => ({ wakeAt: 1 })
  rig.host.deliver(PEER, BEAT)
  await until(() => rig.steps.length > 2, 'more ticks')
  assert.is(typesOf(rig.steps)[0], 'message tick')
  rig.answer = () => ({})
})

test('an exception of the core is fatal: nothing of that step leaves, and no other follows', async () => {
  const rig = createRig()
  await turns()
  rig.effects.length = 0
  const error = new Error('does not hold')
  rig.answer = () => {
    throw error
  }
  let replies = 0
  rig.host.submit('a', () => {
    replies += 1
  })
  await turns()
  rig.host.deliver(PEER, BEAT)
  rig.host.submit('b', () => {
    replies += 1
  })
  await turns()
  assert.equal(rig.fatal, [error])
  assert.is(rig.steps.length, 2)
  assert.is(replies, 0)
  assert.equal(rig.effects, [])
})

test('an append that throws is fatal before anything was sent', async () => {
  const rig = createRig()
  await turns()
  rig.effects.length = 0
  const error = new Error('log is over')
  const { log } = rig
  if (log === null) throw new Error('no log')
  log.append = () => {
    throw error
  }
  rig.answer = () => ({ records: [RECORD], sends: [{ to: [PEER], message: BEAT }] })
  rig.host.deliver(PEER, BEAT)
  await turns()
  assert.equal(rig.fatal, [error])
  assert.equal(rig.effects, [])
})

test('a log that fails while it is flushed answers nobody any more', async () => {
  const error = new Error('EIO')
  const rig = createRig({ flushLog: current => current.host.fail(error) })
  await turns()
  rig.answer = inputs => ({ records: [RECORD], replies: repliesTo(inputs), isAwaited: true })
  let replies = 0
  rig.host.submit('a', () => {
    replies += 1
  })
  await turns()
  rig.host.fail(new Error('again'))
  assert.equal(rig.fatal, [error])
  assert.is(replies, 0)
})

test('the store is flushed a second after the first change, with the slot read before', async () => {
  const rig = createRig()
  let finish = () => {}
  rig.flushStore = () =>
    new Promise(resolve => {
      finish = resolve
    })
  rig.appliedSlot = 4
  rig.host.deliver(PEER, BEAT)
  const startedAt = performance.now()
  await turns()
  assert.is(rig.effects.includes('flush store'), false)
  await until(() => rig.effects.includes('flush store'), 'the flush')
  assert.ok(performance.now() - startedAt >= STORE_FLUSH_MS - 5)
  rig.appliedSlot = 9
  finish()
  await turns()
  assert.equal(rig.steps.at(-1)?.inputs, [{ type: 'flushed', slot: 4 }])
  assert.is(rig.effects.filter(effect => effect === 'flush store').length, 1)
  rig.flushStore = async () => {}
  await rig.host.stop({ graceMs: 0 })
})

test('a log that grows fast makes the store be flushed sooner, one flush at a time', async () => {
  const rig = createRig({ recordBytes: STORE_FLUSH_LOG_BYTES / 2 + 1 })
  let finish = () => {}
  rig.flushStore = () =>
    new Promise(resolve => {
      finish = resolve
    })
  rig.appliedSlot = 4
  rig.answer = inputs =>
    inputs.some(input => input.type === 'message') ? { records: [RECORD] } : {}
  rig.host.deliver(PEER, BEAT)
  await turns()
  rig.effects.length = 0
  rig.host.deliver(PEER, BEAT)
  await turns()
  assert.is(rig.effects.filter(effect => effect === 'flush store').length, 1)
  rig.appliedSlot = 5
  for (let count = 0; count < 3; count++) {
    rig.host.deliver(PEER, BEAT)
    await turns()
  }
  assert.is(rig.effects.filter(effect => effect === 'flush store').length, 1)
  rig.flushStore = async () => {}
  finish()
  await turns()
  await rig.host.stop({ graceMs: 0 })
})

test('a store that cannot be flushed is fatal', async () => {
  const rig = createRig()
  const error = new Error('EIO')
  rig.flushStore = () => Promise.reject(error)
  rig.appliedSlot = 1
  await until(() => rig.fatal.length > 0, 'the failure')
  assert.equal(rig.fatal, [error])
})

test('an idle replica is not stepped', async () => {
  const rig = createRig()
  const armed = await countTimers(async () => {
    await turns()
    await nextTurn()
  })
  assert.is(rig.steps.length, 1)
  assert.is(armed, 0)
})

test('a stopping replica hands over, finishes requests, then closes log and store', async () => {
  const rig = createRig()
  rig.role = 'leader'
  rig.answer = () => ({})
  let replies = 0
  rig.host.submit('a', () => {
    replies += 1
  })
  await turns()
  rig.effects.length = 0
  let isStopped = false
  const stopped = rig.host.stop({ graceMs: 5_000 }).then(() => {
    isStopped = true
  })
  await turns()
  assert.equal(typesOf(rig.steps).at(-1), 'handOver')
  assert.not(isStopped, 'it still leads')
  rig.role = 'follower'
  rig.host.deliver(PEER, BEAT)
  await turns()
  assert.not(isStopped, 'a request is not answered yet')
  rig.answer = () => ({ replies: [{ id: 1, reply: { type: 'ok' } }] })
  rig.host.deliver(PEER, BEAT)
  await stopped
  assert.is(replies, 1)
  assert.equal(rig.effects.slice(-3), ['flush store', 'close log', 'close store'])
  const count = rig.steps.length
  const late = await new Promise(resolve => rig.host.submit('late', resolve))
  rig.host.deliver(PEER, BEAT)
  await turns()
  assert.is(late, OVERLOADED)
  assert.is(rig.steps.length, count)
  assert.equal(rig.fatal, [])
})

test('a request that only waits for news does not use up the grace', async () => {
  const rig = createRig()
  rig.host.submit('watch', () => {})
  const startedAt = performance.now()
  await rig.host.stop({ graceMs: 60_000 })
  const took = performance.now() - startedAt
  assert.ok(took >= STOP_FINISH_MS - 5 && took < 10 * STOP_FINISH_MS, `${took} ms`)
  assert.equal(rig.effects.slice(-2), ['close log', 'close store'])
})

test('a leader that nobody relieves stops when the grace is over', async () => {
  const rig = createRig()
  rig.role = 'leader'
  const startedAt = performance.now()
  await rig.host.stop({ graceMs: 50 })
  assert.ok(performance.now() - startedAt >= 45)
  assert.equal(rig.effects.slice(-2), ['close log', 'close store'])
})

test('a failure while stopping closes nothing, and ends the wait', async () => {
  const rig = createRig()
  rig.role = 'leader'
  const stopped = rig.host.stop({ graceMs: 60_000 })
  rig.answer = () => {
    throw new Error('does not hold')
  }
  await stopped
  assert.is(rig.fatal.length, 1)
  assert.is(rig.effects.includes('close log'), false)
})

test('the status tells of the replica and of its process', () => {
  const rig = createRig()
  const status = rig.host.status()
  assert.equal([status.kind, status.cluster, status.storage], ['shardkv', 'c', 'disk'])
  assert.is(status.role, 'follower')
  assert.ok(status.uptimeSeconds >= 0 && status.uptimeSeconds < 5)
})

function repliesTo(inputs: readonly Input<string>[]): { id: number; reply: Reply }[] {
  const replies: { id: number; reply: Reply }[] = []
  for (const input of inputs) {
    if (input.type === 'request') replies.push({ id: input.id, reply: { type: 'ok' } })
  }
  return replies
}

test.run()
