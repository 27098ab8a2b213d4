// The operations of a batch request, from its JSON. The schema says what is allowed and words the
// refusals; the operations that nearly all batches consist of are read by hand, since a schema costs
// as much per operation as all the rest of its way. Both must agree: test/http/batch-ops.test.ts.

import { z } from 'zod'
import type { ByteString } from '../bytes.ts'
import { BATCH_REQUEST_OPS_MAX, KEY_BYTES_MAX } from '../limits.ts'
import type { Condition, Write } from '../shardkv/operation.ts'
import { decodeShape, parseJson } from './decode.ts'
import type { Problem } from './problem.ts'
import type { BatchOpName } from './traffic.ts'

/** A lone surrogate has no UTF-8: two such keys would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u
const text = z.string().refine(value => !LONE_SURROGATE.test(value), 'is not valid Unicode')
const key = text
  .refine(value => value.length > 0, 'is empty')
  .refine(value => Buffer.byteLength(value) <= KEY_BYTES_MAX, `exceeds ${KEY_BYTES_MAX} bytes`)
const value = z.union([text, z.strictObject({ base64: z.base64() })])
const version = z.int().min(0)

export const BATCH_SCHEMA = z.strictObject({
  ops: z
    .array(
      z.discriminatedUnion('op', [
        z.strictObject({ op: z.literal('get'), key }),
        z.strictObject({ op: z.literal('put'), key, value, version: version.optional() }),
        z.strictObject({ op: z.literal('puthash'), key, value }),
        z.strictObject({ op: z.literal('delete'), key, version: version.min(1).optional() }),
        /** `version` 0: the key must be absent. */
        z.strictObject({ op: z.literal('cas'), key, value, version }),
      ]),
    )
    .min(1)
    .max(BATCH_REQUEST_OPS_MAX),
})

/** One operation of a batch; `write` is null for a read. */
export type BatchOp = {
  /** As the request has it. */
  readonly name: BatchOpName
  readonly key: ByteString
  readonly write: Write | null
  readonly condition: Condition
}

type Given = z.output<typeof BATCH_SCHEMA>['ops'][number]

const NO_CONDITION: Condition = { type: 'none' }

/** The operations of a request's body, or what is wrong with it. */
export function decodeBatchOps(body: Buffer): readonly BatchOp[] | Problem {
  const json = parseJson(body)
  if (json.type === 'problem') return json
  const plain = plainOps(json.value)
  if (plain !== null && plain.members === json.members) return plain.ops
  const found = decodeShape(json, BATCH_SCHEMA)
  return 'type' in found ? found : found.ops.map(toOp)
}

function toOp(given: Given): BatchOp {
  const { op: name } = given
  const place = Buffer.from(given.key, 'utf8').toString('latin1')
  if (name === 'get') return { name, key: place, write: null, condition: NO_CONDITION }
  return { name, key: place, write: writeOf(given), condition: conditionFor(given) }
}

function writeOf(given: Exclude<Given, { op: 'get' }>): Write {
  if (given.op === 'delete') return { op: 'delete' }
  const { value: said } = given
  const bytes =
    typeof said === 'string' ? Buffer.from(said, 'utf8') : Buffer.from(said.base64, 'base64')
  return { op: given.op === 'puthash' ? 'puthash' : 'put', value: bytes }
}

function conditionFor(given: Given): Condition {
  if (!('version' in given) || given.version === undefined) return NO_CONDITION
  return given.version === 0 ? { type: 'ifAbsent' } : { type: 'ifVersion', version: given.version }
}

type Plain = {
  readonly ops: readonly BatchOp[]
  /** Members of all objects in the JSON, as far as they are told apart by name. */
  readonly members: number
}

/** Reads, writes and deletes without a version; null when there is anything else in the request. */
function plainOps(request: unknown): Plain | null {
  if (!isObject(request) || membersOf(request) !== 1 || !Array.isArray(request.ops)) return null
  const given: readonly unknown[] = request.ops
  if (given.length === 0 || given.length > BATCH_REQUEST_OPS_MAX) return null
  const ops: BatchOp[] = []
  let members = 1
  for (const item of given) {
    if (!isObject(item)) return null
    const op = plainOp(item)
    if (op === null) return null
    ops.push(op)
    const count = op.write === null || op.write.op === 'delete' ? 2 : 3
    if (membersOf(item) !== count) return null
    members += count + (isObject(item.value) ? 1 : 0)
  }
  return { ops, members }
}

function plainOp(item: Readonly<Record<string, unknown>>): BatchOp | null {
  const place = plainKey(item.key)
  if (place === null) return null
  const { op: name } = item
  const common = { key: place, condition: NO_CONDITION }
  if (name === 'get') return { name, write: null, ...common }
  if (name === 'delete') return { name, write: { op: name }, ...common }
  if (name !== 'put' && name !== 'puthash') return null
  const bytes = plainValue(item.value)
  return bytes === null ? null : { name, write: { op: name, value: bytes }, ...common }
}

/** ASCII alone: then characters are bytes already. */
function plainKey(given: unknown): ByteString | null {
  if (typeof given !== 'string' || given.length === 0 || given.length > KEY_BYTES_MAX) return null
  return Buffer.byteLength(given) === given.length ? given : null
}

function plainValue(given: unknown): Buffer | null {
  if (typeof given === 'string') {
    const bytes = Buffer.from(given, 'utf8')
    return bytes.length === given.length || !LONE_SURROGATE.test(given) ? bytes : null
  }
  if (!isObject(given) || typeof given.base64 !== 'string' || membersOf(given) !== 1) return null
  const bytes = Buffer.from(given.base64, 'base64')
  return bytes.toString('base64') === given.base64 ? bytes : null
}

function membersOf(object: object): number {
  let count = 0
  for (const _ in object) count += 1
  return count
}

function isObject(found: unknown): found is Readonly<Record<string, unknown>> {
  return typeof found === 'object' && found !== null && !Array.isArray(found)
}
