// The course's cases for the shardmaster. The oracle holds every configuration that anybody is told
// against all others: one per number, even after joins and leaves, shards only at groups in it.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Config } from '../../server/shardmaster/config.ts'
import { overSeeds, Scenario } from './scenario.ts'

const SEEDS = 10

const test = suite('course: shardmaster')

/** Groups exist by name only: no replica of them runs. */
function masters(seed: number, settings = {}): Scenario {
  return new Scenario({ seed, kind: 'sharded', replicas: 3, groups: 0, settings })
}

function servers(gid: number): string[] {
  return ['c', 'a', 'b'].map(name => `http://${name}${gid}:80`)
}

function join(scenario: Scenario, gid: number): Config {
  const reply = scenario.change({ op: 'join', gid, servers: servers(gid) })
  assert.is(reply.type, 'config')
  return scenario.query(-1)
}

function check(config: Config, gids: readonly number[]): void {
  assert.equal(
    Object.keys(config.groups).map(Number),
    [...gids].sort((a, b) => a - b),
  )
  for (const gid of gids) {
    const urls = (config.groups[String(gid)] ?? []).map(url => new URL(url).hostname)
    assert.equal(urls, [`c${gid}`, `a${gid}`, `b${gid}`], 'server lists keep their order')
  }
  const counts = gids.map(gid => config.shards.filter(owner => owner === gid).length)
  assert.is(
    counts.reduce((sum, count) => sum + count, 0),
    gids.length === 0 ? 0 : 10,
  )
  if (gids.length > 0) assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
}

test('joins and leaves give exactly those groups; repeated ones do no harm', () => {
  overSeeds(SEEDS, seed => {
    const scenario = masters(seed)
    check(scenario.query(-1), [])
    check(join(scenario, 1), [1])
    check(join(scenario, 2), [1, 2])
    check(join(scenario, 2), [1, 2])
    scenario.leave(1)
    check(scenario.query(-1), [2])
    scenario.leave(1)
    check(scenario.query(-1), [2])
    scenario.finish()
  })
})

test('an old configuration is answered for ever as it was', () => {
  overSeeds(SEEDS, seed => {
    const scenario = masters(seed)
    const seen = [scenario.query(-1)]
    for (const gid of [1, 2, 3]) seen.push(join(scenario, gid))
    seen.push(scenario.leave(2), scenario.move(3, 1))
    for (const master of scenario.cluster.masters) master.crash()
    for (const master of scenario.cluster.masters) master.start()
    for (const config of seen) assert.equal(scenario.query(config.num), config)
    const latest = seen.at(-1)
    assert.equal(scenario.query(1000), latest)
    assert.equal(scenario.query(-1), latest)
    scenario.finish()
  })
})

test('a move gives one shard away and changes nothing else', () => {
  overSeeds(SEEDS, seed => {
    const scenario = masters(seed)
    join(scenario, 1)
    let before = join(scenario, 2)
    for (let shard = 0; shard < 10; shard++) {
      const gid = shard < 5 ? 2 : 1
      scenario.move(shard, gid)
      const after = scenario.query(-1)
      const isSame = before.shards[shard] === gid
      assert.is(after.num, isSame ? before.num : before.num + 1)
      assert.equal(after.shards, before.shards.with(shard, gid))
      before = after
    }
    scenario.finish()
  })
})

function concurrently(seed: number, isOneDeaf: boolean): void {
  const scenario = masters(seed)
  const { cluster } = scenario
  if (isOneDeaf) {
    const victim = cluster.masters.find(node => node.status()?.role !== 'leader')
    if (victim !== undefined) cluster.deaf.add(victim)
  }
  let left = 0
  for (let client = 0; client < 12; client++) {
    const admin = scenario.newAdmin()
    const [own, other] = [100 + client, 200 + client]
    left += 1
    admin.change({ op: 'join', gid: own, servers: servers(own) }, () => {
      admin.change({ op: 'join', gid: other, servers: servers(other) }, () => {
        admin.change({ op: 'leave', gid: other }, () => {
          left -= 1
        })
      })
    })
  }
  scenario.within(20_000, 'all are answered', () => left === 0)
  check(
    scenario.query(-1),
    Array.from({ length: 12 }, (_, client) => 100 + client),
  )
  scenario.finish()
}

test('concurrent joins and leaves at different servers end as they must', () => {
  overSeeds(SEEDS, seed => concurrently(seed, false))
})

test('concurrent joins and leaves end as they must with one server deaf', () => {
  overSeeds(SEEDS, seed => concurrently(seed, true))
})

test('the log is forgotten after joins', () => {
  const scenario = masters(1, { retainedSlots: 20 })
  for (let gid = 1; gid <= 60; gid++) join(scenario, gid)
  scenario.run(1_000)
  for (const master of scenario.cluster.masters) {
    assert.ok((master.status()?.log.entries ?? 0) <= 30, master.name)
  }
  scenario.finish()
})

test('no shard moves between groups that stay, with more groups than shards too', () => {
  overSeeds(SEEDS, seed => {
    const scenario = masters(seed)
    let before = join(scenario, 1)
    for (let gid = 2; gid <= 13; gid++) {
      const after = join(scenario, gid)
      for (const [shard, owner] of after.shards.entries()) {
        assert.ok(owner === before.shards[shard] || owner === gid, `config ${after.num}`)
      }
      before = after
    }
    for (let gid = 13; gid >= 6; gid--) {
      const after = scenario.leave(gid)
      for (const [shard, owner] of after.shards.entries()) {
        const was = before.shards[shard]
        assert.ok(owner === was || was === gid, `config ${after.num}`)
      }
      before = after
    }
    scenario.finish()
  })
})

test('a server that was cut off never answers an old configuration as the latest', () => {
  overSeeds(SEEDS, seed => {
    const scenario = masters(seed)
    const { cluster } = scenario
    join(scenario, 1)
    const old = cluster.leader(0)
    assert.ok(old)
    const asker = cluster.newPlace()
    const others = cluster.masters.map(node => node.place).filter(place => place !== old.place)
    const rest = Array.from({ length: asker + 50 }, (_, place) => place).filter(
      place => place !== old.place && place !== asker,
    )
    cluster.network.split([[old.place, asker], rest])
    const answers: number[] = []
    const ask = () =>
      cluster.callMaster(asker, old.address.replica, { type: 'query', num: -1 }, reply => {
        if (reply?.type === 'config') answers.push(reply.config.num)
      })
    ask()
    const decided = join(scenario, 2)
    for (let turn = 0; turn < 20; turn++) {
      ask()
      scenario.run(100)
    }
    assert.equal(others.length, 2)
    assert.ok(
      answers.every(num => num >= decided.num),
      `${answers} after ${decided.num}`,
    )
    scenario.finish()
  })
})

test.run()
