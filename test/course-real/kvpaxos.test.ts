import * as assert from 'uvu/assert'
import type { Clerk } from '../../server/client/clerk.ts'
import { COURSE_LOSS } from '../support/faulty-proxy.ts'
import { courseSuite, isFull } from './course-suite.ts'
import { failureOf, link, pause, Recorder, together, within } from './recorder.ts'

const { test, cluster, random } = courseSuite('course: replicated key/value', {
  shardmasters: 1,
  groups: [3],
  joining: [1],
})

/** One clerk for each server, which asks no other. */
function clerksByServer(timeoutMs?: number): Clerk[] {
  const options = timeoutMs === undefined ? {} : { timeoutMs }
  return cluster()
    .urls(1)
    .map(url => cluster().clerk({ endpoints: [url], ...options }))
}

async function textAt(clerk: Clerk, key: string): Promise<string> {
  return (await clerk.get(key))?.value.toString() ?? ''
}

/** The same for all servers, whichever is asked. */
async function checkEqual(clerks: readonly Clerk[], key: string): Promise<string> {
  const values = await Promise.all(clerks.map(clerk => textAt(clerk, key)))
  assert.equal(values, Array(clerks.length).fill(values[0]))
  return values[0] ?? ''
}

test('put, putHash and get through any server are one history', async () => {
  const clerks = clerksByServer()
  const [first, second, third] = clerks as [Clerk, Clerk, Clerk]
  assert.is(await first.get('absent'), null)
  await first.put('a', 'aa')
  assert.is(await textAt(second, 'a'), 'aa')
  assert.is((await third.putHash('b', 'hello')).previous.toString(), '')
  assert.is((await first.putHash('b', 'x')).previous.toString(), '1335831723')
  assert.is(await checkEqual(clerks, 'b'), link('1335831723', 'x'))
  await second.put('a', 'ab')
  assert.is(await checkEqual(clerks, 'a'), 'ab')
})

test('15 clients at random servers write and read one key', async () => {
  const clerks = clerksByServer()
  for (let round = 0; round < (isFull ? 20 : 6); round++) {
    const recorder = new Recorder()
    await together(15, async index => {
      const client = recorder.client(() => random.pick(clerks))
      const key = `shared-${round}-${index % 3}`
      if (random.chance(0.5)) await client.put(key, `${round} of ${index}`)
      else await client.get(key)
      await client.putHash(key, `${index}`)
    })
    for (const group of [0, 1, 2]) {
      const last = await checkEqual(clerks, `shared-${round}-${group}`)
      assert.match(last, /^\d+$/)
    }
    recorder.check()
  }
})

test('5 clients over an unreliable network see their putHash chains exactly', async () => {
  const { network } = cluster()
  const urls = cluster().urls(1)
  network.lose(COURSE_LOSS)
  const lostBefore = network.counts.lostReplies
  const recorder = new Recorder()
  for (let round = 0; round < (isFull ? 6 : 3); round++) {
    await together(5, async index => {
      const client = recorder.client(cluster().clerk({ endpoints: random.shuffled(urls) }))
      const key = `chain-${index}`
      let value = await client.get(key)
      for (const part of ['0', '1', '2']) {
        assert.is(await client.putHash(key, part), value)
        value = link(value, part)
      }
      await pause(50)
      assert.is(await client.get(key), value)
    })
  }
  assert.ok(network.counts.lostReplies > lostBefore, 'replies were lost')
  recorder.check()
})

test('15 clients over an unreliable network leave all servers equal', async () => {
  cluster().network.lose(COURSE_LOSS)
  const recorder = new Recorder()
  for (let round = 0; round < (isFull ? 20 : 4); round++) {
    await together(15, async index => {
      const clerk = cluster().clerk({ endpoints: random.shuffled(cluster().urls(1)) })
      const client = recorder.client(clerk)
      const key = `mixed-${round}-${index % 3}`
      if (random.chance(0.5)) await client.put(key, `${round} of ${index}`)
      else await client.get(key)
    })
    for (const group of [0, 1, 2]) await checkEqual(clerksByServer(), `mixed-${round}-${group}`)
  }
  recorder.check()
})

test('all replicas are killed amid writes, and all that was acknowledged is there', async () => {
  const urls = cluster().urls(1)
  const known = new Map<string, string[]>()
  let isOver = false
  const writing = together(6, async index => {
    const clerk = cluster().clerk({ endpoints: random.shuffled(urls), timeoutMs: 3_000 })
    const key = `kept-${index}`
    for (let count = 0; !isOver; count++) {
      const tried = known.get(key)?.slice(0, 1) ?? []
      known.set(key, [...tried, String(count)])
      const isDone = await clerk.put(key, String(count)).then(
        () => true,
        () => false,
      )
      if (isDone) known.set(key, [String(count)])
      else return
    }
  })
  await pause(300)
  await Promise.all(
    cluster()
      .names(1)
      .map(name => cluster().kill(name)),
  )
  isOver = true
  await writing
  for (const name of cluster().names(1)) cluster().restart(name)
  await cluster().ready(cluster().names(1), '/healthz')
  const clerk = cluster().clerk({ endpoints: urls })
  const read = Promise.all([...known.keys()].map(key => textAt(clerk, key)))
  await within(2_000, 'all keys read after the restart', read)
  for (const [index, value] of (await read).entries()) {
    const possible = known.get(`kept-${index}`) ?? []
    assert.ok(possible.includes(value), `"${value}" is none of ${possible.join()}`)
  }
})

test('nothing is read while no majority is up', async () => {
  const [, ...others] = cluster().names(1)
  await Promise.all(others.map(name => cluster().kill(name)))
  const impatient = cluster().clerk({ endpoints: cluster().urls(1), timeoutMs: 1_500 })
  assert.match(await failureOf(impatient.get('kept-0')), /timeout/)
  for (const name of others) cluster().restart(name)
  await cluster().ready(others, '/healthz')
  await within(2_000, 'a read after the restart', cluster().clerk().get('kept-0'))
})

test.run()
