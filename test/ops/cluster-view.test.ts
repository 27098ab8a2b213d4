import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  columns,
  haveAdopted,
  type NodeView,
  progressOf,
  statusTable,
} from '../../ops/cluster-view.ts'

const test = suite('cluster view')

function leader(gid: number, config: number | null, shards: readonly object[] = []): NodeView {
  const machine = { config, shards }
  const status = { kind: 'shardkv', gid, replica: 0, role: 'leader', isReady: true, machine }
  return { url: `http://n${gid}`, status, error: null }
}

const down: NodeView = { url: 'http://down', status: null, error: 'unreachable' }

test('a shard on its way counts once, although two groups tell of it', () => {
  const giver = leader(1, 5, [
    { shard: 3, phase: 'leaving', peer: 2 },
    { shard: 4, phase: 'serving', peer: 0 },
  ])
  const receiver = leader(2, 5, [
    { shard: 3, phase: 'awaited', peer: 1 },
    { shard: 9, phase: 'awaited', peer: 1 },
  ])
  assert.equal(progressOf([giver, receiver, down], [1, 2]), { config: 5, moving: 2 })
})

test('the slowest group tells how far the configuration is', () => {
  assert.equal(progressOf([leader(1, 5), leader(2, 4)], [1, 2]), { config: 4, moving: 0 })
})

test('nothing is said while a group has no leader, or has adopted nothing yet', () => {
  assert.is(progressOf([leader(1, 5), down], [1, 2]), null)
  assert.is(progressOf([leader(1, null)], [1]), null)
  const follower = { ...leader(1, 5), status: { ...leader(1, 5).status, role: 'follower' } }
  assert.is(progressOf([follower], [1]), null)
})

test('a configuration is adopted when every node says so', () => {
  assert.ok(haveAdopted([leader(1, 5), leader(2, 6)], 5))
  assert.not(haveAdopted([leader(1, 5), leader(2, 4)], 5))
  assert.not(haveAdopted([leader(1, 5), leader(2, null)], 0))
  assert.not(haveAdopted([leader(1, 5), down], 5))
})

test('data without any group to go to, and data being deleted, is not on its way', () => {
  const shards = [
    { shard: 1, phase: 'leaving', peer: 0 },
    { shard: 2, phase: 'releasing', peer: 2 },
  ]
  assert.equal(progressOf([leader(1, 7, shards)], [1]), { config: 7, moving: 0 })
})

test('tables have columns, and nodes that are down their reason', () => {
  assert.is(
    columns([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
    'a    bb\nccc  d',
  )
  const table = statusTable([leader(1, 5, [{ shard: 1 }]), down]).split('\n')
  assert.match(table[1] ?? '', /^http:\/\/n1 +1 +0 +leader +yes +- +- +5 +1$/)
  assert.match(table[2] ?? '', /^http:\/\/down .*unreachable +no/)
})

test.run()
