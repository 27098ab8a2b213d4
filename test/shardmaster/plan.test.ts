import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import type { Change } from '../../server/shardmaster/operation.ts'
import { planChange } from '../../server/shardmaster/plan.ts'

const test = suite('plan')

const servers = ['http://a:1']

/** Four shards at groups 1 and 2, each shard with 10 × (shard + 1) keys of 2 bytes. */
function even(more: Partial<Config> = {}): Config {
  const shards = [1, 1, 2, 2]
  const groups = { 1: servers, 2: ['http://b:1'] }
  return { ...initialConfig(4, 'hash'), num: 7, shards, holders: shards, groups, ...more }
}

function plan(latest: Config, change: Change, known = true, lastLeaveKeys: number | null = null) {
  const sizeOf = (shard: number) => {
    return known ? { shard, keys: 10 * (shard + 1), bytes: 20 * (shard + 1) } : null
  }
  return planChange(latest, change, { wasUsed: gid => gid <= 3, lastLeaveKeys, sizeOf })
}

test('of a leave names every move, its size and who must run on', () => {
  assert.equal(plan(even(), { op: 'leave', gid: 1 }), {
    base: 7,
    change: { op: 'leave', gid: 1 },
    shards: [2, 2, 2, 2],
    moves: [
      { shard: 0, from: 1, to: 2, keys: 10, bytes: 20 },
      { shard: 1, from: 1, to: 2, keys: 20, bytes: 40 },
    ],
    groups: [
      { gid: 1, before: 2, after: 0 },
      { gid: 2, before: 2, after: 4 },
    ],
    movesMin: 2,
    warnings: [
      'group 1 holds 30 keys: it must run on until its shards have moved',
      'moves 2 shards (30 keys, 60 bytes) from group 1 to group 2',
    ],
  })
})

function warnings(...given: Parameters<typeof plan>): readonly string[] {
  const result = plan(...given)
  return 'type' in result ? [`${result.kind}: ${result.detail}`] : result.warnings
}

test('warns in words of what an operator should know', () => {
  const alone = even({ shards: [1, 1, 1, 1], holders: [1, 1, 1, 1], groups: { 1: servers } })
  const none = even({ shards: [0, 0, 0, 0], holders: [1, 3, 3, 0], groups: {} })
  assert.equal(
    {
      join: warnings(even(), { op: 'join', gid: 4, servers }),
      joinUnknown: warnings(even(), { op: 'join', gid: 4, servers }, false),
      joinAgain: warnings(even(), { op: 'join', gid: 1, servers }),
      joinOfNone: warnings(none, { op: 'join', gid: 4, servers }),
      leaveUnknown: warnings(even(), { op: 'leave', gid: 1 }, false),
      leaveAgain: warnings(even(), { op: 'leave', gid: 3 }),
      lastLeave: warnings(alone, { op: 'leave', gid: 1 }),
      lastLeaveUnknown: warnings(alone, { op: 'leave', gid: 1 }, false),
      lastLeaveHolding: warnings(alone, { op: 'leave', gid: 1 }, true, 100),
      move: warnings(even(), { op: 'move', shard: 0, gid: 2 }),
      moveNothing: warnings(even(), { op: 'move', shard: 0, gid: 1 }),
    },
    {
      join: ['moves 1 shard (40 keys, 80 bytes) from group 2 to group 4'],
      joinUnknown: ['moves 1 shard (size not fully known) from group 2 to group 4'],
      joinAgain: ['nothing changes: group 1 is there already, with these servers'],
      joinOfNone: ['fetches 3 shards from groups that have left: 1, 3'],
      leaveUnknown: [
        'group 1 holds data of unknown size: it must run on until its shards have moved',
        'moves 2 shards (size not fully known) from group 1 to group 2',
      ],
      leaveAgain: ['nothing changes: group 3 has left already'],
      lastLeave: ['no group would be left: nothing can be read or written until one joins'],
      lastLeaveUnknown: [
        'no group would be left: nothing can be read or written until one joins',
        'group 1 may hold data: not all of its shards were reported',
      ],
      lastLeaveHolding: [
        'conflict: group 1 is the last one and holds 100 keys: let another group join first, ' +
          'or delete the keys; nothing could be read or written without a group',
      ],
      move: [
        'leaves the groups uneven (1 to 3 shards): the next join or leave evens them out ' +
          'and may move this shard again',
        'moves 1 shard (10 keys, 20 bytes) from group 1 to group 2',
      ],
      moveNothing: ['nothing changes: group 1 owns shard 0 already'],
    },
  )
})

test('of a move tells how many moves would even out what is uneven', () => {
  const uneven = even({ shards: [1, 2, 2, 2], holders: [1, 2, 2, 2] })
  const worse = plan(uneven, { op: 'move', shard: 0, gid: 2 })
  const heap = even({ shards: [2, 2, 2, 2], holders: [2, 2, 2, 2] })
  const better = plan(heap, { op: 'move', shard: 0, gid: 1 })
  const counts = [worse, better].map(result =>
    'type' in result ? result.detail : [result.moves.length, result.movesMin],
  )
  assert.equal(counts, [
    [1, 1],
    [1, 2],
  ])
  const repaired = plan(uneven, { op: 'move', shard: 1, gid: 1 })
  assert.equal('type' in repaired ? repaired.detail : repaired.warnings, [
    'moves 1 shard (20 keys, 40 bytes) from group 2 to group 1',
  ])
})

test.run()
