// Concurrent calls share requests; each keeps its number, its outcome, its deadline.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Clerk, type ClerkOptions, ShardglassError } from '../../server/client/clerk.ts'
import { KvNode, TOKENS, withServer } from '../support/kv-node.ts'
import { Random } from '../support/random.ts'
import {
  configOf,
  type Got,
  refusal,
  type Said,
  type ScriptedNode,
  scriptedNode,
} from './scripted-node.ts'

const test = suite('coalescing')
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

/** A clerk of a cluster with one group whose one replica is at `url`. */
async function clerkOf(url: string, options: Partial<ClerkOptions> = {}): Promise<Clerk> {
  const master = await node(() => configOf(1, [1, 1], { 1: [url] }))
  const clerk = new Clerk({ shardmasters: [master.url], token: TOKENS.admin, ...options })
  open.push(clerk)
  return clerk
}

type Asked = { readonly op: string; readonly key: string; readonly version?: number }

/** Operations of a request, each with its number; '' for reads. */
function asked(request: Got): readonly (Asked & { readonly number: string })[] {
  const header = String(request.headers['idempotency-key'] ?? '')
  const [client, first] = header.split('/')
  const numberOf = (op: string, index: number) =>
    op === 'get' || header === '' ? '' : `${client}/${Number(first) + index}`
  if (request.target === '/v1/batch') {
    const { ops } = JSON.parse(request.body) as { ops: Asked[] }
    return ops.map((op, index) => ({ ...op, number: numberOf(op.op, index) }))
  }
  const key = decodeURIComponent(request.target.split('/').at(-1) ?? '')
  const op = request.method === 'GET' ? 'get' : 'put'
  return [{ op, key, number: numberOf(op, 0) }]
}

/** Answers each operation by `result`: a status, or more. */
function answered(request: Got, result: (asked: Asked) => object): Said {
  const results = asked(request).map(one => ({ outcome: 'applied', version: 1, ...result(one) }))
  if (request.target === '/v1/batch') return { status: 200, body: JSON.stringify({ results }) }
  const [one] = results as { status?: number; value?: string; type?: string }[]
  const problem = { status: one?.status ?? 204, body: JSON.stringify(one) }
  if (problem.status >= 400) return problem
  return { status: problem.status, headers: { etag: '"1"' }, body: one?.value ?? '' }
}

const done = ({ op }: Asked) => (op === 'get' ? { status: 200, value: 'v' } : { status: 204 })
const keysOf = (count: number, name = 'k') => Array.from({ length: count }, (_, i) => `${name}${i}`)

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'ok'
  } catch (error) {
    if (error instanceof ShardglassError) return `${error.code} ${error.outcome}`
    throw error
  }
}

test('a lone call goes at once; what comes while requests are under way goes with the next', async () => {
  const held: (() => void)[] = []
  const kv = new KvNode()
  const { submit } = kv.backend
  kv.backend.submit = (request, reply) =>
    void held.push(() => submit.call(kv.backend, request, reply))
  await withServer(kv.app, async server => {
    const clerk = await clerkOf(`http://127.0.0.1:${server.port}`)
    const calls = ['a', 'b', 'c', 'd'].map(async (key, index) => {
      while (held.length < index) await new Promise(resolve => setImmediate(resolve))
      return clerk.put(key, 'v')
    })
    while (held.length < 4) await new Promise(resolve => setImmediate(resolve))
    // Four are under way, each by itself; thirty more wait for one of them.
    calls.push(...keysOf(30).map(key => clerk.put(key, 'v')))
    await new Promise(resolve => setTimeout(resolve, 30))
    assert.is(held.length, 4)
    held[0]?.()
    while (held.length < 34) await new Promise(resolve => setImmediate(resolve))
    for (const answer of held.slice(1)) answer()
    await Promise.all(calls)
    const clients = kv.backend.seen.flatMap(seen => (seen.type === 'write' ? [seen.session] : []))
    assert.is(new Set(clients.map(({ client, number }) => `${client}/${number}`)).size, 34)
  })
})

test('reads share a request with writes and take no numbers', async () => {
  const kv = await node(request => answered(request, done))
  const clerk = await clerkOf(kv.url)
  const calls = keysOf(20).flatMap(key => [clerk.get(`r${key}`), clerk.put(key, 'v')])
  const results = await Promise.all(calls)
  assert.is(results.length, 40)
  const numbers = kv.got.flatMap(request => asked(request).filter(({ op }) => op === 'put'))
  assert.equal(
    numbers.map(({ number }) => Number(number.split('/')[1])).sort((a, b) => a - b),
    keysOf(20).map((_, index) => index + 1),
  )
})

test('a batch that failed as a whole is repeated, each write under its own number', async () => {
  const kv = await node((request, count) => {
    if (count === 1) return refusal(503, 'overloaded', { outcome: 'not_applied' })
    return count === 2 || count === 3 ? 'reset' : answered(request, done)
  })
  const clerk = await clerkOf(kv.url)
  await Promise.all(keysOf(50).map(key => clerk.put(key, 'v')))
  const numbers = new Map<string, Set<string>>()
  for (const request of kv.got) {
    for (const { key, number } of asked(request)) {
      numbers.set(key, (numbers.get(key) ?? new Set()).add(number))
    }
  }
  assert.is(numbers.size, 50)
  for (const [key, used] of numbers) assert.is(used.size, 1, `${key} had ${[...used].join(', ')}`)
  assert.is(new Set([...numbers.values()].map(used => [...used][0])).size, 50)
})

test('a batch that is sent on to the leader goes there as one', async () => {
  const leader = await node(request => answered(request, done))
  const members = { config: 1, gid: 1, leader: 1, outcome: 'not_applied' }
  const wrong = { status: 421, type: 'urn:shardglass:wrong-group', ...members }
  const follower = await node(request => answered(request, () => wrong))
  const master = await node(() => configOf(1, [1, 1], { 1: [follower.url, leader.url] }))
  const clerk = new Clerk({ shardmasters: [master.url], token: 't' })
  open.push(clerk)
  await Promise.all(keysOf(40).map(key => clerk.put(key, 'v')))
  assert.equal([follower.got.length, leader.got.length], [1, 1])
  const numbersAt = (at: ScriptedNode) => at.got.flatMap(asked).map(({ number }) => number)
  assert.equal(numbersAt(leader), numbersAt(follower))
})

test('one shard of a batch moved: its operations alone are repeated, at the new owner', async () => {
  const owner = await node(request => answered(request, done))
  const former = await node(request =>
    answered(request, one =>
      one.key.startsWith('b')
        ? {
            status: 421,
            type: 'urn:shardglass:wrong-group',
            outcome: 'not_applied',
            ...{ config: 2, gid: 2, servers: [owner.url] },
          }
        : done(one),
    ),
  )
  const groups = { 1: [former.url], 2: [owner.url] }
  // By first byte: `a` is in shard 1, `b` in shard 0.
  const master = await node((_, count) => configOf(count, [count === 1 ? 1 : 2, 1], groups))
  const clerk = new Clerk({ shardmasters: [master.url], token: 't' })
  open.push(clerk)
  const keys = keysOf(10, 'a').flatMap(key => [key, key.replace('a', 'b')])
  await Promise.all(keys.map(key => clerk.put(key, 'v')))
  const first = former.got.flatMap(asked)
  const later = owner.got.flatMap(asked)
  assert.equal(first.map(({ key }) => key).sort(), [...keys].sort())
  assert.equal(later.map(({ key }) => key).sort(), keysOf(10, 'b'))
  for (const { key, number } of later) {
    assert.is(number, first.find(one => one.key === key)?.number)
  }
})

test('deadlines and signals are those of the call, not of the batch', async () => {
  const kv = await node(request => (request.target === '/v1/batch' ? 'silence' : 'reset'))
  const clerk = await clerkOf(kv.url, { attemptTimeoutMs: 5_000 })
  const control = new AbortController()
  const startedAt = performance.now()
  const slow = codeOf(clerk.put('slow', 'v', { timeoutMs: 600 }))
  const quick = codeOf(clerk.put('quick', 'v', { timeoutMs: 60 }))
  const read = codeOf(clerk.get('read', { timeoutMs: 60 }))
  const aborted = codeOf(clerk.put('aborted', 'v', { signal: control.signal }))
  assert.is(await quick, 'timeout unknown')
  assert.is(await read, 'timeout not_applied')
  assert.ok(performance.now() - startedAt < 500)
  control.abort()
  assert.is(await aborted, 'aborted unknown')
  assert.ok(performance.now() - startedAt < 550)
  assert.is(await slow, 'timeout unknown')
})

test('what waits and was never sent certainly did nothing', async () => {
  const kv = await node(() => 'silence')
  const clerk = await clerkOf(kv.url, { attemptTimeoutMs: 5_000 })
  const first = ['a', 'b', 'c', 'd'].map(async key => {
    while (kv.got.length < key.charCodeAt(0) - 97) await new Promise(r => setTimeout(r, 1))
    return codeOf(clerk.put(key, 'v', { timeoutMs: 900 }))
  })
  while (kv.got.length < 4) await new Promise(resolve => setTimeout(resolve, 1))
  assert.is(await codeOf(clerk.put('e', 'v', { timeoutMs: 50 })), 'timeout not_applied')
  assert.equal(await Promise.all(first), new Array(4).fill('timeout unknown'))
})

test('a batch that is refused for one of its operations refuses no other', async () => {
  const kv = await node(request =>
    asked(request).some(({ key }) => key === 'foreign')
      ? refusal(403, 'forbidden', { outcome: 'not_applied' })
      : answered(request, done),
  )
  const clerk = await clerkOf(kv.url)
  const outcomes = await Promise.all(['a', 'foreign', 'b'].map(key => codeOf(clerk.put(key, 'v'))))
  assert.equal(outcomes, ['ok', 'forbidden not_applied', 'ok'])
})

test('conditions on versions travel in batches, others alone', async () => {
  const kv = await node(request =>
    answered(request, one =>
      one.version === 5
        ? {
            status: 412,
            type: 'urn:shardglass:condition-failed',
            outcome: 'not_applied',
            version: 9,
          }
        : done(one),
    ),
  )
  const clerk = await clerkOf(kv.url)
  const condition = { ifPresent: true } as const
  const [kept, absent, never] = await Promise.all([
    clerk.cas('a', 'v', 5),
    clerk.cas('b', 'v', null),
    clerk.cas('d', 'v', 0),
    clerk.put('c', 'v', { condition }),
  ])
  assert.equal(kept, { isWritten: false, version: 9 })
  assert.is(absent.isWritten, true)
  assert.is(never.isWritten, true, 'as the node says here; it would refuse version 0')
  const batch = kv.got.find(({ target }) => target === '/v1/batch')
  assert.equal(
    asked(batch!).map(({ key, version }) => [key, version]),
    [
      ['a', 5],
      ['b', 0],
    ],
  )
  const alone = kv.got.filter(({ target }) => target !== '/v1/batch')
  assert.equal(alone.map(({ headers }) => headers['if-match']).sort(), ['"0"', '*'])
})

test('no request has more than a thousand operations, nor two on one key', async () => {
  const kv = await node(request => answered(request, done))
  const clerk = await clerkOf(kv.url)
  const keys = [...keysOf(5_000), ...keysOf(50)]
  await Promise.all(keys.map(key => clerk.put(key, 'v')))
  const sizes = kv.got.map(request => asked(request).length)
  assert.is(
    sizes.reduce((sum, size) => sum + size, 0),
    keys.length,
  )
  assert.ok(Math.max(...sizes) <= 1_000 && sizes.length < 20, sizes.join(' '))
  for (const request of kv.got) {
    const names = asked(request).map(({ key }) => key)
    assert.is(new Set(names).size, names.length)
  }
})

test('whatever is refused, lost or late, each call runs once', async () => {
  for (let seed = 1; seed <= 2; seed++) {
    const random = new Random(seed, 'coalescing')
    const kv = new KvNode()
    kv.backend.script = () => {
      const drawn = random.next()
      if (drawn < 0.1) return { type: 'overloaded' }
      if (drawn < 0.15) return { type: 'shardMoving', config: 1 }
      if (drawn < 0.17) return 'run silently'
      if (drawn < 0.18) return 'silence'
      return drawn < 0.22 ? { type: 'unknown' } : 'run'
    }
    await withServer(kv.app, async server => {
      const terms = { timeoutMs: 20_000, attemptTimeoutMs: 150 }
      const clerk = await clerkOf(`http://127.0.0.1:${server.port}`, terms)
      const keys = keysOf(300, `s${seed}-`)
      // Each caller makes three calls: new ones come while others are repeated.
      const callers = keys.slice(0, 100).map(async (_, caller) => {
        for (const key of keys.slice(caller * 3, caller * 3 + 3)) {
          const { previous } = await clerk.putHash(key, 'x')
          assert.is(previous.length, 0, `seed ${seed}: ${key} saw its own effect`)
        }
      })
      await Promise.all(callers)
      assert.is(kv.backend.runs, keys.length, `seed ${seed}`)
    })
  }
})

test.run()
