import * as assert from 'uvu/assert'
import type { Clerk } from '../../server/client/clerk.ts'
import { COURSE_LOSS } from '../support/faulty-proxy.ts'
import { courseSuite, isFull } from './course-suite.ts'
import { link, pause, Recorder, together, within } from './recorder.ts'

const { test, cluster, random } = courseSuite('course: partitions of five replicas', {
  shardmasters: 1,
  groups: [5],
  joining: [1],
})

/** How long a request that waited in a minority may take once the network is whole. */
const HEALED_MS_MAX = 3_000

function clerkAt(replica: number, timeoutMs = 30_000): Clerk {
  return cluster().clerk({ endpoints: [cluster().urls(1)[replica] ?? ''], timeoutMs })
}

const names = (...replicas: readonly number[]): string[] =>
  replicas.map(replica => cluster().names(1)[replica] ?? '')

async function textAt(clerk: Clerk, key: string): Promise<string> {
  return (await clerk.get(key))?.value.toString() ?? ''
}

/** A request under way, and whether it has come back. */
function underWay<T>(work: Promise<T>): { readonly result: Promise<T>; isDone: boolean } {
  const request = { result: work, isDone: false }
  const end = (): void => {
    request.isDone = true
  }
  work.then(end, end)
  return request
}

test('a majority goes on, a minority does not, and what waited there completes', async () => {
  const { network } = cluster()
  const [c0, c1, c2, c3, c4] = [0, 1, 2, 3, 4].map(r => clerkAt(r)) as [
    Clerk,
    Clerk,
    Clerk,
    Clerk,
    Clerk,
  ]
  await c0.put('1', '12')
  await c2.put('1', '13')
  assert.is(await textAt(c3, '1'), '13')

  network.partition(names(2, 3, 4), names(0, 1))
  await c2.put('1', '14')
  assert.is(await textAt(c4, '1'), '14')
  const put = underWay(c0.put('1', '15'))
  const get = underWay(textAt(c1, '1'))
  await pause(1_000)
  assert.is(await textAt(c4, '1'), '14')
  await c3.put('1', '16')
  assert.is(await textAt(c4, '1'), '16')
  assert.not.ok(put.isDone || get.isDone, 'nothing completes in a minority')

  network.partition(names(0, 2, 3, 4), names(1))
  await within(HEALED_MS_MAX, 'the put that waited', put.result)
  assert.not.ok(get.isDone, 'its server is still alone')
  assert.is(await textAt(c4, '1'), '15')
  assert.is(await textAt(c0, '1'), '15')

  network.heal()
  await within(HEALED_MS_MAX, 'the get that waited', get.result)
  assert.is(await get.result, '15')
  assert.is(await textAt(c1, '1'), '15')
})

test('a replica that can send but not be reached learns, and the others go on', async () => {
  const { network } = cluster()
  const { replica } = await cluster().leader(1)
  network.deafen(names(replica), { clients: false })
  const other = clerkAt((replica + 1) % 5)
  await within(8_000, 'a put at another server', other.put('deaf', 'heard'))
  assert.is(await textAt(other, 'deaf'), 'heard')
  assert.is(await textAt(clerkAt(replica, 8_000), 'deaf'), 'heard')
})

test('a leader that is cut off never answers with what was overwritten', async () => {
  for (let round = 0; round < (isFull ? 5 : 2); round++) {
    const { replica } = await cluster().leader(1)
    const recorder = new Recorder()
    const key = `cut-${round}`
    await clerkAt(replica).put(key, 'before')
    cluster().network.partition(
      names(replica),
      names(...[0, 1, 2, 3, 4].filter(other => other !== replica)),
    )
    let isOver = false
    const reading = together(4, async index => {
      const clerk = clerkAt(replica, 3_000)
      const reader = recorder.client(clerk)
      while (!isOver) {
        await reader.get(key).catch(() => '') // no answer is an answer here
        await pause(5 + index)
      }
    })
    const writer = recorder.client(clerkAt((replica + 1) % 5))
    for (const value of ['1', '2', '3']) await writer.put(key, value)
    await pause(200)
    isOver = true
    cluster().network.heal()
    await reading
    assert.is(await writer.get(key), '3')
    recorder.check()
  }
})

test('a majority goes on at once after servers are cut off amid agreements', async () => {
  const { network } = cluster()
  const majority = clerkAt(2)
  for (let round = 0; round < (isFull ? 5 : 2); round++) {
    network.heal()
    await majority.put('q', `q${round}`)
    const recorder = new Recorder()
    let isOver = false
    const clients = together(10, async index => {
      const clerks = [clerkAt(0), clerkAt(1)]
      const client = recorder.client(() => random.pick(clerks))
      const key = `hole-${round}-${index}`
      let last = ''
      for (let count = 0; !isOver || count === 0; count++) {
        if (random.chance(0.5)) {
          last = `${index}: ${count}`
          await client.put(key, last)
        } else assert.is(await client.get(key), last)
      }
    })
    await pause(isFull ? 3_000 : 800)
    network.partition(names(2, 3, 4), names(0, 1))
    await within(4_000, 'a read in the majority', textAt(majority, 'q'))
    await majority.put('q', `qq${round}`)
    assert.is(await textAt(majority, 'q'), `qq${round}`)
    isOver = true
    network.heal()
    await within(HEALED_MS_MAX + 2_000, 'all clients in the minority', clients)
    assert.is(await textAt(majority, 'q'), `qq${round}`)
    recorder.check()
  }
})

/** Each replica into one of three parts, by chance. */
function partByChance(): void {
  const parts: string[][] = [[], [], []]
  for (const name of cluster().names(1)) random.pick(parts).push(name)
  cluster().network.partition(...parts)
}

test('random partitions of an unreliable network leave every chain exact', async () => {
  const { network } = cluster()
  network.lose(COURSE_LOSS)
  const recorder = new Recorder()
  let isOver = false
  const clients = together(10, async index => {
    const clerk = cluster().clerk({
      endpoints: random.shuffled(cluster().urls(1)),
      timeoutMs: 60_000,
    })
    const client = recorder.client(clerk)
    const key = `many-${index}`
    await client.put(key, '')
    let last = ''
    for (let count = 0; !isOver; count++) {
      if (random.chance(0.5)) {
        assert.is(await client.putHash(key, `${count}`), last)
        last = link(last, `${count}`)
      } else assert.is(await client.get(key), last)
    }
    return { key, last }
  })
  const endAt = performance.now() + (isFull ? 20_000 : 6_000)
  while (performance.now() < endAt) {
    partByChance()
    await pause(random.between(0, 200))
  }
  isOver = true
  network.heal()
  await within(HEALED_MS_MAX + 2_000, 'all clients after healing', clients)
  const waits = recorder.history.map(({ calledAt, returnedAt }) => returnedAt - calledAt)
  if (process.env.COURSE_TIMES === '1') {
    console.log(`${waits.length} operations, the longest ${Math.max(...waits).toFixed(0)} ms`)
  }
  for (const { key, last } of await clients) {
    for (const replica of [0, 1, 2, 3, 4]) assert.is(await textAt(clerkAt(replica), key), last)
  }
  recorder.check()
})

test.run()
