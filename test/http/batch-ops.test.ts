// Nearly all batches are read by hand, the rest by the schema: what both can read, they read alike.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BATCH_SCHEMA, decodeBatchOps } from '../../server/http/batch-ops.ts'
import { decodeJson } from '../../server/http/decode.ts'
import { Random } from '../support/random.ts'

const test = suite('operations of a batch')

const KEYS: readonly unknown[] = ['a', 'a b', 'é', '\ud800', '', 7, null, 'k'.repeat(1024)]
const LONG: readonly unknown[] = ['k'.repeat(1025), 'é'.repeat(513), '\u{1f600}']
const VALUES: readonly unknown[] = [
  '',
  'v'.repeat(300),
  'ü\u{1f600}',
  '\udc00',
  7,
  null,
  [],
  {},
  { base64: 'AAEC' },
  { base64: '' },
  { base64: 'A' },
  { base64: 'AAE' },
  { base64: 'AAF=' },
  { base64: '_-8=' },
  { base64: 7 },
  { base64: 'AAEC', more: 1 },
]
const SOUND_VALUES = VALUES.filter((_, index) => [0, 1, 2, 8, 9].includes(index))
const OPS: readonly unknown[] = ['get', 'put', 'puthash', 'delete', 'cas', 'drop', 1, null]
const VERSIONS: readonly unknown[] = ['absent', 'absent', 'absent', 0, 1, -1, 1.5, '1']

/** Mostly sound: what is wrong is one thing in ten. */
function randomOp(random: Random): Record<string, unknown> {
  const odd = random.chance(0.1)
  const op = random.pick(odd ? OPS : OPS.slice(0, 4))
  const key = random.pick(odd ? [...KEYS, ...LONG] : KEYS.slice(0, 3))
  const made: Record<string, unknown> = { op, key }
  const needsValue = op !== 'get' && op !== 'delete'
  if (needsValue !== (odd && random.chance(0.3))) {
    made.value = random.pick(odd ? VALUES : SOUND_VALUES)
  }
  const version = random.pick(VERSIONS)
  if (odd && version !== 'absent') made.version = version
  if (odd && random.chance(0.2)) made.more = 'x'
  return made
}

/** As the schema alone has it: null for what it refuses. */
function bySchema(body: Buffer): readonly unknown[] | null {
  const found = decodeJson(body, BATCH_SCHEMA)
  if ('type' in found) return null
  return found.ops.map(op => {
    const said = 'value' in op ? op.value : null
    const bytes =
      typeof said === 'string' ? Buffer.from(said) : Buffer.from(said?.base64 ?? '', 'base64')
    const version = 'version' in op ? op.version : undefined
    return [op.op === 'cas' ? 'put' : op.op, Buffer.from(op.key), bytes, version]
  })
}

function byHand(body: Buffer): readonly unknown[] | null {
  const found = decodeBatchOps(body)
  if ('type' in found) return null
  return found.map(({ key, write, condition }) => {
    const bytes = write === null || write.op === 'delete' ? Buffer.alloc(0) : write.value
    const versions = { none: undefined, ifAbsent: 0, ifPresent: 'present' } as const
    const version = condition.type === 'ifVersion' ? condition.version : versions[condition.type]
    return [write?.op ?? 'get', Buffer.from(key, 'latin1'), bytes, version]
  })
}

test('reading by hand and by the schema give the same operations and refusals', () => {
  const random = new Random(1, 'batches')
  let taken = 0
  let refused = 0
  for (let round = 0; round < 4000; round++) {
    const ops = Array.from({ length: random.between(0, 4) }, () => randomOp(random))
    const body = Buffer.from(JSON.stringify(random.chance(0.02) ? { ops, more: 1 } : { ops }))
    const expected = bySchema(body)
    assert.equal(byHand(body), expected, body.toString())
    if (expected === null) refused += 1
    else taken += 1
  }
  assert.ok(taken > 1000 && refused > 500, `${taken} taken, ${refused} refused`)
})

test('a name that stands twice is seen wherever it stands', () => {
  for (const text of [
    '{"ops":[{"op":"get","key":"a"}],"ops":[{"op":"get","key":"a"}]}',
    '{"ops":[{"op":"get","key":"a","key":"a"}]}',
    '{"ops":[{"op":"put","key":"a","value":"1","value":"2"}]}',
    '{"ops":[{"op":"put","key":"a","value":{"base64":"AA==","base64":"AA=="}}]}',
    '{"ops":[{"op":"put","key":"a","value":"1","__proto__":"2","__proto__":"3"}]}',
  ]) {
    const found = decodeBatchOps(Buffer.from(text))
    assert.ok('type' in found && found.type === 'problem', text)
  }
})

test.run()
