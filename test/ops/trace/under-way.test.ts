import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NodeView } from '../../../ops/cluster-view.ts'
import { movesUnderWay, underWayText } from '../../../ops/trace/under-way.ts'

const test = suite('moves under way')

function view(gid: number, role: string, shards: readonly object[]): NodeView {
  return { url: `http://${gid}`, error: null, status: { gid, role, machine: { shards } } }
}

const shard = (number: number, phase: string, peer: number) => {
  return { shard: number, phase, config: 5, peer, keys: 3, bytes: 2_048 }
}

test('each side says what it waits for; followers and shards that serve say nothing', () => {
  const moves = movesUnderWay([
    view(2, 'leader', [shard(17, 'awaited', 1), shard(3, 'serving', 0)]),
    view(1, 'leader', [shard(17, 'leaving', 2), shard(9, 'releasing', 3), shard(4, 'leaving', 0)]),
    view(1, 'follower', [shard(17, 'leaving', 2)]),
    { url: 'http://down', status: null, error: 'unreachable' },
    view(3, 'leader', ['odd' as never, { phase: 'awaited', shard: 1 }]),
    view(3, 'leader', [{ ...shard(1, 'leaving', 2), keys: 'many' }]),
  ])
  assert.is(
    underWayText(moves),
    `on its way now: shard 4, configuration 5: group 1 keeps it frozen (3 keys, 2.00 KB): no group owns it
on its way now: shard 9, configuration 5: group 1 deletes what it gave to group 3 (3 keys, 2.00 KB left)
on its way now: shard 17, configuration 5: group 1 has frozen it (3 keys, 2.00 KB) and waits until group 2 has it
on its way now: shard 17, configuration 5: group 2 waits for it from group 1 (has 3 keys, 2.00 KB of it)
`,
  )
  assert.is(underWayText([]), '')
})

test.run()
