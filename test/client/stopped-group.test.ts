import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Clerk } from '../../server/client/clerk.ts'
import { configOf, type Said, type ScriptedNode, scriptedNode } from './scripted-node.ts'

const test = suite('clerk of a group that was stopped')
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

test('a shard is found again when its group has left and all its servers are gone', async () => {
  const old = await node(() => OK)
  const next = await node(() => OK)
  let config = configOf(1, [1, 1], { 1: [old.url] })
  const master = await node(() => config)
  const clerk = new Clerk({ shardmasters: [master.url], token: 't', timeoutMs: 3_000 })
  open.push(clerk)
  await clerk.put('a', 'x')
  config = configOf(2, [2, 2], { 2: [next.url] })
  await old.close()
  await clerk.put('a', 'y')
  assert.is(next.got.at(-1)?.body, 'y')
})

test('shardmasters that are silent do not hold up the next replica', async () => {
  const dead = await node(() => 'reset')
  const alive = await node(() => OK)
  const master = await node((_, count) =>
    count === 1 ? configOf(1, [1, 1], { 1: [dead.url, alive.url] }) : 'silence',
  )
  const clerk = new Clerk({ shardmasters: [master.url], token: 't', timeoutMs: 3_000 })
  open.push(clerk)
  const startedAt = performance.now()
  await clerk.put('a', 'x')
  assert.ok(performance.now() - startedAt < 1_500, 'long before the shardmaster is given up')
  assert.is(alive.got.length, 1)
})

test.run()
