import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Clerk, type ClerkOptions, ShardglassError } from '../../server/client/clerk.ts'
import { configOf, refusal, type Said, type ScriptedNode, scriptedNode } from './scripted-node.ts'

const test = suite('clerk')
const OK: Said = { status: 204, headers: { etag: '"7"' } }
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

/** A clerk of a cluster with one group, whose replicas are these nodes. */
async function clerkOf(nodes: readonly ScriptedNode[], options: Partial<ClerkOptions> = {}) {
  const urls = nodes.map(({ url }) => url)
  const master = await node(() => configOf(1, [1, 1], { 1: urls }))
  const clerk = new Clerk({ shardmasters: [master.url], token: 't', timeoutMs: 2_000, ...options })
  open.push(clerk)
  return { clerk, master }
}

async function failureOf(work: Promise<unknown>): Promise<ShardglassError> {
  try {
    await work
  } catch (error) {
    if (error instanceof ShardglassError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const numberOf = (request: { headers: Record<string, unknown> }) =>
  String(request.headers['idempotency-key'])

test('a repeated write keeps its number, the next one has the next', async () => {
  const kv = await node((_, count) =>
    count === 1 ? refusal(504, 'timeout', { outcome: 'unknown' }) : count === 2 ? 'reset' : OK,
  )
  const { clerk } = await clerkOf([kv])
  assert.equal(await clerk.put('a', 'x'), { version: 7 })
  await clerk.put('a', 'y')
  const numbers = kv.got.map(numberOf)
  assert.is(new Set(numbers.slice(0, 3)).size, 1)
  assert.match(numbers[0]!, /^[\w.-]{1,64}\/1$/)
  assert.is(numbers[3], numbers[0]!.replace(/1$/, '2'))
  assert.is(kv.got[3]!.headers['shardglass-acked'], '1')
  assert.is(kv.got[0]!.headers['shardglass-direct'], '1')
  assert.is(kv.got[0]!.headers.authorization, 'Bearer t')
})

test("a clerk's traceparent goes with all that it asks for, at shardmasters too", async () => {
  const kv = await node(() => OK)
  const traceParent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const { clerk, master } = await clerkOf([kv], { traceParent })
  await clerk.put('a', 'x')
  await Promise.all([clerk.put('b', 'x'), clerk.put('c', 'x').catch(() => null)])
  for (const { headers } of [...kv.got, ...master.got]) assert.is(headers.traceparent, traceParent)
  assert.ok(kv.got.length >= 2 && master.got.length >= 1)
})

test('a write whose answer was lost fails as unknown, whatever is said later', async () => {
  const kv = await node((_, count) =>
    count === 1 ? 'reset' : refusal(503, 'no-leader', { outcome: 'not_applied' }),
  )
  const { clerk } = await clerkOf([kv])
  const failure = await failureOf(clerk.put('a', 'x', { timeoutMs: 300 }))
  assert.is(failure.outcome, 'unknown')
  assert.is(failure.code, 'timeout')
})

test('a final refusal after a lost answer is unknown too', async () => {
  const kv = await node((_, count) => (count === 1 ? 'reset' : refusal(403, 'forbidden')))
  const { clerk } = await clerkOf([kv])
  const failure = await failureOf(clerk.put('a', 'x'))
  assert.is(failure.code, 'forbidden')
  assert.is(failure.outcome, 'unknown')
})

test('a write that was only ever refused certainly has no effect', async () => {
  // The last refusal asks for a longer pause than there is time: no attempt is cut short.
  const kv = await node((_, count) =>
    count < 4
      ? refusal(503, 'no-leader', { outcome: 'not_applied' })
      : refusal(429, 'too-many-requests', { outcome: 'not_applied' }),
  )
  const { clerk } = await clerkOf([kv])
  const failure = await failureOf(clerk.put('a', 'x', { timeoutMs: 800 }))
  assert.equal([failure.code, failure.outcome], ['timeout', 'not_applied'])
  assert.is(kv.got.length, 4)
})

test('a write that reached nobody certainly has no effect', async () => {
  const gone = await node(() => OK)
  await gone.close()
  const { clerk } = await clerkOf([gone])
  const failure = await failureOf(clerk.put('a', 'x', { timeoutMs: 200 }))
  assert.is(failure.outcome, 'not_applied')
})

test('a read that was lost has no effect', async () => {
  const kv = await node(() => 'reset')
  const { clerk } = await clerkOf([kv])
  assert.is((await failureOf(clerk.get('a', { timeoutMs: 200 }))).outcome, 'not_applied')
})

test('a silent node costs one attempt, then another replica is asked', async () => {
  const silent = await node(() => 'silence')
  const kv = await node(() => OK)
  const { clerk } = await clerkOf([silent, kv], { attemptTimeoutMs: 150 })
  await clerk.put('a', 'x')
  assert.is(numberOf(silent.got[0]!), numberOf(kv.got[0]!))
  await clerk.put('a', 'y')
  assert.is(silent.got.length, 1, 'the one that answered is remembered')
})

test('a refusal that names the leader is followed at once, and remembered', async () => {
  const follower = await node(() =>
    refusal(421, 'wrong-group', { config: 1, gid: 1, leader: 2, outcome: 'not_applied' }),
  )
  const idle = await node(() => 'reset')
  const leader = await node(() => OK)
  const { clerk } = await clerkOf([follower, idle, leader])
  await clerk.put('a', 'x')
  await clerk.put('a', 'y')
  assert.equal([follower.got.length, idle.got.length, leader.got.length], [1, 0, 2])
})

test('a shard that is being handed over is no reason to ask another replica', async () => {
  const kv = await node((_, count) =>
    count < 4 ? refusal(503, 'shard-moving', { outcome: 'not_applied' }) : OK,
  )
  const idle = await node(() => 'reset')
  const { clerk } = await clerkOf([kv, idle])
  await clerk.put('a', 'x')
  assert.equal([kv.got.length, idle.got.length], [4, 0])
})

test('callers that are sent elsewhere ask for the configuration once', async () => {
  const owner = await node(request => (request.target === '/v1/batch' ? batchOk(request.body) : OK))
  const former = await node(request => {
    const one = { type: 'urn:shardglass:wrong-group', config: 2, gid: 2, servers: [owner.url] }
    const refused = { ...one, status: 421, outcome: 'not_applied' }
    if (request.target !== '/v1/batch') return refusal(421, 'wrong-group', refused)
    const { ops } = JSON.parse(request.body)
    return { status: 200, body: JSON.stringify({ results: ops.map(() => refused) }) }
  })
  const master = await node((_, count) =>
    count === 1
      ? configOf(1, [1, 1], { 1: [former.url], 2: [owner.url] })
      : configOf(2, [2, 2], { 1: [former.url], 2: [owner.url] }),
  )
  const clerk = new Clerk({ shardmasters: [master.url], token: 't' })
  open.push(clerk)
  await Promise.all(Array.from({ length: 50 }, (_, index) => clerk.put(`k${index}`, 'x')))
  assert.is(master.got.length, 2)
})

test('concurrent calls leave as few requests, each with a number of its own', async () => {
  const kv = await node(request => (request.target === '/v1/batch' ? batchOk(request.body) : OK))
  const { clerk } = await clerkOf([kv])
  const versions = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => (await clerk.put(`k${index}`, 'x')).version),
  )
  assert.ok(kv.got.length <= 8, `${kv.got.length} requests for 100 puts`)
  assert.is(new Set(versions).size, 100, 'each call has its own result')
})

test('one operation of a batch that is refused is repeated alone under its own number', async () => {
  let batchNumber = ''
  const kv = await node(request => {
    if (request.target !== '/v1/batch') return { status: 204, headers: { etag: '"99"' } }
    batchNumber = numberOf(request)
    const results = JSON.parse(request.body).ops.map((_: unknown, index: number) =>
      index === 3
        ? { status: 503, type: 'urn:shardglass:overloaded', outcome: 'not_applied' }
        : { status: 204, outcome: 'applied', version: index },
    )
    return { status: 200, body: JSON.stringify({ results }) }
  })
  const { clerk } = await clerkOf([kv])
  const keys = ['a', 'b', 'c', 'd', 'e']
  const results = await Promise.all(keys.map(key => clerk.put(key, key)))
  assert.equal(
    results.map(({ version }) => version),
    [0, 1, 2, 99, 4],
  )
  const alone = kv.got.filter(({ target }) => target !== '/v1/batch')
  assert.equal(
    alone.map(({ target }) => target),
    ['/v1/kv/d'],
  )
  const [client, number] = batchNumber.split('/')
  assert.is(numberOf(alone[0]!), `${client}/${Number(number) + 3}`)
})

test('a value that a batch could not carry is asked for alone', async () => {
  const kv = await node(request =>
    request.target === '/v1/batch'
      ? {
          status: 200,
          body: JSON.stringify({
            results: [
              { status: 200, outcome: 'applied', version: 1, value: 'small' },
              { status: 200, outcome: 'applied', version: 2, isValueOmitted: true },
            ],
          }),
        }
      : { status: 200, headers: { etag: '"2"' }, body: 'large' },
  )
  const { clerk } = await clerkOf([kv])
  const results = await Promise.all([clerk.putHash('a', 'x'), clerk.putHash('b', 'x')])
  assert.equal(
    results.map(({ previous }) => previous.toString()),
    ['small', 'large'],
  )
})

test('operations on one key never share a request: they would run one after the other', async () => {
  const kv = await node(request => (request.target === '/v1/batch' ? batchOk(request.body) : OK))
  const { clerk } = await clerkOf([kv])
  await Promise.all(Array.from({ length: 20 }, () => clerk.put('same', 'x')))
  assert.is(kv.got.filter(({ target }) => target === '/v1/batch').length, 0)
})

test('keys with dots and slashes travel where no proxy rewrites them', async () => {
  const kv = await node(() => ({ status: 200, headers: { etag: '"1"' }, body: 'v' }))
  const { clerk } = await clerkOf([kv])
  for (const key of ['..', 'a/../b', 'a b?&', 'é']) await clerk.get(key)
  const targets = kv.got.map(({ target }) => target)
  const expected = ['/v1/kv?key=..', '/v1/kv?key=a%2F..%2Fb', '/v1/kv/a%20b%3F%26', '/v1/kv/%C3%A9']
  assert.equal(targets, expected)
})

test('keys that no cluster takes are refused here', async () => {
  const { clerk } = await clerkOf([])
  for (const key of ['', 'x'.repeat(1025), '\ud800']) {
    assert.is((await failureOf(clerk.get(key))).code, 'bad-request')
  }
})

test('values come back byte for byte, absent keys as null', async () => {
  const kv = await node(request =>
    request.target === '/v1/kv/none'
      ? refusal(404, 'no-such-key')
      : { status: 200, headers: { etag: '"5"' }, body: 'väl' },
  )
  const { clerk } = await clerkOf([kv])
  assert.equal(await clerk.get('some'), { value: Buffer.from('väl'), version: 5 })
  assert.is(await clerk.get('none'), null)
})

test('a condition that does not hold is told with the version that is there', async () => {
  const kv = await node(() => refusal(412, 'condition-failed', { version: 9 }))
  const { clerk } = await clerkOf([kv])
  assert.equal(await clerk.cas('a', 'x', 3), { isWritten: false, version: 9 })
  assert.is(kv.got[0]!.headers['if-match'], '"3"')
  await clerk.cas('a', 'x', null)
  assert.is(kv.got[1]!.headers['if-none-match'], '*')
  const failure = await failureOf(clerk.put('a', 'x', { condition: { ifPresent: true } }))
  assert.is(failure.code, 'condition-failed')
  assert.is(failure.outcome, 'not_applied')
})

test('an aborted call ends at once and says whether it may have an effect', async () => {
  const kv = await node(() => 'silence')
  const { clerk } = await clerkOf([kv])
  const controller = new AbortController()
  const put = failureOf(clerk.put('a', 'x', { signal: controller.signal }))
  while (kv.got.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const abortedAt = performance.now()
  controller.abort()
  const failure = await put
  assert.ok(performance.now() - abortedAt < 100)
  assert.equal([failure.code, failure.outcome], ['aborted', 'unknown'])
})

test('a clerk that knows nodes but no shardmaster asks any of them', async () => {
  const gone = await node(() => OK)
  await gone.close()
  const kv = await node(() => OK)
  const clerk = new Clerk({ endpoints: [gone.url, kv.url], token: 't' })
  open.push(clerk)
  await clerk.put('a', 'x')
  assert.is(kv.got[0]!.headers['shardglass-direct'], undefined)
})

test('among several nodes a silent one costs half a second, whatever the attempts may last', async () => {
  const silent = await node(() => 'silence')
  const kv = await node(() => OK)
  const clerk = new Clerk({ endpoints: [silent.url, kv.url], token: 't' })
  open.push(clerk)
  const startedAt = performance.now()
  await clerk.put('a', 'x')
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs >= 490 && tookMs < 1_900, `${tookMs} ms; an attempt may last 2000`)
  assert.is(numberOf(silent.got[0]!), numberOf(kv.got[0]!))
  await clerk.put('a', 'y')
  assert.is(silent.got.length, 1, 'the one that answered is asked on')
})

test('a node that is the only one is waited for', async () => {
  const silent = await node(() => 'silence')
  const clerk = new Clerk({ endpoints: [silent.url], token: 't', timeoutMs: 900 })
  open.push(clerk)
  assert.is((await failureOf(clerk.put('a', 'x'))).outcome, 'unknown')
  assert.is(silent.got.length, 1)
})

test('calls end when the clerk is closed', async () => {
  const kv = await node(() => 'silence')
  const { clerk } = await clerkOf([kv])
  const put = failureOf(clerk.put('a', 'x'))
  while (kv.got.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const closedAt = performance.now()
  await clerk.close()
  const failure = await put
  assert.equal([failure.code, failure.outcome], ['aborted', 'unknown'])
  assert.ok(performance.now() - closedAt < 1_000)
})

function batchOk(body: string): Said {
  const { ops } = JSON.parse(body)
  const version = (key: string) => Number(key.slice(1))
  const results = ops.map(({ key }: { key: string }) => ({ status: 204, version: version(key) }))
  return { status: 200, body: JSON.stringify({ results }) }
}

test.run()
