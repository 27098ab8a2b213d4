import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Connections } from '../../server/client/connections.ts'
import { TestCluster, TOKEN, until } from '../support/cluster.ts'
import { Writers } from '../support/writers.ts'

const test = suite('real processes')
const connections = new Connections({ perNode: 4 })
const headers = { authorization: `Bearer ${TOKEN}` }
let cluster: TestCluster

test.before(async () => {
  cluster = await TestCluster.start({ groups: [3, 3, 3], joining: [1, 2] })
  await until('both groups in the configuration', async () => {
    const { groups } = await cluster.shardmasters().query()
    return groups['1'] !== undefined && groups['2'] !== undefined
  })
})

test.after(async () => {
  await connections.close()
  await cluster.stop()
})

async function send(
  url: string,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  body = '',
) {
  const request = method === 'GET' ? { method, path, headers } : { method, path, headers, body }
  const answer = await connections.exchange(url, request, { timeoutMs: 15_000 })
  if (answer.type === 'failed') throw answer.cause
  return { status: answer.status, body: answer.body.toString(), headers: answer.headers }
}

test('any node answers for any key, and all agree', async () => {
  const nodes = [...cluster.group(1), ...cluster.group(2)]
  for (const [index, { url }] of nodes.entries()) {
    const put = await send(url, 'PUT', `/v1/kv/any-${index}`, `value ${index}`)
    assert.is(put.status, 204, put.body)
  }
  for (const { url } of nodes) {
    for (const index of nodes.keys()) {
      assert.is((await send(url, 'GET', `/v1/kv/any-${index}`)).body, `value ${index}`)
    }
  }
})

test('puthash is the chain of the course, through any node', async () => {
  const urls = [...cluster.group(1), ...cluster.group(2)].map(({ url }) => url)
  assert.is((await send(urls[0]!, 'POST', '/v1/puthash/chain', 'hello')).body, '')
  assert.is((await send(urls[4]!, 'POST', '/v1/puthash/chain', 'x')).body, '1335831723')
  assert.is((await send(urls[2]!, 'DELETE', '/v1/kv/chain')).status, 204)
  assert.is((await send(urls[5]!, 'GET', '/v1/kv/chain')).status, 404)
})

test('a repeated request runs once, also at another node', async () => {
  const numbered = { ...headers, 'idempotency-key': 'somebody/1' }
  const request = {
    method: 'POST',
    path: '/v1/puthash/once',
    headers: numbered,
    body: 'a',
  } as const
  for (const { url } of cluster.group(2)) {
    const answer = await connections.exchange(url, request, { timeoutMs: 10_000 })
    assert.is(answer.type === 'answer' ? answer.body.toString() : answer.cause.message, '')
  }
})

test('a leader that is told to steps down at once, and writes go on', async () => {
  const writers = new Writers(cluster.clerk(), 4)
  for (const gid of [0, 1]) {
    const before = await cluster.leader(gid)
    const answer = await send(before.url, 'POST', '/v1/leader/step-down')
    assert.is(answer.status, 200, answer.body)
    await until('another leader', async () => (await cluster.leader(gid)).name !== before.name)
  }
  const acknowledged = writers.acknowledged
  await until('writes go on', () => writers.acknowledged > acknowledged + 50)
  await writers.stop()
})

test('kill -9 of each leader in turn loses no acknowledged write', async () => {
  const writers = new Writers(cluster.clerk(), 6)
  for (const gid of [1, 2, 0, 1]) {
    const { name } = await cluster.leader(gid)
    await cluster.kill(name)
    const before = writers.acknowledged
    await until('writes go on', () => writers.acknowledged > before + 50)
    cluster.restart(name)
    await cluster.ready([name])
  }
  await writers.stop()
  assert.equal(await writers.check(), [])
  assert.ok(writers.acknowledged > 200, `${writers.acknowledged} writes`)
  assert.ok(writers.longestGapMs < 5_000, `${writers.longestGapMs} ms without a write`)
})

test('join, move and leave go on under writes, and every value is there after each', async () => {
  const clerk = cluster.clerk()
  const all: Writers[] = []
  const masters = cluster.shardmasters()
  const urls = cluster.group(3).map(({ url }) => url)
  const changes = [() => masters.join(3, urls), () => masters.move(0, 3), () => masters.leave(1)]
  for (const change of changes) {
    const writers = new Writers(clerk, 6)
    all.push(writers)
    await until('some writes', () => writers.acknowledged > 30)
    const config = await change()
    await until(`shards arrived in configuration ${config.num}`, () => hasSettled(config.num))
    const before = writers.acknowledged
    await until('writes go on', () => writers.acknowledged > before + 30)
    await writers.stop()
    for (const earlier of all) assert.equal(await earlier.check(), [])
  }
  const left = (await cluster.status((await cluster.leader(1)).name))?.machine
  assert.is((left as { isSafeToStop?: boolean }).isSafeToStop, true)
})

test('kill -9 of all processes at once loses no acknowledged write', async () => {
  const writers = new Writers(cluster.clerk(3_000), 6)
  await until('some writes', () => writers.acknowledged > 100)
  const names = cluster.nodes.map(({ name }) => name)
  await Promise.all(names.map(name => cluster.kill(name)))
  await writers.stop()
  for (const name of names) cluster.restart(name)
  await cluster.ready()
  assert.equal(await writers.check(cluster.clerk()), [])
})

test('SIGTERM hands over: the node ends by itself and writes hardly pause', async () => {
  const writers = new Writers(cluster.clerk(), 6)
  await until('some writes', () => writers.acknowledged > 50)
  writers.longestGapMs = 0
  const { name } = await cluster.leader(2)
  const startedAt = performance.now()
  await cluster.kill(name, 'SIGTERM')
  const tookMs = performance.now() - startedAt
  assert.is(cluster.node(name).ended, 'code 0', cluster.node(name).output)
  assert.ok(tookMs < 3_000, `it took ${tookMs} ms`)
  assert.match(cluster.node(name).output, /stopped\n$/)
  const before = writers.acknowledged
  await until('writes go on', () => writers.acknowledged > before + 50)
  await writers.stop()
  assert.equal(await writers.check(), [])
  assert.ok(writers.longestGapMs < 2_500, `${writers.longestGapMs} ms without a write`)
  cluster.restart(name)
  await cluster.ready([name])
})

test('a data directory of another node is refused with the code for it', async () => {
  const { name } = cluster.group(2)[0]!
  await cluster.kill(name)
  const other = await cluster.startWith(name, ['--data', cluster.group(2)[1]!.folder])
  assert.is(other.code, 78, other.output)
  assert.match(other.output, /refuses to start/)
  cluster.restart(name)
  await cluster.ready([name])
})

async function hasSettled(num: number): Promise<boolean> {
  for (const gid of [1, 2, 3]) {
    const { name } = await cluster.leader(gid)
    const machine = (await cluster.status(name))?.machine as {
      config: number | null
      phases: Record<string, number>
    }
    const { awaited = 0, leaving = 0, releasing = 0 } = machine.phases
    if ((machine.config ?? -1) < num || awaited + leaving + releasing > 0) return false
  }
  return true
}

test.run()
