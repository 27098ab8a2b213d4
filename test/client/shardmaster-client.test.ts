import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ShardglassError, ShardmasterClient } from '../../server/client/clerk.ts'
import { configOf, refusal, type ScriptedNode, scriptedNode } from './scripted-node.ts'

const test = suite('shardmaster client')
let open: { close(): Promise<void> }[] = []

test.after.each(async () => {
  await Promise.all(open.map(one => one.close()))
  open = []
})

async function node(answer: ScriptedNode['answer']): Promise<ScriptedNode> {
  const made = await scriptedNode(answer)
  open.push(made)
  return made
}

function clientOf(...nodes: readonly ScriptedNode[]): ShardmasterClient {
  const shardmasters = nodes.map(({ url }) => url)
  const client = new ShardmasterClient({ shardmasters, token: 't', attemptTimeoutMs: 200 })
  open.push(client)
  return client
}

test('a change goes to the next shardmaster under the same number', async () => {
  const first = await node(() => 'reset')
  const second = await node(() => configOf(2, [1, 2], {}))
  const client = clientOf(first, second)
  const config = await client.join(2, ['http://h:1'], { reason: 'growth', ifConfig: 1 })
  assert.is(config.num, 2)
  const [a, b] = [first.got[0]!, second.got[0]!]
  assert.is(a.headers['idempotency-key'], b.headers['idempotency-key'])
  assert.is(b.headers['if-match'], '"config-1"')
  assert.is(b.target, '/v1/config/join')
  assert.equal(JSON.parse(b.body), { gid: 2, servers: ['http://h:1'], reason: 'growth' })
  await client.leave(2)
  assert.is(first.got.length, 1, 'the one that answered is asked first')
})

test('a change whose answer was lost and that fails in the end is unknown', async () => {
  const master = await node((_, count) => (count === 1 ? 'reset' : refusal(503, 'no-leader')))
  try {
    await clientOf(master).move(3, 1, { timeoutMs: 300 })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, ShardglassError)
    assert.is((error as ShardglassError).outcome, 'unknown')
  }
})

test('a refusal is final and keeps its reason', async () => {
  const master = await node(() => refusal(409, 'conflict', { outcome: 'not_applied' }))
  try {
    await clientOf(master).leave(1)
    assert.unreachable()
  } catch (error) {
    const { code, outcome, status } = error as ShardglassError
    assert.equal([code, outcome, status], ['conflict', 'not_applied', 409])
  }
  assert.is(master.got.length, 1)
})

test('queries name their configuration, plans change nothing', async () => {
  const master = await node(request =>
    request.method === 'POST'
      ? { status: 200, body: JSON.stringify({ base: 4, moves: [], warnings: ['w'] }) }
      : configOf(4, [0], {}),
  )
  const client = clientOf(master)
  await client.query()
  await client.query(3)
  const plan = await client.plan({ op: 'leave', gid: 2 })
  assert.equal(plan.warnings, ['w'])
  const targets = ['/v1/config', '/v1/config/3', '/v1/config/leave?dryRun=true']
  assert.equal(
    master.got.map(({ target }) => target),
    targets,
  )
  assert.is(master.got[2]!.headers['idempotency-key'], undefined)
})

test('history is read as a list', async () => {
  const configs = [2, 1].map(num => JSON.parse(bodyOf(num)))
  const master = await node(() => ({ status: 200, body: JSON.stringify({ configs }) }))
  const found = await clientOf(master).history(2)
  assert.equal(
    found.map(({ num }) => num),
    [2, 1],
  )
})

test('an answer that is not a configuration is not taken for one', async () => {
  const master = await node(() => ({ status: 200, body: '{"num":"1"}' }))
  try {
    await clientOf(master).query()
    assert.unreachable()
  } catch (error) {
    assert.is((error as ShardglassError).code, 'bad-answer')
  }
})

test('a watch goes on without gap or repeat when its stream breaks', async () => {
  const event = (num: number) => `id: ${num}\ndata: ${bodyOf(num)}\n\n`
  const headers = { 'content-type': 'text/event-stream' }
  const streams = new Map([
    ['/v1/config/watch?after=0', `: hello\n\n${event(1)}${event(2)}`],
    ['/v1/config/watch?after=2', `${event(2)}${event(3)}${event(5)}`],
    ['/v1/config/watch?after=3', `${event(4)}${event(5)}`],
  ])
  const master = await node(({ target }) => ({
    status: 200,
    headers,
    body: streams.get(target) ?? '',
  }))
  const dead = await node(() => 'reset')
  const controller = new AbortController()
  const seen: number[] = []
  for await (const { num } of clientOf(dead, master).watch(0, controller.signal)) {
    seen.push(num)
    if (num === 5) controller.abort()
  }
  assert.equal(seen, [1, 2, 3, 4, 5])
})

function bodyOf(num: number): string {
  const said = configOf(num, [0], {})
  return typeof said === 'object' ? (said.body ?? '') : ''
}

test.run()
