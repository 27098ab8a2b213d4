import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterView } from '../../dashboard/cluster-reader.ts'
import { HandoffTracker } from '../../dashboard/handoff-tracker.ts'
import type { HeldShard } from '../../dashboard/node-status.ts'
import { ShardglassError } from '../../server/client/clerk.ts'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'
import { serving, simulated, statusOf, urlsOf } from '../support/simulated-asker.ts'

const test = suite('reconfiguration on the dashboard')
let rig: DashboardRig
let session: { readonly cookie: string; readonly csrf: string }

test.before.each(async () => {
  rig = new DashboardRig()
  session = await rig.login(TOKEN.admin)
})

test.after.each(async () => {
  assert.equal(rig.faults, [])
  await rig.stop()
})

const get = (path: string) => rig.get(path, { cookie: session.cookie })

async function later(): Promise<void> {
  rig.nowMs += 2_000
  await rig.dashboard.services.reader.refresh()
}

/** The shardmasters as this session asks them. */
function master(stubs: object): void {
  Object.assign(rig.dashboard.services.clients.of(TOKEN.admin).shardmasters, stubs)
}

test('a configuration that is not there is not shown as the latest', async () => {
  const { config } = rig.cluster
  master({ query: async (num: number) => ({ ...config, num: Math.min(num, config.num) }) })
  for (const [path, status] of [
    ['/configs/2', 200],
    ['/configs/2.json', 200],
    ['/configs/3', 404],
    ['/configs/3.json', 404],
    ['/configs/4', 404],
    ['/configs/at?num=3', 404],
    ['/configs/2..3', 404],
  ] as const)
    assert.is((await get(path)).status, status, path)
})

test('a group that has left is asked on, until it answers no more', async () => {
  await later()
  const { config } = rig.cluster
  const cause = { op: 'leave', gid: 1, actor: 'boss' }
  const groups = { 2: urlsOf(2) }
  rig.cluster.config = { ...config, num: 3, groups, cause, shards: config.shards.map(() => 2) }
  for (const [replica, url] of urlsOf(1).entries()) {
    const status = statusOf(1, replica, [])
    const machine = { ...status.machine, isSafeToStop: true }
    rig.cluster.statuses.set(url, { ...status, machine })
  }
  const known = () => rig.dashboard.services.reader.view.nodes.filter(n => n.status?.gid === 1)
  for (let looks = 0; looks < 4; looks++) {
    await later()
    assert.is(known().length, 3, `look ${looks}`)
  }
  const [late = ''] = urlsOf(1)
  const answer = rig.cluster.statuses.get(late)!
  rig.cluster.statuses.delete(late)
  await later()
  await later()
  rig.cluster.statuses.set(late, answer)
  await later()
  assert.is(known().filter(({ error }) => error === null).length, 3, 'one was late')
  for (const url of urlsOf(1)) rig.cluster.statuses.delete(url)
  for (let looks = 0; looks < 17; looks++) await later()
  assert.is(known().length, 0)
})

test('of several changes the log tells which were made and which was refused', async () => {
  let num = rig.cluster.config.num
  master({
    plan: async () => ({ base: 2, moves: [], groups: [], movesMin: 0, warnings: [] }),
    change: async () => {
      if (num === 4) {
        const detail = 'no such shard'
        throw new ShardglassError({ code: 'conflict', detail, outcome: 'not_applied' })
      }
      num += 1
      return { ...rig.cluster.config, num }
    },
  })
  const { csrf, cookie } = session
  const form = { csrf, op: 'move', gid: '2', shards: '0 2 4', base: '2' }
  await rig.post('/reconfigure/apply', form, { cookie })
  const entries = rig.dashboard.services.audit.newest(3).map(({ what, result }) => [what, result])
  assert.equal(entries, [
    ['move shard 4 to group 2', 'refused: no such shard'],
    ['move shard 2 to group 2', 'configuration 4'],
    ['move shard 0 to group 2', 'configuration 3'],
  ])
})

/** Two groups of one replica each, at a configuration, with what they hold. */
function viewOf(at: number, num: number, held: Readonly<Record<number, readonly HeldShard[]>>) {
  const { config } = simulated(2, 2)
  const nodes = Object.entries(held).map(([gid, shards]) => {
    const status = statusOf(Number(gid), 0, shards)
    const url = urlsOf(Number(gid))[0] ?? ''
    const machine = { ...status.machine, config: num }
    return { url, name: url, seenAt: at, error: null, status: { ...status, machine } }
  })
  const view: ClusterView = { version: at, at, config, configError: null, recent: [], nodes }
  return view
}

const leaving = (shard: number, config: number): HeldShard => {
  return { ...serving(shard), phase: 'leaving', config, peer: 2 }
}

test('a shard that moved on between two looks has arrived all the same', () => {
  const tracker = new HandoffTracker()
  const look = (view: ClusterView) => tracker.note(view, view)
  look(
    viewOf(1_000, 3, { 1: [leaving(0, 3)], 2: [{ ...leaving(0, 3), phase: 'awaited', peer: 1 }] }),
  )
  look(viewOf(2_000, 2, { 1: [], 2: [] }))
  assert.is(tracker.list()[0]?.phase, 'copying', 'the taker does not know of it yet')
  look(viewOf(3_000, 4, { 1: [], 2: [] }))
  assert.is(tracker.list()[0]?.phase, 'arrived')
})

test('a handoff of which nobody tells any more is forgotten', () => {
  const tracker = new HandoffTracker()
  const look = (view: ClusterView) => tracker.note(view, view)
  look(viewOf(1_000, 3, { 1: [leaving(0, 3)] }))
  look(viewOf(600_000, 3, { 1: [] }))
  assert.is(tracker.list().length, 1)
  look(viewOf(602_000, 3, { 1: [] }))
  assert.equal(tracker.list(), [])
})

test('handoffs are bounded also where many come at once', () => {
  const tracker = new HandoffTracker()
  const view = viewOf(1_000, 3, {
    1: Array.from({ length: 20_010 }, (_, shard) => leaving(shard, 3)),
  })
  tracker.note(view, view)
  assert.is(tracker.list().length, 20_000)
})

test.run()
