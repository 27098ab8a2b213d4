import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_BALLOT } from '../../server/paxos/ballot.ts'
import { decodeBatch, encodeBatch } from '../../server/paxos/batch.ts'
import { decodeRecord, encodeRecord, type LogRecord } from '../../server/paxos/record.ts'
import { recover } from '../../server/paxos/recovery.ts'

/** Plain objects, as the code makes them. */
const rec = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true })

const test = suite('records and recovery')

const uint = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const incarnation = fc.stringMatching(/^[0-9a-f]{16}$/)
const ballot = rec({ round: uint, replica: fc.nat(100), incarnation })
const value = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes))
const member = rec({ replica: fc.nat(100), incarnation })
const record: fc.Arbitrary<LogRecord> = fc.oneof(
  rec({ type: fc.constant('promise' as const), ballot }),
  rec({
    type: fc.constant('accept' as const),
    slot: uint,
    ballot,
    value,
    decided: uint,
  }),
  rec({ type: fc.constant('learn' as const), slot: uint, value }),
  rec({ type: fc.constant('installed' as const), slot: uint }),
  rec({
    type: fc.constant('formed' as const),
    formation: rec({ id: incarnation, members: fc.array(member, { maxLength: 9 }) }),
  }),
)

test('every record comes back as it was written (P8)', () => {
  fc.assert(
    fc.property(record, one => {
      assert.equal(decodeRecord(encodeRecord(one)), one)
    }),
    { numRuns: 2000 },
  )
})

test('a record cut short, longer, or of an unknown kind is refused (S13)', () => {
  fc.assert(
    fc.property(record, fc.nat(), (one, cut) => {
      const bytes = encodeRecord(one)
      assert.throws(() => decodeRecord(bytes.subarray(0, cut % bytes.length)))
      assert.throws(() => decodeRecord(Buffer.concat([bytes, Buffer.from([0])])))
    }),
  )
  assert.throws(() => decodeRecord(Buffer.from([99, 1, 2])), /newer version/)
})

test('every batch comes back as it was written', () => {
  fc.assert(
    fc.property(uint, fc.array(value, { maxLength: 40 }), (wallMs, commands) => {
      assert.equal(decodeBatch(encodeBatch({ wallMs, commands })), { wallMs, commands })
    }),
  )
  assert.equal(decodeBatch(new Uint8Array(0)).commands, [])
})

const b = (round: number, replica = 0) => ({ round, replica, incarnation: 'a' })
const accept = (slot: number, round: number, decided = 0): LogRecord => ({
  type: 'accept',
  slot,
  ballot: b(round),
  value: Buffer.from(`${slot}@${round}`),
  decided,
})

test('recovery takes the highest promise, also from accepts', () => {
  const { promised } = recover([{ type: 'promise', ballot: b(3) }, accept(1, 5)], 0)
  assert.equal(promised, b(5))
  assert.equal(recover([], 0).promised, ZERO_BALLOT)
})

test('recovery keeps the last entry of each slot', () => {
  const { log } = recover([accept(1, 1), accept(1, 2)], 0)
  assert.equal(log.get(1), { ballot: b(2), value: Buffer.from('1@2') })
})

test('the watermark reaches no further than the entries do without a gap', () => {
  assert.is(recover([accept(1, 1), accept(2, 1, 1)], 0).log.decided, 1)
  assert.is(recover([accept(2, 1), accept(3, 1, 2)], 0).log.decided, 0)
  assert.is(recover([accept(2, 1), accept(3, 1, 2)], 1).log.decided, 2)
  assert.is(recover([{ type: 'learn', slot: 1, value: Buffer.from('x') }], 0).log.decided, 1)
})

test('entries that the store has applied stay for others, as far as they are whole', () => {
  const { log } = recover([accept(1, 1), accept(3, 1), accept(4, 1, 3), accept(5, 1, 4)], 4)
  assert.equal([log.first, log.decided, log.highest], [3, 4, 5])
})

test.run()
