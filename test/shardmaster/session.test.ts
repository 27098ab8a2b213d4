// At most once (R1–R6 of the pitfalls), expiry by the log's time, and that the replicated state is
// all in the store and the same everywhere.

import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteWriter } from '../../server/bytes.ts'
import { MemoryStore } from '../../server/host/store-memory.ts'
import {
  INIT_RETRY_MS,
  SESSION_EXPIRY_INTERVAL_MS,
  SESSION_EXPIRY_STEP,
  SESSION_FORGET_MS,
  SESSION_IDLE_MS,
} from '../../server/limits.ts'
import {
  type Command,
  decodeCommand,
  decodeOutcome,
  encodeCommand,
  encodeOutcome,
} from '../../server/shardmaster/command.ts'
import type { Change } from '../../server/shardmaster/operation.ts'
import { previewExpiry, readSession } from '../../server/shardmaster/sessions.ts'
import { Random } from '../support/random.ts'
import { Group } from './group.ts'

const test = suite('shardmaster sessions')

const join = (gid: number): Change => ({ op: 'join', gid, servers: [`http://g${gid}`] })
const by = (client: string, number: number, acked = 0) => ({ session: { client, number, acked } })

test('a repeated change answers the configuration that it made, whatever came after', () => {
  const group = new Group({ replicas: 2 }).begin()
  const first = group.change(join(1), by('c', 1))
  group.change(join(2), by('d', 1))
  const lines = group.first.dump()
  assert.equal(group.change(join(1), by('c', 1)), first)
  assert.equal(group.first.dump(), lines, 'it changed nothing')
  group.leader = 1
  assert.equal(group.change(join(1), by('c', 1)), first, 'the next leader knows it too')
  group.replicas[1]!.restart()
  assert.equal(group.change(join(1), by('c', 1)), first, 'and after a restart')
  assert.is(first?.type === 'config' ? first.config.num : null, 1)
  assert.is(first?.type === 'config' ? first.isNew : null, true)
})

test('a repeated change that changed nothing still says so', () => {
  const group = new Group().begin()
  group.change(join(1), by('c', 1))
  const again = group.change(join(1), by('d', 1))
  assert.equal(again?.type === 'config' ? [again.config.num, again.isNew] : null, [1, false])
  group.change(join(2), by('e', 1))
  assert.equal(group.change(join(1), by('d', 1)), again)
})

test('a refusal that was told is the answer for ever: a late duplicate cannot succeed', () => {
  const group = new Group().begin()
  const leave: Change = { op: 'leave', gid: 1 }
  const refused = group.change(leave, by('c', 1))
  assert.is(refused?.type, 'refused')
  const failed = group.change(join(2), { ...by('c', 2), ifConfig: 1 })
  assert.equal(failed, { type: 'conditionFailed', latest: 0 })
  group.change(join(1), by('d', 1))
  assert.equal(group.change(leave, by('c', 1)), refused)
  assert.equal(group.change(join(2), { ...by('c', 2), ifConfig: 1 }), failed)
  assert.is(group.query().num, 1)
})

test('one number with other content is a mismatch and has no effect', () => {
  const group = new Group().begin()
  group.change(join(1), by('c', 1))
  const others: readonly Change[] = [
    join(2),
    { op: 'join', gid: 1, servers: ['http://other'] },
    { op: 'leave', gid: 1 },
    { op: 'move', gid: 1, shard: 1 },
  ]
  for (const change of others) {
    assert.equal(group.change(change, by('c', 1)), { type: 'requestMismatch' }, change.op)
  }
  const conditional = group.change(join(1), { ...by('c', 1), ifConfig: 0 })
  assert.equal(conditional, { type: 'requestMismatch' })
  assert.is(group.query().num, 1)
  const reworded = group.change(join(1), { ...by('c', 1), actor: 'bob', reason: 'again' })
  assert.is(reworded?.type, 'config', 'who asks and why is not the content')
  group.change({ op: 'move', shard: 0, gid: 1 }, by('m', 1))
  const shard = group.change({ op: 'move', shard: 1, gid: 1 }, by('m', 1))
  assert.equal(shard, { type: 'requestMismatch' })
})

test('numbers of one client may come in any order, until they are acknowledged', () => {
  const group = new Group().begin()
  assert.is(group.change(join(5), by('c', 5))?.type, 'config')
  assert.is(group.change(join(4), by('c', 4))?.type, 'config')
  assert.is(group.change(join(6), by('c', 6, 4))?.type, 'config')
  assert.is(group.change(join(5), by('c', 5))?.type, 'config')
  assert.equal(group.change(join(4), by('c', 4)), { type: 'sessionExpired' })
  assert.equal(group.change(join(3), by('c', 3)), { type: 'sessionExpired' })
  assert.is(group.query().num, 3)
})

test('an idle session gives up its replies, then is forgotten, by the time in the log', () => {
  const group = new Group({ replicas: 2 }).begin()
  group.change(join(1), by('idle', 1))
  const { store } = group.first
  const decided = () => group.log.length
  const atStart = decided()
  group.pass(SESSION_IDLE_MS)
  assert.is(decided(), atStart, 'while there is nothing to expire the log stays still')
  assert.is(readSession(store, 'idle')?.kept.length, 1)
  group.pass(SESSION_EXPIRY_INTERVAL_MS)
  assert.is(readSession(store, 'idle')?.kept.length, 0)
  assert.equal(group.change(join(1), by('idle', 1)), { type: 'sessionExpired' })
  assert.is(decided(), atStart + 2)
  group.pass(3 * SESSION_EXPIRY_INTERVAL_MS)
  assert.is(decided(), atStart + 2, 'it is retired once')
  const sleepsMicros = group.first.machine.wakeAt() - group.micros
  assert.ok(sleepsMicros > (SESSION_EXPIRY_INTERVAL_MS - 1_000) * 1_000, 'and then left alone')
  group.change(join(2), by('busy', 1))
  assert.is(group.first.machine.status().sessions, 2)
  skipTo(group, SESSION_FORGET_MS - SESSION_IDLE_MS + SESSION_EXPIRY_INTERVAL_MS)
  assert.is(readSession(store, 'idle'), null)
  assert.is(readSession(store, 'busy')?.kept.length, 0)
  assert.is(group.first.machine.status().sessions, 1)
  assert.equal(group.replicas[1]!.dump(), group.first.dump())
})

/** A long time without all its wake-ups. */
function skipTo(group: Group, ms: number): void {
  group.wallMs += ms
  group.micros += ms * 1000
  group.pass(2 * SESSION_EXPIRY_INTERVAL_MS)
}

test('a follower expires nothing, and a backward clock neither', () => {
  const group = new Group({ replicas: 2 }).begin()
  group.change(join(1), by('c', 1))
  group.leader = null
  for (const member of group.replicas) member.machine.onLeadership(member.context())
  skipTo(group, SESSION_FORGET_MS * 2)
  assert.is(group.log.length, 2)
  group.leader = 1
  group.wallMs -= SESSION_FORGET_MS * 4
  for (const member of group.replicas) member.machine.onLeadership(member.context())
  group.pass(2 * SESSION_EXPIRY_INTERVAL_MS)
  assert.is(group.log.length, 2)
})

test('expires any number of sessions in bounded steps, each once', () => {
  const group = new Group().begin()
  const clients = 2 * SESSION_EXPIRY_STEP + 1
  for (let index = 0; index < clients; index++) {
    group.first.submit({
      type: 'change',
      change: { op: 'leave', gid: 1 },
      actor: '',
      reason: '',
      ifConfig: null,
      ...by(`c${index}`, 1),
    })
  }
  group.settle()
  assert.is(group.first.machine.status().sessions, clients)
  const before = group.log.length
  group.wallMs += SESSION_FORGET_MS
  group.pass(SESSION_EXPIRY_INTERVAL_MS + 1_000)
  assert.is(group.log.length, before + 3)
  assert.is(group.first.machine.status().sessions, 0)
  group.pass(3 * SESSION_EXPIRY_INTERVAL_MS)
  assert.is(group.log.length, before + 3)
})

test('the steps of an expiry go from session to session and leave none out', () => {
  const group = new Group().begin()
  for (const client of ['a', 'a.b', 'ab', 'b']) group.change(join(1), by(client, 1))
  const seen: string[] = []
  let after = ''
  do {
    const step = { after, limit: 1, wallMs: group.wallMs + SESSION_IDLE_MS + 1 }
    const { next, isNeeded } = previewExpiry(group.first.store, step)
    assert.ok(isNeeded)
    seen.push(next)
    after = next
  } while (after !== '' && seen.length < 10)
  assert.equal(seen, ['a', 'a.b', 'ab', ''])
})

test('the same commands give byte-equal stores, whatever the options and restarts', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const group = new Group({ replicas: 3, shardCount: 16 }).begin()
    const random = new Random(seed, 'commands')
    const pick = (count: number) => random.word() % count
    for (let step = 0; step < 150; step++) {
      const gid = 1 + pick(12)
      const changes: readonly Change[] = [join(gid), { op: 'leave', gid }]
      const change = changes[pick(3)] ?? { op: 'move', shard: pick(16), gid }
      const ifConfig = pick(4) === 0 ? pick(20) : null
      group.change(change, { ...by(`c${pick(5)}`, 1 + pick(60)), ifConfig })
      if (pick(10) === 0) group.replicas[pick(3)]!.restart()
      if (pick(20) === 0) group.pass(SESSION_IDLE_MS / 2)
      group.replicas[1 + pick(2)]!.isCutOff = pick(2) === 0
    }
    for (const member of group.replicas) member.isCutOff = false
    group.settle()
    assert.ok(group.query().num > 10, `seed ${seed}`)
    const [first, ...others] = group.replicas
    for (const other of others) {
      assert.equal(other.dump(), first!.dump(), `seed ${seed}`)
      assert.equal(other.machine.status(), first!.machine.status(), `seed ${seed}`)
    }
  }
})

test('a replica that gets a snapshot is as the one that gave it, and tells those who wait', () => {
  const group = new Group({ replicas: 2 }).begin()
  const [giver, taker] = group.replicas
  taker!.isCutOff = true
  for (let gid = 1; gid <= 100; gid++) group.join(gid)
  for (let gid = 1; gid <= 50; gid++) group.leave(gid)
  const watch = taker!.submit({ type: 'watch', after: 2 })
  const replacement = taker!.store.beginReplacement()
  replacement.put([...giver!.store.range({ from: '', to: '\u00ff' })])
  replacement.commit()
  taker!.machine.load(taker!.store)
  taker!.applied = giver!.applied
  assert.is(taker!.machine.wakeAt(), 0)
  taker!.machine.onTick(taker!.context())
  const reply = taker!.replies.get(watch)
  assert.is(reply?.type === 'config' ? reply.config.num : null, 3)
  assert.equal(taker!.machine.status(), giver!.machine.status())
  taker!.isCutOff = false
  group.leader = 1
  group.join(1000)
  assert.equal(taker!.dump(), giver!.dump())
  assert.is(group.join(7)?.type, 'refused', 'gids used before the snapshot stay used')
  taker!.machine.load(new MemoryStore())
  assert.equal([taker!.machine.status().config, taker!.machine.status().sessions], [null, 0])
})

test('a proposal of configuration 0 stops once there is one', () => {
  const group = new Group().begin()
  group.pass(10 * INIT_RETRY_MS)
  assert.is(group.log.length, 1)
})

const commands = fc.oneof(
  fc.record({
    type: fc.constant('init' as const),
    shardCount: fc.integer({ min: 1, max: 1e6 }),
    partitioner: fc.constantFrom('hash' as const, 'first-byte' as const),
  }),
  fc.record({
    type: fc.constant('change' as const),
    change: fc.oneof<fc.Arbitrary<Change>[]>(
      fc.record({
        op: fc.constant('join' as const),
        gid: fc.nat(),
        servers: fc.array(fc.string({ unit: 'binary' })),
      }),
      fc.record({ op: fc.constant('leave' as const), gid: fc.nat() }),
      fc.record({ op: fc.constant('move' as const), shard: fc.nat(), gid: fc.nat() }),
    ),
    actor: fc.string({ unit: 'binary' }),
    reason: fc.string({ unit: 'grapheme' }),
    ifConfig: fc.option(fc.nat()),
    lastLeaveKeys: fc.option(fc.maxSafeNat().map(keys => Math.max(0, keys - 1))),
    session: fc.record({
      client: fc.stringMatching(/^[a-z0-9._-]{1,64}$/),
      number: fc.maxSafeNat(),
      acked: fc.maxSafeNat(),
    }),
  }),
  fc.record({
    type: fc.constant('expire' as const),
    after: fc.stringMatching(/^[a-z0-9._-]{0,64}$/),
    limit: fc.nat(),
    idleMs: fc.nat(),
    forgetMs: fc.maxSafeNat(),
  }),
)

test('a command is read from the log as it was written, and no part of it passes for one', () => {
  fc.assert(
    fc.property(commands, (command: Command) => {
      const bytes = encodeCommand(command)
      assert.equal(decodeCommand(bytes), JSON.parse(JSON.stringify(command)))
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeCommand(bytes.subarray(0, length)))
      }
      assert.throws(() => decodeCommand(Buffer.concat([bytes, Buffer.from([0])])), /trailing/)
    }),
    { numRuns: 100 },
  )
})

test('a command of a kind or shape that there is not stops the replica', () => {
  const head = () => new ByteWriter().u8(1).byteString('c').uint(1).uint(0).uint(0).uint(0)
  const bad: readonly Uint8Array[] = [
    Buffer.from([3]),
    Buffer.from([255, 0, 0]),
    new ByteWriter().u8(0).uint(5).text('modulo').done(),
    ...[
      null,
      [],
      { change: { op: 'join', gid: 1 }, actor: '', reason: '' },
      { change: { op: 'join', gid: 1, servers: [1] }, actor: '', reason: '' },
      { change: { op: 'leave', gid: -1 }, actor: '', reason: '' },
      { change: { op: 'leave', gid: 1.5 }, actor: '', reason: '' },
      { change: { op: 'leave', gid: '1' }, actor: '', reason: '' },
      { change: { op: 'drop', gid: 1 }, actor: '', reason: '' },
      { change: { op: 'leave', gid: 1 }, actor: 1, reason: '' },
      { change: { op: 'leave', gid: 1 }, actor: '' },
    ].map(json => head().json(json).done()),
  ]
  for (const bytes of bad) {
    assert.throws(
      () => decodeCommand(bytes),
      (error: Error) => error.name === 'DecodeError',
    )
  }
  const good = { change: { op: 'leave', gid: 1 }, actor: '', reason: '' }
  assert.is(decodeCommand(head().json(good).done()).type, 'change')
})

test('an outcome is read from a session as it was written', () => {
  for (const kind of ['unknown-group', 'conflict', 'bad-request'] as const) {
    const refused = { type: 'refused', kind, detail: 'wörter', latest: 7 } as const
    assert.equal(decodeOutcome(encodeOutcome(refused)), refused)
  }
  for (const isNew of [true, false]) {
    const config = { type: 'config', num: 300, isNew } as const
    assert.equal(decodeOutcome(encodeOutcome(config)), config)
  }
  const failed = { type: 'conditionFailed', latest: 9 } as const
  assert.equal(decodeOutcome(encodeOutcome(failed)), failed)
  assert.throws(() => decodeOutcome(Buffer.from([9, 0])), /outcome/)
  assert.throws(() => decodeOutcome(Buffer.from([1, 0, 9, 0])), /outcome/)
  assert.throws(() => decodeOutcome(Buffer.from([2, 0, 0])), /trailing/)
})

test.run()
