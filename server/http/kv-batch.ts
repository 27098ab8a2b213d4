// Many operations in one request. They run at once, spread over groups, except that those on one
// key keep their order; each has its own outcome. Operation i of `Idempotency-Key: c/N` is number
// N + i, so that the whole batch can be repeated.

import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import type { ByteString } from '../bytes.ts'
import {
  BATCH_REQUEST_BYTES_MAX,
  BATCH_REQUEST_OPS_MAX,
  KEY_BYTES_MAX,
  VALUE_BYTES_MAX,
} from '../limits.ts'
import type { RequestId } from '../session.ts'
import type { Condition, ShardkvRequest, Write } from '../shardkv/operation.ts'
import type { ShardkvReply } from '../shardkv/reply.ts'
import { keyProblem, roleProblem } from './auth.ts'
import { BATCH_ANSWER_BYTES_MAX, NUMBER_MAX } from './bounds.ts'
import { deadlineOf, isDirect, isProblem, readJson, sessionOf, traceParentOf } from './decode.ts'
import type { Answer } from './exchange.ts'
import { countRun, type KvRoutesOptions, replyProblem } from './kv-answer.ts'
import { BATCH_DOC } from './kv-docs.ts'
import { numberFor, TOO_MANY_WRITES } from './lanes.ts'
import { type Problem, problem, problemBody } from './problem.ts'
import { type Call, jsonAnswer, type Route } from './route.ts'

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

type BatchOp = z.output<typeof BATCH_SCHEMA>['ops'][number]
type Result = Readonly<Record<string, unknown>>

export function batchRoute(options: KvRoutesOptions): Route {
  return {
    method: 'POST',
    path: '/v1/batch',
    op: 'batch',
    // A batch of reads alone is a reader's right; the handler looks.
    role: 'reader',
    scope: 'key',
    mayChange: true,
    query: [],
    doc: BATCH_DOC,
    handle: call => handleBatch(options, call),
  }
}

async function handleBatch(options: KvRoutesOptions, call: Call): Promise<Answer | Problem> {
  const { exchange } = call
  const direct = isDirect(exchange)
  if (typeof direct !== 'boolean') return direct
  const deadlineMs = deadlineOf(exchange)
  if (typeof deadlineMs !== 'number') return deadlineMs
  const session = sessionOf(exchange)
  if (session !== null && isProblem(session)) return session
  const body = await readJson(exchange, BATCH_SCHEMA, BATCH_REQUEST_BYTES_MAX)
  if (isProblem(body)) return body
  const refusal = batchProblem(call, body.ops, session)
  if (refusal !== null) return refusal
  const terms = { isDirect: direct, deadlineAt: performance.now() + deadlineMs, session }
  const results = await new Batch(options, body.ops, terms).run()
  const traceParent = traceParentOf(exchange)
  return jsonAnswer({ results }, traceParent === null ? [] : ['traceparent', traceParent])
}

function batchProblem(
  call: Call,
  ops: readonly BatchOp[],
  session: RequestId | null,
): Problem | null {
  if (session !== null && session.number > NUMBER_MAX - ops.length) {
    return problem('bad-request', 'the request numbers of this batch would be too large')
  }
  if (call.grant === null) return null
  const needsWriter = ops.some(op => op.op !== 'get')
  const denied = needsWriter ? roleProblem(call.grant, 'writer') : null
  if (denied !== null) return denied
  for (const op of ops) {
    const foreign = keyProblem(call.grant, bytesOf(op.key))
    if (foreign !== null) return foreign
    if (!('value' in op)) continue
    if (bytesOfValue(op.value).length > VALUE_BYTES_MAX) {
      return problem('too-large', `a value exceeds ${VALUE_BYTES_MAX} bytes`)
    }
  }
  return null
}

type BatchTerms = {
  readonly isDirect: boolean
  readonly deadlineAt: number
  readonly session: RequestId | null
}

class Batch {
  private readonly options: KvRoutesOptions
  private readonly ops: readonly BatchOp[]
  private readonly terms: BatchTerms
  private readonly results: Result[]
  private valueBytes = 0

  constructor(options: KvRoutesOptions, ops: readonly BatchOp[], terms: BatchTerms) {
    this.options = options
    this.ops = ops
    this.terms = terms
    this.results = new Array<Result>(ops.length).fill({})
  }

  /** Results in the order of the operations. */
  async run(): Promise<readonly Result[]> {
    const byKey = new Map<string, number[]>()
    for (const [index, op] of this.ops.entries()) {
      const same = byKey.get(op.key)
      if (same === undefined) byKey.set(op.key, [index])
      else same.push(index)
    }
    await Promise.all([...byKey.values()].map(indexes => this.runInOrder(indexes)))
    return this.results
  }

  private async runInOrder(indexes: readonly number[]): Promise<void> {
    let isUncertain = false
    for (const index of indexes) {
      const op = this.ops[index]
      if (op === undefined) continue
      // What is uncertain may still happen, after all that would be done now: the order is lost.
      const result = isUncertain ? this.refused(AFTER_UNKNOWN, op) : await this.runOne(op, index)
      this.results[index] = result
      if (result.outcome === 'unknown') isUncertain = true
    }
  }

  private runOne(op: BatchOp, index: number): Promise<Result> {
    const { lanes, gateway } = this.options
    const { session, isDirect, deadlineAt } = this.terms
    const given = session === null ? null : { ...session, number: session.number + index }
    const numbered = op.op === 'get' ? null : numberFor(lanes, given)
    if (op.op !== 'get' && numbered === null) {
      return Promise.resolve(this.refused(TOO_MANY_WRITES, op))
    }
    const request = requestOf(op, numbered?.session ?? null)
    const deadlineMs = Math.max(1, deadlineAt - performance.now())
    return new Promise(resolve => {
      gateway.execute(request, { isDirect, deadlineMs }, (reply, isDefinite) => {
        if (numbered !== null && numbered.ticket !== null) lanes.end(numbered.ticket)
        resolve(this.resultOf({ op, request }, reply, isDefinite))
      })
    })
  }

  private resultOf(
    job: { readonly op: BatchOp; readonly request: ShardkvRequest },
    reply: ShardkvReply | null,
    isDefinite: boolean,
  ): Result {
    const { op, request } = job
    const { traffic } = this.options
    const place = this.options.describe(request.key)
    countRun(traffic, request, reply, place.shard)
    if (reply === null || reply.type !== 'ok') {
      const context = { request, place, traceParent: null, isDirect: this.terms.isDirect }
      return this.refused(replyProblem(reply, isDefinite, context), op)
    }
    if (op.op === 'get' && !this.hasRoomFor(reply.value)) return this.refused(ANSWER_TOO_LARGE, op)
    traffic.batchOp(op.op, undefined)
    const common = { version: reply.version, slot: reply.slot }
    switch (op.op) {
      case 'get':
        return { status: 200, ...common, ...shown(reply.value) }
      case 'puthash': {
        const value = this.hasRoomFor(reply.value) ? shown(reply.value) : { isValueOmitted: true }
        return { status: 200, outcome: 'applied', ...common, ...value }
      }
      default:
        return { status: 204, outcome: 'applied', ...common }
    }
  }

  private refused(found: Problem, op: BatchOp): Result {
    this.options.traffic.batchOp(op.op, found.code)
    return problemResult(found, op)
  }

  private hasRoomFor(value: Uint8Array): boolean {
    this.valueBytes += value.length
    return this.valueBytes <= BATCH_ANSWER_BYTES_MAX
  }
}

const ANSWER_TOO_LARGE = problem('too-large', 'the values of this batch exceed one answer')
const AFTER_UNKNOWN = problem(
  'timeout',
  'an operation before it on this key has no known outcome',
  {
    outcome: 'not_applied',
  },
)

function problemResult(found: Problem, op: BatchOp): Result {
  return problemBody(found, op.op !== 'get')
}

function requestOf(op: BatchOp, session: RequestId | null): ShardkvRequest {
  const name = bytesOf(op.key)
  if (op.op === 'get' || session === null) {
    return { type: 'get', key: name, consistency: 'linearizable' }
  }
  const condition = conditionFor(op)
  return { type: 'write', key: name, write: writeOf(op), condition, session }
}

function writeOf(op: Exclude<BatchOp, { op: 'get' }>): Write {
  if (op.op === 'delete') return { op: 'delete' }
  return { op: op.op === 'puthash' ? 'puthash' : 'put', value: bytesOfValue(op.value) }
}

function conditionFor(op: BatchOp): Condition {
  if (!('version' in op) || op.version === undefined) return { type: 'none' }
  return op.version === 0 ? { type: 'ifAbsent' } : { type: 'ifVersion', version: op.version }
}

function bytesOf(name: string): ByteString {
  return Buffer.from(name, 'utf8').toString('latin1')
}

function bytesOfValue(given: z.output<typeof value>): Buffer {
  return typeof given === 'string'
    ? Buffer.from(given, 'utf8')
    : Buffer.from(given.base64, 'base64')
}

/** As text where it is text, so that people can read it. */
function shown(bytes: Uint8Array): { readonly value: string | { readonly base64: string } } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(buffer)) return { value: buffer.toString('utf8') }
  return { value: { base64: buffer.toString('base64') } }
}
