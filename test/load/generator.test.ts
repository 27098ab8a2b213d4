import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Random } from '../../ops/history/random.ts'
import { startBareServer } from '../../ops/load/bare-server.ts'
import { generate } from '../../ops/load/generator.ts'
import { keyChoice } from '../../ops/load/keys.ts'
import { type LoadPlan, readPlan } from '../../ops/load/plan.ts'
import { resultTable } from '../../ops/load/result.ts'
import { answerStatus } from '../../ops/load/wire.ts'
import { KvNode, TOKENS, withServer } from '../support/kv-node.ts'

const test = suite('load generator')

function planOf(...flags: readonly string[]): LoadPlan {
  const plan = readPlan(['--warmup', '0', '--clients', '8', '--count', '400', ...flags])
  if (plan === null || typeof plan === 'string') throw new Error(`flags: ${plan}`)
  return plan
}

test('puts, gets and batches arrive at a node as what they are', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const place = ['--url', `http://127.0.0.1:${port}`, '--token', TOKENS.admin, '--keys', '50']
    const put = await generate(planOf(...place, '--value', '100'))
    assert.equal([put.operations, put.failed, node.backend.runs], [400, 0, 400])
    assert.ok(node.backend.data.size <= 50 && node.backend.data.size > 40)
    assert.ok([...node.backend.data.values()].every(({ value }) => value.length === 100))
    const get = await generate(planOf(...place, '--op', 'get'))
    assert.equal([get.operations, get.failed, node.backend.runs], [400, 0, 400])
    const batch = await generate(planOf(...place, '--batch', '40'))
    assert.equal([batch.operations, batch.failed, node.backend.runs], [400, 0, 800])
    await generate(planOf(...place, '--op', 'puthash'))
    assert.is(node.backend.runs, 1200)
  })
})

test('what is refused is counted as failed, and said', async () => {
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const url = ['--url', `http://127.0.0.1:${port}`]
    const refused = await generate(planOf(...url, '--token', TOKENS.reader))
    assert.equal([refused.operations, refused.failed, refused.trouble], [0, 400, 'HTTP 403'])
    assert.match(resultTable(refused), 'first failure: HTTP 403')
  })
})

test('a connection that breaks is opened again, and its operation has failed', async () => {
  const server = await startBareServer('node')
  let count = 0
  const node = new KvNode()
  await withServer(node.app, async ({ port }) => {
    const { submit } = node.backend
    node.backend.submit = (request, done) => {
      count += 1
      if (count !== 100) submit.call(node.backend, request, done)
    }
    const place = ['--url', `http://127.0.0.1:${port}`, '--token', TOKENS.admin]
    const result = await generate(planOf(...place, '--timeout', '100'))
    assert.equal([result.operations, result.failed], [399, 1])
  })
  server.close()
})

test('several processes share the work, and their figures are put together', async () => {
  const server = await startBareServer('node')
  try {
    const plan = planOf('--target', 'http', '--url', server.url, '--processes', '2')
    const result = await generate(plan)
    assert.equal([result.operations, result.failed], [400, 0])
    assert.ok(result.latencyMs.p50 > 0 && result.latencyMs.max >= result.latencyMs.p99)
  } finally {
    server.close()
  }
})

test('an answer is over when its body is, whatever the pieces', () => {
  const answers: readonly (readonly [string, number])[] = [
    ['HTTP/1.1 204 No Content\r\nETag: "1"\r\n\r\n', 204],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200],
    ['HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n', 503],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', 200],
  ]
  for (const [text, status] of answers) {
    for (let cut = 0; cut < text.length; cut++) assert.is(answerStatus(text.slice(0, cut)), null)
    assert.is(answerStatus(text), status)
  }
})

test('zipfian keys are few and far apart, uniform ones are all', () => {
  const draws = 200_000
  const count = (distribution: LoadPlan['distribution']): number[] => {
    const next = keyChoice({ distribution, keys: 1000 }, new Random(1, 'keys'))
    const counts = new Array<number>(1000).fill(0)
    for (let draw = 0; draw < draws; draw++) counts[next()]! += 1
    return counts.sort((a, b) => b - a)
  }
  const zipfian = count('zipfian')
  // The first of a thousand has 1 / ζ(1000, 0.99) of all: 0.129.
  assert.ok(Math.abs(zipfian[0]! / draws - 0.129) < 0.01, `${zipfian[0]! / draws}`)
  const uniform = count('uniform')
  assert.ok(uniform[0]! < 300 && uniform.at(-1)! > 120)
})

test.run()
