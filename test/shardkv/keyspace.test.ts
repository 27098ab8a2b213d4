import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ByteWriter, DecodeError } from '../../server/bytes.ts'
import {
  decodeVersioned,
  encodeVersioned,
  storedLength,
  storedValue,
} from '../../server/shardkv/keyspace.ts'

const test = suite('keyspace')

const VERSIONS = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 + 1, 2 ** 49, 2 ** 53 - 1]

test('a stored value is its version as ByteWriter has it, and then its bytes', () => {
  for (const version of VERSIONS) {
    for (const value of [Buffer.alloc(0), Buffer.from('v'), Buffer.alloc(5000, 'x')]) {
      const stored = encodeVersioned(version, value)
      assert.equal(Buffer.from(stored), new ByteWriter().uint(version).raw(value).done())
      const found = decodeVersioned(stored)
      assert.equal([found.version, storedLength(found)], [version, value.length])
      assert.equal(Buffer.from(storedValue(found)), value)
    }
  }
})

test('what has no whole version is refused', () => {
  for (const bytes of [[], [128], [255, 255], new Array(9).fill(200)]) {
    assert.throws(
      () => decodeVersioned(Buffer.from(bytes)),
      (error: unknown) => error instanceof DecodeError,
    )
  }
})

test.run()
