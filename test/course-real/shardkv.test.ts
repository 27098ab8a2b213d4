import * as assert from 'uvu/assert'
import type { Clerk } from '../../server/client/clerk.ts'
import { Connections } from '../../server/client/connections.ts'
import { TOKEN } from '../support/cluster.ts'
import { SHARDS } from '../support/course-cluster.ts'
import { COURSE_LOSS } from '../support/faulty-proxy.ts'
import { courseSuite, isFull } from './course-suite.ts'
import { link, pause, Recorder, together, within } from './recorder.ts'

const { test, cluster, random } = courseSuite('course: sharded key/value', {
  shardmasters: 3,
  groups: [3, 3, 3],
})

/** By the first-byte partitioner, character 48 + s is a key of shard (48 + s) mod 10. */
const ONE_KEY_PER_SHARD = Array.from({ length: SHARDS }, (_, s) => String.fromCharCode(48 + s))

async function textAt(clerk: Clerk, key: string): Promise<string> {
  return (await clerk.get(key))?.value.toString() ?? ''
}

/** What a test wrote: all is read back and then written anew. */
class Known {
  private readonly values = new Map<string, string>()
  private readonly clerk: Clerk

  constructor(clerk: Clerk, keys: readonly string[]) {
    this.clerk = clerk
    for (const key of keys) this.values.set(key, '')
  }

  async rewrite(): Promise<void> {
    await Promise.all(
      [...this.values.keys()].map(async key => {
        const value = `${key} ${random.word()}`
        await this.clerk.put(key, value)
        this.values.set(key, value)
      }),
    )
  }

  async check(): Promise<void> {
    for (const [key, value] of this.values) assert.is(await textAt(this.clerk, key), value)
  }

  value(key: string): string {
    return this.values.get(key) ?? ''
  }
}

function randomKeys(): string[] {
  return Array.from({ length: 10 }, () => String(random.word()))
}

test('after a join the shards have moved: only theirs are read without the first group', async () => {
  const clerk = cluster().clerk()
  await cluster().join(1)
  const known = new Known(clerk, ONE_KEY_PER_SHARD)
  await known.rewrite()
  const { num, shards } = await cluster().join(2)
  await cluster().settled(num, [1, 2], 5_000)
  await known.check()

  cluster().network.isolate(cluster().names(1))
  const impatient = cluster().clerk({ timeoutMs: 3_000 })
  const read = await Promise.all(
    ONE_KEY_PER_SHARD.map(async key => {
      const shard = key.charCodeAt(0) % SHARDS
      const value = await textAt(impatient, key).catch(() => null)
      if (value !== null) assert.is(value, known.value(key))
      return { isRead: value !== null, isMoved: shards[shard] === 2 }
    }),
  )
  for (const { isRead, isMoved } of read) assert.is(isRead, isMoved)
  assert.is(read.filter(({ isMoved }) => isMoved).length, SHARDS / 2)
  cluster().network.heal()
  await known.check()
})

for (const isReliable of [true, false]) {
  const network = isReliable ? 'a reliable' : 'an unreliable'
  test(`11 clients write, read and move shards over ${network} network`, async () => {
    await cluster().join(3)
    if (!isReliable) cluster().network.lose(COURSE_LOSS)
    const recorder = new Recorder()
    await together(11, async index => {
      const client = recorder.client(cluster().clerk())
      const masters = cluster().shardmaster()
      const key = `${index}-${isReliable}`
      const shared = `${index % 3} shared ${isReliable}`
      let last = ''
      for (let count = 0; count < (isFull ? 8 : 3); count++) {
        assert.is(await client.putHash(key, `${count}`), last)
        last = link(last, `${count}`)
        await client.put(shared, `${index} ${count}`)
        assert.is(await client.get(key), last)
        await client.get(shared)
        await masters.move(random.between(0, SHARDS - 1), random.between(1, 3))
        await pause(random.between(0, 30))
      }
      assert.is(await client.putHash(key, 'end'), last)
    })
    recorder.check()
  })
}

test('a request that is repeated after its shard has moved runs once', async () => {
  const connections = new Connections({ perNode: 2 })
  const masters = cluster().shardmaster()
  const previous: string[] = []
  for (const [index, gid] of [1, 2, 3, 1].entries()) {
    for (const number of [1, ...(index === 1 ? [2] : [])]) {
      const headers = { authorization: `Bearer ${TOKEN}`, 'idempotency-key': `traveller/${number}` }
      const url = cluster().urls(gid)[0] ?? ''
      const request = { method: 'POST', path: '/v1/puthash/0-moving', headers, body: 'x' } as const
      const answer = await connections.exchange(url, request, { timeoutMs: 10_000 })
      previous.push(answer.type === 'answer' ? answer.body.toString() : answer.cause.message)
    }
    const { num } = await masters.move('0'.charCodeAt(0) % SHARDS, (gid % 3) + 1)
    await cluster().settled(num, [1, 2, 3])
  }
  await connections.close()
  const first = link('', 'x')
  assert.equal(previous, ['', '', first, '', ''])
  assert.is(await textAt(cluster().clerk(), '0-moving'), link(first, 'x'))
})

test('all replicas are killed and started again, and all data is there', async () => {
  const known = new Known(cluster().clerk(), randomKeys())
  await known.rewrite()
  const names = cluster().allNames
  await Promise.all(names.map(name => cluster().kill(name)))
  for (const name of names) cluster().restart(name)
  await cluster().ready(names, '/healthz')
  await within(2_000, 'all keys read after the restart', known.check())
})

test('with a dead replica in each group a leave is handed over in 2 s', async () => {
  const known = new Known(cluster().clerk(), [...ONE_KEY_PER_SHARD, ...randomKeys()])
  await known.rewrite()
  for (const gid of [1, 2, 3]) await cluster().kill(random.pick(cluster().names(gid)))
  await known.check()
  await known.rewrite()
  for (const gid of random.shuffled([1, 2, 3]).slice(0, 2)) {
    const { num } = await cluster().shardmaster().leave(gid)
    await within(2_000, `the handoff of group ${gid}`, cluster().settled(num, [gid]))
    await Promise.all(
      cluster()
        .names(gid)
        .map(name => cluster().kill(name)),
    )
    await known.check()
    await known.rewrite()
  }
  await known.check()
})

test.run()
