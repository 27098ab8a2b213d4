import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SESSION_REPLIES_BYTES_MAX, SESSION_REPLIES_MAX } from '../../server/limits.ts'
import { lookUp, remember, retired, type Session } from '../../server/session.ts'
import { OpenSessions } from '../../server/shardkv/open-sessions.ts'
import type { Condition, Write, WriteRequest } from '../../server/shardkv/operation.ts'
import { ABSENT, type ShardState } from '../../server/shardkv/shard.ts'
import { replyOfRun, runWrite, type WriteResult } from '../../server/shardkv/write.ts'
import { TinyStore } from '../support/tiny-store.ts'

const test = suite('one write, at most once')

class Shard {
  readonly store = new TinyStore()
  readonly state: ShardState = { ...ABSENT, phase: 'serving' }
  slot = 0

  run(
    number: number,
    write: Write,
    condition: Condition = { type: 'none' },
    key = 'k',
  ): WriteResult {
    const session = { client: 'c', number, acked: 0 }
    return this.apply({ type: 'write', key, write, condition, session })
  }

  apply(request: WriteRequest): WriteResult {
    this.slot += 1
    const applied = { slot: this.slot, wallMs: 1000 }
    const results: WriteResult[] = []
    const sessions = new OpenSessions()
    this.store.transact(transaction => {
      results.push(runWrite(request, this.state, { shard: 0, applied, transaction, sessions }))
      sessions.write(transaction)
    })
    const [result] = results
    if (result === undefined) throw new Error('ran')
    return result
  }
}

const put = (text: string): Write => ({ op: 'put', value: Buffer.from(text) })
const puthash = (text: string): Write => ({ op: 'puthash', value: Buffer.from(text) })

test('puthash answers the previous value and stores the hash of both, as in the course', () => {
  const shard = new Shard()
  const first = shard.run(1, puthash('hello'))
  assert.ok(first.reply.type === 'ok' && first.reply.value.length === 0)
  const second = shard.run(2, puthash('x'))
  assert.ok(second.reply.type === 'ok')
  assert.is(Buffer.from(second.reply.value).toString(), '1335831723')
  const third = shard.run(3, puthash('y'))
  assert.ok(third.reply.type === 'ok')
  assert.is(Buffer.from(third.reply.value).toString(), '427180061')
})

test('the answer of a write that has run is known without the log, of no other', () => {
  const shard = new Shard()
  const session = { client: 'c', number: 1, acked: 0 }
  const request: WriteRequest = {
    type: 'write',
    key: 'k',
    write: puthash('a'),
    condition: { type: 'none' },
    session,
  }
  assert.is(replyOfRun(request, 0, shard.store), null)
  shard.apply(request)
  assert.equal(replyOfRun(request, 0, shard.store), shard.apply(request).reply)
  assert.is(replyOfRun({ ...request, session: { ...session, number: 2 } }, 0, shard.store), null)
  assert.is(replyOfRun({ ...request, write: puthash('b') }, 0, shard.store), null, 'a mismatch')
})

test('a repeated request gets the first answer and changes nothing (R1)', () => {
  const shard = new Shard()
  const first = shard.run(1, puthash('a'))
  const after = shard.store.dump()
  const again = shard.run(1, puthash('a'))
  assert.ok(again.reply.type === 'ok' && first.reply.type === 'ok')
  assert.equal(Buffer.from(again.reply.value), Buffer.from(first.reply.value))
  assert.is(again.reply.version, first.reply.version)
  assert.ok(again.isRepeated)
  assert.equal(shard.store.dump(), after)
})

test('the same number with other content is refused, without effect (R2)', () => {
  const shard = new Shard()
  shard.run(1, put('a'))
  const after = shard.store.dump()
  assert.is(shard.run(1, put('b')).reply.type, 'requestMismatch')
  assert.is(shard.run(1, put('a'), { type: 'none' }, 'other').reply.type, 'requestMismatch')
  assert.equal(shard.store.dump(), after)
})

test('requests of one client may arrive in another order (R4)', () => {
  const shard = new Shard()
  for (const number of [5, 3, 4]) assert.is(shard.run(number, put(`${number}`)).reply.type, 'ok')
  for (const number of [3, 4, 5]) assert.ok(shard.run(number, put(`${number}`)).isRepeated)
})

test('versions grow with each write, also over a delete', () => {
  const shard = new Shard()
  const versions = [put('a'), put('b'), { op: 'delete' } as const, put('c')].map((write, index) => {
    const { reply } = shard.run(index + 1, write)
    return reply.type === 'ok' ? reply.version : 0
  })
  assert.equal(versions, [1, 2, 3, 4])
})

test('conditions hold or the write has no effect; the refusal is kept for its repetition', () => {
  const shard = new Shard()
  const absent: Condition = { type: 'ifAbsent' }
  assert.is(shard.run(1, put('a'), { type: 'ifPresent' }).reply.type, 'conditionFailed')
  assert.is(shard.run(2, put('a'), absent).reply.type, 'ok')
  assert.is(shard.run(3, put('b'), absent).reply.type, 'conditionFailed')
  assert.is(shard.run(4, put('b'), { type: 'ifVersion', version: 9 }).reply.type, 'conditionFailed')
  assert.is(shard.run(5, put('b'), { type: 'ifVersion', version: 1 }).reply.type, 'ok')
  assert.is(shard.run(6, { op: 'delete' }).reply.type, 'ok')
  // Now the condition would hold: a late repetition must not succeed after a refusal was told.
  assert.is(shard.run(3, put('b'), absent).reply.type, 'conditionFailed')
  assert.is(shard.run(7, { op: 'delete' }).reply.type, 'noSuchKey')
})

test('keys and bytes are counted', () => {
  const shard = new Shard()
  shard.run(1, put('four'), { type: 'none' }, 'ab')
  shard.run(2, put('x'), { type: 'none' }, 'c')
  assert.equal([shard.state.keys, shard.state.bytes], [2, 8])
  shard.run(3, put('longer'), { type: 'none' }, 'c')
  shard.run(4, { op: 'delete' }, { type: 'none' }, 'ab')
  assert.equal([shard.state.keys, shard.state.bytes], [1, 7])
})

function session(numbers: readonly number[], size = 1): Session {
  let made: Session | null = null
  for (const number of numbers) {
    const reply = Buffer.alloc(size)
    const id = { client: 'c', number, acked: 0 }
    made = remember(made, { id, fingerprint: 7, reply, at: number })
  }
  if (made === null) throw new Error('no numbers')
  return made
}

test('an acknowledged reply is forgotten, and its request refused from then on', () => {
  const before = session([1, 2, 3])
  const id = { client: 'c', number: 4, acked: 2 }
  const after = remember(before, { id, fingerprint: 7, reply: Buffer.alloc(1), at: 4 })
  assert.equal(
    after.kept.map(kept => kept.number),
    [3, 4],
  )
  assert.is(lookUp(after, { client: 'c', number: 2, acked: 0 }, 7).type, 'expired')
  assert.is(lookUp(after, { client: 'c', number: 5, acked: 0 }, 7).type, 'new')
})

test('replies are bounded in number and bytes; the newest stays (R3, R7)', () => {
  const many = session(Array.from({ length: SESSION_REPLIES_MAX + 10 }, (_, index) => index + 1))
  assert.is(many.kept.length, SESSION_REPLIES_MAX)
  assert.is(many.acked, 10)
  const large = session([1, 2, 3], SESSION_REPLIES_BYTES_MAX)
  assert.equal(
    large.kept.map(kept => kept.number),
    [3],
  )
  assert.is(lookUp(large, { client: 'c', number: 2, acked: 0 }, 7).type, 'expired')
})

test('a retired session refuses what it may have run, and takes what is new', () => {
  const idle = retired(session([1, 2, 3]))
  assert.is(lookUp(idle, { client: 'c', number: 3, acked: 0 }, 7).type, 'expired')
  assert.is(lookUp(idle, { client: 'c', number: 4, acked: 0 }, 7).type, 'new')
})

test.run()
