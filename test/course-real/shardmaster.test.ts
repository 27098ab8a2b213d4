import * as assert from 'uvu/assert'
import type { ConfigView, ShardmasterClient } from '../../server/client/clerk.ts'
import { SHARDS } from '../support/course-cluster.ts'
import { COURSE_LOSS } from '../support/faulty-proxy.ts'
import { courseSuite } from './course-suite.ts'
import { together, within } from './recorder.ts'

const { test, cluster, random } = courseSuite('course: shardmaster', {
  shardmasters: 3,
  groups: [],
})

/** A gid that left is never used again, so each case has gids of its own. */
let lastGid = 0
const newGids = (count: number): number[] => Array.from({ length: count }, () => ++lastGid)

const serversOf = (gid: number): string[] =>
  ['x', 'y', 'z'].map(name => `http://127.0.0.1:9001/g${gid}${name}`)

function join(client: ShardmasterClient, gid: number): Promise<ConfigView> {
  return client.join(gid, serversOf(gid))
}

/** The course's check of a configuration. */
function check(config: ConfigView, gids: readonly number[]): void {
  const expected = Object.fromEntries(gids.map(gid => [String(gid), serversOf(gid)]))
  assert.equal(config.groups, expected)
  assert.is(config.shards.length, SHARDS)
  const counts = new Map(gids.map(gid => [gid, 0]))
  if (gids.length === 0) return assert.equal([...new Set(config.shards)], [0])
  for (const gid of config.shards) {
    assert.ok(counts.has(gid), `shard on group ${gid}, which is not there`)
    counts.set(gid, (counts.get(gid) ?? 0) + 1)
  }
  const sizes = [...counts.values()]
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `uneven: ${sizes.join()}`)
}

async function leaveAll(client: ShardmasterClient): Promise<void> {
  const { groups } = await client.query()
  for (const gid of Object.keys(groups)) await client.leave(Number(gid))
}

/** One client for each shardmaster, which asks no other. */
function clientsByServer(timeoutMs?: number): ShardmasterClient[] {
  return cluster()
    .urls(0)
    .map(url => cluster().shardmaster([url], timeoutMs))
}

test('join and leave give exact, balanced configurations, and repeats are harmless', async () => {
  const client = cluster().shardmaster()
  const [first, second] = newGids(2) as [number, number]
  check(await client.query(), [])
  const known: ConfigView[] = []
  const step = async (change: Promise<ConfigView>, gids: number[]) => {
    const config = await change
    known.push(config)
    check(config, gids)
    check(await client.query(), gids)
  }
  await step(join(client, first), [first])
  await step(join(client, second), [first, second])
  await step(join(client, second), [first, second])
  await step(client.leave(first), [second])
  await step(client.leave(first), [second])
  await step(client.leave(second), [])
  const numbers = known.map(({ num }) => num - (known[0]?.num ?? 0))
  assert.equal(numbers, [0, 1, 1, 2, 2, 3])
  for (const config of known) {
    for (const server of clientsByServer()) {
      assert.equal(await server.query(config.num), config, `configuration ${config.num}`)
    }
  }
})

test('move moves exactly that shard, and the number grows', async () => {
  const client = cluster().shardmaster()
  const [left, right] = newGids(2) as [number, number]
  await join(client, left)
  let config = await join(client, right)
  for (let shard = 0; shard < SHARDS; shard++) {
    const gid = shard < SHARDS / 2 ? left : right
    const before = config
    config = await client.move(shard, gid)
    const isThere = before.shards[shard] === gid
    assert.is(config.num, before.num + (isThere ? 0 : 1))
    assert.equal(config.shards, before.shards.with(shard, gid))
  }
  const halves = Array.from({ length: SHARDS }, (_, s) => (s < SHARDS / 2 ? left : right))
  assert.equal((await client.query()).shards, halves)
  await leaveAll(client)
})

test('a join takes and a leave gives only the shards that must move', async () => {
  const client = cluster().shardmaster()
  const gids = newGids(12)
  let config = await client.query()
  for (const gid of gids) {
    const before = config
    config = await join(client, gid)
    for (const [shard, owner] of config.shards.entries()) {
      const isKept = owner === before.shards[shard] || owner === gid
      assert.ok(isKept, `shard ${shard} moved between groups that stay`)
    }
  }
  check(config, gids)
  for (const gid of gids) {
    const before = config
    config = await client.leave(gid)
    for (const [shard, owner] of before.shards.entries()) {
      if (owner !== gid) assert.is(config.shards[shard], owner, `shard ${shard} stays`)
    }
  }
  check(config, [])
})

/** Each client lets a group come and go, and another one come, at servers of its choice. */
async function joinAndLeave(clients: number, servers: readonly ShardmasterClient[]) {
  const gids = newGids(clients)
  const passing = newGids(clients)
  await together(clients, async index => {
    const gid = gids[index] ?? 0
    const guest = passing[index] ?? 0
    await join(random.pick(servers), guest)
    await join(random.pick(servers), gid)
    await random.pick(servers).leave(guest)
    const seen = await random.pick(servers).query()
    assert.ok(String(gid) in seen.groups, 'its own join is seen')
    assert.not.ok(String(guest) in seen.groups, 'its own leave is seen')
  })
  return gids
}

/** All servers have one history, in which each configuration follows from the one before. */
async function checkHistories(gids: readonly number[]): Promise<void> {
  const clients = clientsByServer()
  const latest = await cluster().shardmaster().query()
  check(latest, gids)
  for (const client of clients) assert.equal(await client.query(), latest)
  const histories = await Promise.all(clients.map(client => client.history(30)))
  for (const history of histories) assert.equal(history, histories[0])
  await leaveAll(cluster().shardmaster())
}

test('10 clients join and leave at once at different servers', async () => {
  const gids = await joinAndLeave(10, clientsByServer())
  await checkHistories(gids)
})

for (const how of ['refused', 'hung'] as const) {
  const who = how === 'refused' ? 'a follower' : 'the leader'
  test(`20 clients join and leave while ${who} is deaf`, async () => {
    const leader = await cluster().leader(0)
    const deaf = how === 'refused' ? (leader.replica + 1) % 3 : leader.replica
    cluster().network.deafen([`sm${deaf}`], { clients: true, how })
    const gids = await joinAndLeave(20, clientsByServer().toSpliced(deaf, 1))
    cluster().network.heal()
    await checkHistories(gids)
  })
}

test('20 clients join and leave over an unreliable network', async () => {
  cluster().network.lose(COURSE_LOSS)
  const gids = await joinAndLeave(20, clientsByServer())
  cluster().network.heal()
  await checkHistories(gids)
})

test('a server that its peers cannot reach answers with the newest, or not at all', async () => {
  const leader = await cluster().leader(0)
  const follower = cluster().group(0)[(leader.replica + 1) % 3] ?? leader
  for (const { name, replica } of [follower, leader]) {
    const [gid] = newGids(1) as [number]
    const cutOff = cluster().shardmaster([cluster().urls(0)[replica] ?? ''], 5_000)
    const others = cluster().shardmaster(cluster().urls(0).toSpliced(replica, 1))
    cluster().network.deafen([name], { clients: false })
    await within(8_000, 'a join at the others', join(others, gid))
    try {
      const seen = await cutOff.query()
      assert.ok(String(gid) in seen.groups, `${name} answered configuration ${seen.num}: too old`)
    } catch (error) {
      assert.match(String(error), /timeout|no-leader/)
    }
    cluster().network.heal()
  }
  await leaveAll(cluster().shardmaster())
})

test.run()
