// Which replica is asked, where refusals name leaders that are none any more.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { problemOf } from '../../server/client/problem.ts'
import { Router } from '../../server/client/router.ts'
import { ShardmasterClient } from '../../server/client/shardmaster-client.ts'
import { configOf, scriptedNode } from './scripted-node.ts'

const test = suite('router')

/** What replica 1 says of its leader 0, from which the rest has turned away, and what 0 says. */
const NAMES_ZERO = { type: 'urn:shardglass:wrong-group', config: 1, gid: 1, leader: 0 }
const KNOWS_NONE = { type: 'urn:shardglass:no-leader' }

test('two replicas that are cut off, of which one names the other, are not asked for ever', async () => {
  const servers = ['http://a:1', 'http://b:1', 'http://c:1', 'http://d:1', 'http://e:1']
  const master = await scriptedNode(() => configOf(1, [1, 1], { 1: servers }))
  const shardmasters = new ShardmasterClient({ shardmasters: [master.url], token: 't' })
  const router = new Router(shardmasters)
  const asked = new Set<string>()
  for (let attempt = 0; attempt < 12; attempt++) {
    const target = await router.target('k', 1_000)
    assert.ok(target)
    asked.add(target.base)
    const isFirst = target.base === servers[0]
    router.learn(target, problemOf(isFirst ? 503 : 421, isFirst ? KNOWS_NONE : NAMES_ZERO))
  }
  await shardmasters.close()
  await master.close()
  assert.is(asked.size, servers.length)
})

test.run()
