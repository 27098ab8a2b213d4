// The log, the store and snapshots together: what a restart or a transfer must not lose or mix up.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteWriter, fnv1a, fnv1aBytes } from '../../server/bytes.ts'
import { FETCH_TIMEOUT_MS } from '../../server/limits.ts'
import type { MachineContext } from '../../server/machine.ts'
import { createShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { readApplied } from '../../server/store-meta.ts'
import { DirectedGroup, elect, type OnWire, ofType } from '../support/directed-group.ts'
import { DirectedShards } from '../support/directed-shards.ts'
import { systemError, WalDisk } from '../support/wal-disk.ts'
import { own, runWal, until } from '../support/wal-run.ts'

const test = suite('pitfalls of logs and snapshots')

/** What a state machine sees on a replica that does not lead. */
const FOLLOWER: Omit<MachineContext<ShardkvReply>, 'store' | 'reply'> = {
  now: { micros: 0, wallMs: 0 },
  self: { gid: 1, replica: 1 },
  isLeader: false,
  leader: 0,
  leaderSilentMicros: 0,
  propose: () => 'notLeader',
  read: () => 'notLeader',
  send: () => undefined,
  event: () => undefined,
}

/** Replica 2 was away for so long that the others have forgotten the slots that it lacks. */
function behind(snapshotChunkBytes: number): DirectedGroup {
  const group = new DirectedGroup(3, { retainedBytes: 1000, snapshotChunkBytes })
  group.campaign(0)
  group.settle([0, 1])
  for (let count = 0; count < 50; count++) {
    group.request(0, 'x')
    group.settle([0, 1])
  }
  group.pass(200, [0, 1])
  return group
}

/** Time passes until replica 2 is sent a chunk, which is taken off the wire. */
function nextChunk(group: DirectedGroup, ms = 2_000): OnWire {
  for (let passed = 0; passed < ms; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    for (const replica of group.lives.keys()) group.step(replica, { type: 'tick' })
    for (let moved = 1; moved > 0; ) {
      for (const replica of group.lives.keys()) group.sync(replica)
      const [chunk] = group.drop(ofType('snapshotChunk'))
      if (chunk !== undefined) return chunk
      moved = group.deliver(() => true).length
    }
  }
  throw new Error('no chunk comes')
}

function isCaughtUp(group: DirectedGroup): void {
  group.pass(2_000)
  assert.is(group.status(2).slots.applied, group.status(0).slots.applied)
  assert.is(group.life(2).machine.log, group.life(0).machine.log)
}

test('S9: the log is not cut before the store is durable, however much of it is applied', () => {
  const group = behind(1_000)
  assert.is(group.step(0, { type: 'tick' }).trimBelow, 1, 'the log begins with slot 1')
  assert.is(group.step(0, { type: 'flushed', slot: 20 }).trimBelow, 21)
  assert.is(group.step(0, { type: 'tick' }).trimBelow, 21)
})

test('S9: the applied slot stands in the store with what was applied, at every slot', () => {
  const world = new DirectedShards(1)
  world.configure(1, 1, 1, 1)
  for (let count = 0; count < 10; count++) {
    world.settle()
    const { slots } = world.life(1).core.status({ micros: world.micros, wallMs: 0 })
    assert.is(readApplied(world.life(1).store), slots.applied)
    world.puthash(1, 'd', 'x')
  }
})

test('S9: a store that is durable up to any slot, with the log behind it, gives the same state', () => {
  for (let flushedAt = 0; flushedAt < 10; flushedAt++) {
    const world = new DirectedShards(1)
    world.configure(1, 1, 1, 1)
    world.settle()
    for (let count = 0; count < 10; count++) {
      world.puthash(1, 'd', `${count}`)
      world.settle()
      if (count === flushedAt) world.flush(1)
    }
    const before = world.read(1, 'd')
    world.restart(1)
    assert.is(world.read(1, 'd'), before, `flushed at ${flushedAt}`)
  }
})

test('S9: a read tells the slot that it saw, also right after a start', () => {
  const world = new DirectedShards(1)
  world.configure(1, 1, 1, 1)
  world.settle()
  world.put(1, 'd', 'x')
  world.settle()
  const { core, store } = world.life(1)
  const { applied } = core.status({ micros: world.micros, wallMs: 0 }).slots
  const machine = createShardkvMachine({ gid: 1, shardmasters: 3 })
  machine.load(store)
  const replies: unknown[] = []
  const context = { ...FOLLOWER, store, reply: (_: number, reply: unknown) => replies.push(reply) }
  machine.onRequest(1, { type: 'get', key: 'd', consistency: 'stale' }, context)
  const read = { type: 'ok', version: 1, value: Buffer.from('x'), slot: applied, staleMicros: 0 }
  assert.equal(JSON.stringify(replies), JSON.stringify([read]))
})

test('P9: a voter does not promise to who lacks slots that it has forgotten', () => {
  const group = behind(1_000)
  for (const life of group.lives) life.micros += 500_000
  const from = { gid: 1, replica: 2, incarnation: 'a2' }
  const ballot = { round: 9, replica: 2, incarnation: 'a2' }
  group.inject({ from, to: 1, message: { type: 'prepare', ballot, from: 1 } })
  group.sync(1)
  const said = group.drop(({ to }) => to === 2).map(({ message }) => message)
  assert.equal(
    said.map(({ type }) => type),
    ['reject'],
  )
  assert.ok(said[0]?.type === 'reject' && said[0].reason === 'behind')
  assert.is(group.status(1).ballot, '1.0')
})

test('P8: a value that was learned outlives a restart, over one that was accepted before', () => {
  const group = new DirectedGroup(3)
  group.campaign(0)
  group.settle()
  // Replica 1 alone has x, under the first ballot.
  group.request(0, 'x')
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  group.drop(() => true)
  group.restart(0)
  elect(group, 2, [0])
  group.request(2, 'y')
  group.settle([0, 2])
  group.pass(500)
  assert.is(group.life(1).machine.log, 'y', 'it has learned what was decided there')
  // The record of a later accept says that everything before it is decided.
  group.request(2, 'z')
  group.settle()
  group.restart(1)
  assert.is(group.life(1).machine.log, 'y')
})

test('S10: a snapshot that comes when the log has got there on its own is no step back', () => {
  const group = behind(10_000)
  const chunk = nextChunk(group)
  assert.ok(chunk.message.type === 'snapshotChunk' && chunk.message.isLast)
  const entries = group
    .life(0)
    .records.flatMap(one => (one.type === 'accept' ? [{ slot: one.slot, value: one.value }] : []))
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const decided = entries.length
  group.inject({ from, to: 2, message: { type: 'entries', from: 1, entries, first: 1, decided } })
  const { applied } = group.status(2).slots
  assert.ok(applied >= chunk.message.slot)
  group.inject(chunk)
  assert.is(group.status(2).slots.applied, applied)
  isCaughtUp(group)
})

test('S10: what the state machine holds in memory follows a snapshot', () => {
  const group = behind(10_000)
  group.inject(nextChunk(group))
  assert.is(group.life(2).machine.log, 'x'.repeat(50))
  isCaughtUp(group)
})

test('S10: an older snapshot, or the same one again, changes nothing', () => {
  const group = behind(10_000)
  const chunk = nextChunk(group)
  group.inject(chunk)
  for (let count = 0; count < 5; count++) {
    group.request(0, 'y')
    group.settle()
  }
  isCaughtUp(group)
  const { slots } = group.status(2)
  group.inject(chunk)
  assert.equal(group.status(2).slots, slots)
  isCaughtUp(group)
})

test('S10: an accepted value above a snapshot is kept', () => {
  const group = behind(10_000)
  const chunk = nextChunk(group)
  const id = group.request(0, 'y')
  group.deliver(item => item.to === 2 && ofType('accept')(item))
  group.inject(chunk)
  group.sync(2)
  group.sync(0)
  group.deliver(item => item.from.replica === 2 && ofType('accepted')(item))
  assert.is(group.replies.get(id)?.type, 'ok', 'decided by 0 and 2')
  // Replica 0 is gone: 2 must still have it.
  group.drop(() => true)
  group.pass(30_000, [1, 2])
  assert.is(group.life(1).machine.log, `${'x'.repeat(50)}y`)
})

test('S10: whose request a snapshot overtakes is told that its outcome is not known', () => {
  const group = new DirectedGroup(3, { pipelineSlots: 1, batchOps: 1 })
  group.campaign(0)
  group.settle()
  const [first, second] = [group.request(0, 'x'), group.request(0, 'y')]
  group.deliver(item => item.to === 1 && ofType('accept')(item))
  group.sync(1)
  const [vote] = group.drop(ofType('accepted'))
  assert.ok(vote)
  group.sync(0)
  // Others are far ahead, it hears, and their logs begin where its own ends.
  const from = { gid: 1, replica: 1, incarnation: 'a1' }
  const ballot = { round: 9, replica: 1, incarnation: 'a1' }
  group.inject({ from, to: 0, message: { type: 'preVote', ballot, decided: 200 } })
  group.life(0).micros += 50_000
  group.step(0, { type: 'tick' })
  const [fetch] = group.drop(ofType('fetch'))
  assert.ok(fetch?.message.type === 'fetch' && fetch.to === 1)
  const asked = { type: 'entries' as const, from: fetch.message.from, entries: [] }
  group.inject({ from, to: 0, message: { ...asked, first: 150, decided: 200 } })
  assert.is(group.drop(ofType('snapshotFetch')).length, 1)
  // The vote decides, and the snapshot is there before the step that would apply it.
  const entries = [['!applied', new ByteWriter(8).uint(200).done()] as const]
  const checksum = fnv1aBytes(entries[0]![1], fnv1a('!applied'))
  const chunk = {
    type: 'snapshotChunk' as const,
    slot: 200,
    after: '',
    entries,
    isLast: true,
    checksum,
  }
  const { core, micros } = group.life(0)
  const replies = [vote.message, chunk].flatMap(message => {
    const now = { micros, wallMs: 1 }
    return core.step(now, [{ type: 'message', from, message }]).replies
  })
  assert.equal(replies.map(({ id, reply }) => [id, (reply as { type: string }).type]).sort(), [
    [first, 'unknown'],
    [second, 'unknown'],
  ])
})

test('S11: a lost chunk is asked for again, and the transfer goes on from there', () => {
  const group = behind(1)
  const first = nextChunk(group)
  assert.ok(first.message.type === 'snapshotChunk' && !first.message.isLast)
  group.inject(first)
  const lost = nextChunk(group)
  assert.ok(lost.message.type === 'snapshotChunk' && lost.message.after !== '')
  const again = nextChunk(group, FETCH_TIMEOUT_MS + 100)
  assert.ok(again.message.type === 'snapshotChunk')
  assert.is(again.message.after, lost.message.after)
  group.inject(again)
  isCaughtUp(group)
})

test('S11: a chunk that was damaged on its way, or that others are missing before, is not taken', () => {
  const group = behind(1)
  const first = nextChunk(group)
  assert.ok(first.message.type === 'snapshotChunk')
  const entries = first.message.entries.map(([key]) => [key, Buffer.from('damaged')] as const)
  group.inject({ ...first, message: { ...first.message, entries, isLast: true } })
  assert.is(group.status(2).slots.applied, 0)
  group.inject(first)
  const last = nextChunk(group)
  assert.ok(last.message.type === 'snapshotChunk')
  const empty = { ...last.message, entries: [], isLast: true, checksum: 0x811c9dc5 }
  group.inject({ ...last, message: { ...empty, after: 'text' } })
  assert.is(group.status(2).slots.applied, 0)
  group.inject(last)
  isCaughtUp(group)
})

test('G5: without a free file handle the log waits, and what is asked of it is done in the end', async () => {
  const disk = new WalDisk()
  const run = await runWal(disk, { segmentBytes: 256 })
  let isOut = true
  disk.onOperation = operation => {
    if (isOut && operation === 'create') throw systemError('EMFILE')
    return undefined
  }
  for (let count = 0; count < 5; count++) run.wal.append(Buffer.alloc(100, 'x'), count)
  run.wal.flush()
  await until(() => run.wal.stats().isFull)
  assert.ok(run.durable() < 5)
  isOut = false
  await until(() => run.durable() === 5)
  assert.equal(run.failures, [])
  await run.wal.close()
})

/** Some writes with rotation and trimming; the `failing`-th operation on the disk fails for good. */
async function runFailing(failing: number): Promise<{ disk: WalDisk; isAllDone: boolean }> {
  const disk = new WalDisk()
  let count = 0
  disk.onOperation = () => {
    count += 1
    if (count === failing) throw systemError('EIO')
    return undefined
  }
  const said: number[] = []
  const onDurable = (upTo: number) => said.push(upTo)
  const run = await runWal(disk, { onDurable }).catch(error => {
    assert.is(error.code, 'EIO')
    return null
  })
  for (let slot = 1; run !== null && slot <= 20 && run.failures.length === 0; slot++) {
    run.wal.append(Buffer.from(`${slot}`.padEnd(80, '-')), slot)
    run.wal.flush()
    await until(() => (said.at(-1) ?? 0) >= slot || run.failures.length > 0)
    run.wal.trimBelow(slot - 5)
  }
  const isStopped = run === null || run.failures.length === 1
  await run?.wal.close()
  assert.ok(isStopped || run?.failures.length === 1 || count < failing, `operation ${failing}`)
  disk.onOperation = () => undefined
  const again = await runWal(disk.clone())
  await again.wal.close()
  const last = Number.parseInt(own(again.recovered).at(-1) ?? '0', 10)
  assert.ok(last >= (said.at(-1) ?? 0), `operation ${failing}: ${last} of ${said.at(-1)}`)
  return { disk, isAllDone: count < failing }
}

test('G10: whichever operation on the disk fails, the log stops, and has lost nothing', async () => {
  for (let failing = 1; ; failing++) {
    const { isAllDone } = await runFailing(failing)
    if (isAllDone) {
      assert.ok(failing > 60, `${failing} operations`)
      return
    }
  }
})

test.run()
