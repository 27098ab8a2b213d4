// Many operations in one request. They run at once, spread over groups, except that those on one
// key keep their order; each has its own outcome. Operation i of `Idempotency-Key: c/N` is number
// N + i, so that the whole batch can be repeated.

import { isUtf8 } from 'node:buffer'
import { BATCH_REQUEST_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.ts'
import type { RequestId } from '../session.ts'
import type { ShardkvRequest } from '../shardkv/operation.ts'
import type { ShardkvReply } from '../shardkv/reply.ts'
import { keyProblem, roleProblem } from './auth.ts'
import { type BatchOp, decodeBatchOps } from './batch-ops.ts'
import { BATCH_ANSWER_BYTES_MAX, NUMBER_MAX } from './bounds.ts'
import {
  deadlineOf,
  isDirect,
  isProblem,
  readJsonBody,
  sessionOf,
  traceParentOf,
} from './decode.ts'
import type { Answer } from './exchange.ts'
import { countRun, type KvRoutesOptions, replyProblem } from './kv-answer.ts'
import { BATCH_DOC } from './kv-docs.ts'
import { traceBatch } from './kv-trace.ts'
import { numberFor, TOO_MANY_WRITES } from './lanes.ts'
import { type Problem, problem, problemBody, statusOf } from './problem.ts'
import { type Call, type Route, textAnswer } from './route.ts'

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
  const ops = await readJsonBody(exchange, BATCH_REQUEST_BYTES_MAX, decodeBatchOps)
  if (isProblem(ops)) return ops
  const refusal = batchProblem(call, ops, session)
  if (refusal !== null) return refusal
  const terms = { isDirect: direct, deadlineAt: performance.now() + deadlineMs, session }
  const startedAt = options.trace?.now() ?? 0
  const { results, isFailed } = await resultsOf(options, ops, terms)
  const traceParent = traceBatch(options.trace, startedAt, traceParentOf(exchange), isFailed)
  const headers = traceParent === null ? [] : ['traceparent', traceParent]
  return textAnswer(`{"results":[${results.join()}]}`, headers)
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
  const needsWriter = ops.some(op => op.write !== null)
  const denied = needsWriter ? roleProblem(call.grant, 'writer') : null
  if (denied !== null) return denied
  for (const { key, write } of ops) {
    const foreign = keyProblem(call.grant, key)
    if (foreign !== null) return foreign
    if (write === null || write.op === 'delete' || write.value.length <= VALUE_BYTES_MAX) continue
    return problem('too-large', `a value exceeds ${VALUE_BYTES_MAX} bytes`)
  }
  return null
}

type BatchTerms = {
  readonly isDirect: boolean
  readonly deadlineAt: number
  readonly session: RequestId | null
}

function resultsOf(
  options: KvRoutesOptions,
  ops: readonly BatchOp[],
  terms: BatchTerms,
): Promise<BatchResults> {
  return new Promise((resolve, reject) => new Batch(options, ops, terms, { resolve, reject }).run())
}

type BatchResults = {
  /** As JSON, in the order of the operations. */
  readonly results: readonly string[]
  /** The system did not do one of them that it owed: a problem of the 500s. */
  readonly isFailed: boolean
}

type Settle = {
  resolve(found: BatchResults): void
  reject(error: unknown): void
}

/** Where no further operation is on the same key. */
const NONE = -1

class Batch {
  private readonly options: KvRoutesOptions
  private readonly ops: readonly BatchOp[]
  private readonly terms: BatchTerms
  private readonly settle: Settle
  /** Results as JSON, in the order of the operations. */
  readonly results: string[]
  /** Operation → the next one on its key. */
  private readonly next: Int16Array
  private left: number
  isFailed = false
  private valueBytes = 0

  constructor(
    options: KvRoutesOptions,
    ops: readonly BatchOp[],
    terms: BatchTerms,
    settle: Settle,
  ) {
    this.options = options
    this.ops = ops
    this.terms = terms
    this.settle = settle
    this.results = new Array<string>(ops.length).fill('')
    this.next = new Int16Array(ops.length).fill(NONE)
    this.left = ops.length
  }

  run(): void {
    for (const index of this.firstOfEachKey()) this.start(index)
  }

  private firstOfEachKey(): readonly number[] {
    const firsts: number[] = []
    const last = new Map<string, number>()
    for (const [index, { key }] of this.ops.entries()) {
      const before = last.get(key)
      if (before === undefined) firsts.push(index)
      else this.next[before] = index
      last.set(key, index)
    }
    return firsts
  }

  private start(index: number): void {
    const op = this.ops[index]
    if (op === undefined) return
    const { lanes, gateway } = this.options
    const { session, isDirect, deadlineAt } = this.terms
    const given = session === null ? null : { ...session, number: session.number + index }
    const numbered = op.write === null ? null : numberFor(lanes, given)
    if (op.write !== null && numbered === null) {
      return this.end(index, TOO_MANY_WRITES)
    }
    const request = requestOf(op, numbered?.session ?? null)
    const deadlineMs = Math.max(1, deadlineAt - performance.now())
    gateway.execute(request, { isDirect, deadlineMs }, (reply, isDefinite) => {
      if (numbered !== null && numbered.ticket !== null) lanes.end(numbered.ticket)
      try {
        this.end(index, this.resultOf({ op, request }, reply, isDefinite))
      } catch (error) {
        this.settle.reject(error)
      }
    })
  }

  private end(index: number, result: string | Problem): void {
    const op = this.ops[index]
    if (op === undefined) return
    const mayChange = op.write !== null
    const isProblem = typeof result !== 'string'
    this.options.traffic.batchOp(op.name, isProblem ? result.code : undefined)
    this.results[index] = isProblem ? JSON.stringify(problemBody(result, mayChange)) : result
    if (isProblem && statusOf(result) >= 500) this.isFailed = true
    this.left -= 1
    const next = this.next[index] ?? NONE
    // What is uncertain may still happen, after all that would be done now: the order is lost.
    const isUncertain = isProblem && mayChange && isUnknown(result)
    if (next !== NONE && isUncertain) this.end(next, AFTER_UNKNOWN)
    else if (next !== NONE) this.start(next)
    else if (this.left === 0) this.settle.resolve(this)
  }

  private resultOf(
    job: { readonly op: BatchOp; readonly request: ShardkvRequest },
    reply: ShardkvReply | null,
    isDefinite: boolean,
  ): string | Problem {
    const { op, request } = job
    const place = this.options.describe(request.key)
    countRun(this.options.traffic, request, reply, place.shard)
    if (reply === null || reply.type !== 'ok') {
      const context = { request, place, traceParent: null, isDirect: this.terms.isDirect }
      return replyProblem(reply, isDefinite, context)
    }
    const { version, slot } = reply
    const known = `"version":${version},"slot":${slot}`
    if (op.write === null) {
      if (!this.hasRoomFor(reply.value)) return ANSWER_TOO_LARGE
      return `{"status":200,${known},"value":${shown(reply.value)}}`
    }
    if (op.write.op !== 'puthash') return `{"status":204,"outcome":"applied",${known}}`
    const value = this.hasRoomFor(reply.value)
      ? `"value":${shown(reply.value)}`
      : '"isValueOmitted":true'
    return `{"status":200,"outcome":"applied",${known},${value}}`
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

function isUnknown(found: Problem): boolean {
  return found.outcome === 'unknown' || found === AFTER_UNKNOWN
}

function requestOf(op: BatchOp, session: RequestId | null): ShardkvRequest {
  const { key, write, condition } = op
  if (write === null || session === null) return { type: 'get', key, consistency: 'linearizable' }
  return { type: 'write', key, write, condition, session }
}

/** JSON of a value: as text where it is text, so that people can read it. */
function shown(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(buffer)) return JSON.stringify(buffer.toString('utf8'))
  return `{"base64":"${buffer.toString('base64')}"}`
}
