import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ABSENT,
  type Change,
  change,
  changeOf,
  decodeShard,
  encodeShard,
  isReadyFor,
  PHASES,
  type ShardState,
} from '../../server/shardkv/shard.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'

/** Plain objects, as the code makes them. */
const rec = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true })

const test = suite('the states of a shard')

function config(num: number, owner: number, holder: number): Config {
  return { ...initialConfig(1, 'hash'), num, shards: [owner], holders: [holder] }
}

function stateIn(phase: ShardState['phase'], gid = 0): ShardState {
  return { ...ABSENT, phase, gid, config: 3, installed: 2, keys: 5, bytes: 50, version: 9 }
}

test('what a configuration means to group 1: the whole table', () => {
  const table: [owner: number, holder: number, next: number, means: Change][] = [
    [0, 0, 0, 'none'],
    [0, 0, 1, 'begin'],
    [0, 0, 2, 'none'],
    [1, 1, 1, 'none'],
    [1, 1, 2, 'leave'],
    [1, 1, 0, 'strand'],
    [2, 2, 1, 'await'],
    [2, 2, 3, 'none'],
    [2, 2, 0, 'none'],
    [0, 1, 1, 'resume'],
    [0, 1, 2, 'leave'],
    [0, 2, 1, 'await'],
    [0, 2, 2, 'none'],
  ]
  for (const [owner, holder, next, means] of table) {
    const before = config(3, owner, holder)
    const after = config(4, next, next === 0 ? holder : next)
    assert.is(changeOf(1, 0, before, after), means, `${owner}/${holder} -> ${next}`)
  }
})

test('a change waits until the shard is where it can start', () => {
  const ready: Record<Change, string[]> = {
    none: ['absent', 'awaited', 'serving', 'leaving 0', 'leaving 2', 'releasing'],
    begin: ['absent'],
    await: ['absent'],
    leave: ['serving', 'leaving 0'],
    strand: ['serving'],
    resume: ['leaving 0'],
  }
  const states = new Map([
    ...PHASES.filter(phase => phase !== 'leaving').map(p => [String(p), stateIn(p)] as const),
    ['leaving 0', stateIn('leaving', 0)] as const,
    ['leaving 2', stateIn('leaving', 2)] as const,
  ])
  for (const [kind, names] of Object.entries(ready)) {
    for (const [name, state] of states) {
      assert.is(isReadyFor(state, kind as Change), names.includes(name), `${kind} from ${name}`)
    }
  }
})

test('in no change do two groups serve the shard, and none forgets what it holds', () => {
  for (const before of [config(3, 1, 1), config(3, 2, 2), config(3, 0, 1), config(3, 0, 2)]) {
    for (const next of [0, 1, 2]) {
      const holder = before.holders[0] ?? 0
      const after = config(4, next, next === 0 ? holder : next)
      const phases = [1, 2].map(gid => {
        const owns = before.shards[0] === gid
        const holds = before.shards[0] === 0 && holder === gid
        const state = owns ? stateIn('serving') : holds ? stateIn('leaving', 0) : ABSENT
        const kind = changeOf(gid, 0, before, after)
        return change(state, kind, { config: 4, from: holder, to: next })
      })
      assert.ok(phases.filter(({ phase }) => phase === 'serving').length <= 1)
      assert.is(phases.filter(({ keys }) => keys === 5).length, 1)
    }
  }
})

test('a record comes back as it was written', () => {
  const uint = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
  const shard = rec({
    phase: fc.constantFrom(...PHASES),
    config: uint,
    gid: uint,
    cursor: fc.uint8Array({ maxLength: 50 }).map(b => Buffer.from(b).toString('latin1')),
    installed: uint,
    keys: uint,
    bytes: uint,
    version: uint,
  })
  fc.assert(fc.property(shard, one => assert.equal(decodeShard(encodeShard(one)), one)))
})

test.run()
