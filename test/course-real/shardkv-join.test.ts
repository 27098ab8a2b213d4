import * as assert from 'uvu/assert'
import { courseSuite } from './course-suite.ts'
import { failureOf, Recorder } from './recorder.ts'

const { test, cluster, random } = courseSuite('course: join and leave', {
  shardmasters: 3,
  groups: [3, 3, 3],
})

test('10 random keys survive joins and leaves, read and rewritten after each', async () => {
  const clerk = cluster().clerk()
  const recorder = new Recorder()
  const client = recorder.client(clerk)
  await cluster().join(1)
  await client.put('a', 'x')
  assert.is(await client.putHash('a', 'b'), 'x')
  const values = new Map(Array.from({ length: 10 }, () => [String(random.word()), '']))
  const checkAndRewrite = (): Promise<unknown> =>
    Promise.all(
      [...values].map(async ([key, value]) => {
        const own = recorder.client(clerk)
        assert.is(await own.get(key), value)
        const next = String(random.word())
        await own.put(key, next)
        values.set(key, next)
      }),
    )
  await checkAndRewrite()
  for (const gid of [2, 3]) {
    await cluster().join(gid)
    await checkAndRewrite()
  }
  for (const gid of [1, 2]) {
    const { num } = await cluster().shardmaster().leave(gid)
    await checkAndRewrite()
    await cluster().settled(num, [gid, 3], 5_000)
    for (const name of cluster().names(gid)) await cluster().kill(name)
    await checkAndRewrite()
  }
  const lastLeave = cluster().shardmaster().leave(3)
  assert.match(await failureOf(lastLeave), /last one and holds/)
  await checkAndRewrite()
  recorder.check()
})

test.run()
