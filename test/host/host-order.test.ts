// In what order the host carries out what a step says.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BEAT, createRig, PEER, RECORD, turns, typesOf } from '../support/host-rig.ts'

const test = suite('host order')

for (const isAwaited of [true, false]) {
  const when = isAwaited ? 'first when others wait for it' : 'last when nobody does'
  test(`an output is carried out in the order promised, the own disk ${when}`, async () => {
    await checkOrder(isAwaited)
  })
}

async function checkOrder(isAwaited: boolean): Promise<void> {
  const rig = createRig()
  let replies = 0
  rig.answer = inputs => {
    const request = inputs.find(input => input.type === 'request')
    if (request?.type !== 'request') return {}
    return {
      records: [RECORD, RECORD],
      sends: [{ to: [PEER, PEER], message: BEAT }],
      replies: [{ id: request.id, reply: { type: 'ok' } }],
      events: [{ type: 'trimmed', below: 4 }],
      trimBelow: 4,
      isAwaited,
    }
  }
  rig.host.submit('a', reply => {
    replies += 1
    rig.effects.push(`reply ${reply.type}`)
  })
  assert.is(rig.host.waiting, 1)
  await turns()
  assert.equal(rig.effects, [
    'append 6@7',
    'append 6@7',
    'send heartbeat to 2',
    'flush sends',
    ...(isAwaited ? ['flush log'] : []),
    'reply ok',
    'events trimmed',
    'trim 4',
    ...(isAwaited ? [] : ['flush log']),
  ])
  assert.is(replies, 1)
  assert.is(rig.host.waiting, 0)
  assert.equal([rig.host.counters.records, rig.host.counters.recordBytes], [2, 12])
}

test('what a step leaves is asked for once the output is performed, before the own disk', async () => {
  const rig = createRig()
  rig.answer = inputs => {
    if (inputs.some(({ type }) => type === 'request')) {
      return { records: [RECORD], sends: [{ to: [PEER], message: BEAT }], hasMore: true }
    }
    return { events: [{ type: 'trimmed', below: 4 }] }
  }
  rig.host.submit('a', () => {})
  await turns()
  const order = ['append 6@7', 'send heartbeat to 1', 'flush sends', 'flush sends']
  assert.equal(rig.effects, [...order, 'events trimmed', 'flush log'])
  assert.equal(typesOf(rig.steps), ['request tick', ''])
})

test('what a step leaves waits a turn while others wait for the own disk', async () => {
  const rig = createRig()
  rig.answer = inputs => {
    const isAsked = inputs.some(({ type }) => type === 'request')
    return isAsked ? { records: [RECORD], isAwaited: true, hasMore: true } : {}
  }
  rig.host.submit('a', () => {})
  await turns()
  assert.equal(rig.effects, ['append 6@7', 'flush sends', 'flush log', 'flush sends'])
})

test.run()
