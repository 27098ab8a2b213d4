import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NodeStatus } from '../../server/backend.ts'
import { leaderRoutes } from '../../server/http/leader-routes.ts'
import { KvNode, TOKENS } from '../support/kv-node.ts'

const test = suite('leader routes')
const MEMBER = { incarnation: 'i', lagSlots: null, silentMicros: null }

function nodeOf(role: NodeStatus['role'], members: number) {
  let handedOver = 0
  const status = (): NodeStatus => ({
    ...new KvNode().backend.status(),
    role,
    leader: role === 'leader' ? 0 : 2,
    ballot: '7.0',
    members: Array.from({ length: members }, (_, replica) => ({ replica, ...MEMBER })),
  })
  const moreRoutes = leaderRoutes({ status, handOver: () => (handedOver += 1) })
  const node = new KvNode({ moreRoutes })
  const stepDown = (token: string | null) => {
    return node.request('POST', '/v1/leader/step-down', { token })
  }
  return { stepDown, handedOver: () => handedOver }
}

test('an admin takes the leadership from the replica that has it', async () => {
  const { stepDown, handedOver } = nodeOf('leader', 3)
  const response = await stepDown(TOKENS.admin)
  assert.is(response.status, 200)
  assert.equal(await response.json(), { ballot: '7.0' })
  assert.is(handedOver(), 1)
})

test('nobody else may, and nothing happens', async () => {
  const { stepDown, handedOver } = nodeOf('leader', 3)
  for (const token of [null, TOKENS.peer]) assert.is((await stepDown(token)).status, 401)
  for (const token of [TOKENS.reader, TOKENS.writer, TOKENS.prefixed]) {
    assert.is((await stepDown(token)).status, 403)
  }
  assert.is(handedOver(), 0)
})

test('who does not lead, or is alone, says so', async () => {
  for (const { stepDown, handedOver } of [nodeOf('follower', 3), nodeOf('leader', 1)]) {
    const response = await stepDown(TOKENS.admin)
    assert.is(response.status, 409)
    assert.is(((await response.json()) as { outcome: string }).outcome, 'not_applied')
    assert.is(handedOver(), 0)
  }
})

test.run()
