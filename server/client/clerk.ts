// The client library: operations on keys of the whole cluster. It finds the owning group by itself,
// keeps one request number over all attempts of a call, so a repeated write happens once, and tells
// on failure whether the call may still take effect.

import { REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { ConfigView } from './config-decode.ts'
import { Connections } from './connections.ts'
import { ShardglassError } from './error.ts'
import { type NodeAnswer, NodeQueue, type Pending } from './node-queue.ts'
import { Numbering } from './numbering.ts'
import { keyBytes, type Operation, type Result, type WriteCondition } from './operation.ts'
import { errorOf } from './problem.ts'
import { type Attempt, type CallOptions, untilDone } from './retry.ts'
import { AnyNode, type Route, Router, type Target } from './router.ts'
import { failure, ShardmasterClient } from './shardmaster-client.ts'

export type { ConfigView, PlanView } from './config-decode.ts'
export { type Outcome, ShardglassError } from './error.ts'
export type { Operation, Result, WriteCondition } from './operation.ts'
export type { CallOptions } from './retry.ts'
export {
  type ChangeOptions,
  ShardmasterClient,
  type ShardmasterClientOptions,
} from './shardmaster-client.ts'

export type ClerkOptions = {
  /** Base URLs of the shardmasters, all or some. */
  readonly shardmasters?: readonly string[]
  /** Without shardmasters: base URLs of any nodes, which pass requests on by themselves. */
  readonly endpoints?: readonly string[]
  readonly token: string
  /** Default for calls without one of their own, in ms. */
  readonly timeoutMs?: number
  /** One attempt at one node, in ms. */
  readonly attemptTimeoutMs?: number
  /** W3C traceparent: all that this Clerk asks for belongs to that trace. */
  readonly traceParent?: string
}

export type Entry = { readonly value: Buffer; readonly version: number }
export type WriteOptions = CallOptions & { readonly condition?: WriteCondition }
export type ReadOptions = CallOptions & { readonly consistency?: 'linearizable' | 'stale' }

export type BatchResult = Result | { readonly type: 'failed'; readonly error: ShardglassError }

/** Longer than a healthy answer by far, shorter than a user's patience with a dead leader. */
const ATTEMPT_TIMEOUT_MS = 2_000
const RETRIED = new Set([408, 421, 429, 500, 502, 503, 504])

export class Clerk {
  private readonly options: ClerkOptions
  private readonly connections = new Connections({ perNode: 8 })
  private readonly numbering = new Numbering()
  private readonly shardmasters: ShardmasterClient | null
  private readonly route: Route
  private readonly router: Router | null
  /** base URL → what is under way there. */
  private readonly nodes = new Map<string, NodeQueue>()

  constructor(options: ClerkOptions) {
    this.options = options
    const { shardmasters, endpoints = [] } = options
    this.shardmasters =
      shardmasters === undefined ? null : new ShardmasterClient({ ...options, shardmasters })
    this.router = this.shardmasters === null ? null : new Router(this.shardmasters)
    this.route = this.router ?? new AnyNode(endpoints)
    if (this.router === null && endpoints.length === 0) throw new TypeError('no node was given')
  }

  /** Null when the key is absent. */
  async get(key: string, options: ReadOptions = {}): Promise<Entry | null> {
    const { consistency = 'linearizable' } = options
    const result = await this.run({ op: 'get', key, consistency }, options)
    return result.type === 'value' ? { value: result.value, version: result.version } : null
  }

  /** A condition that does not hold is a ShardglassError `condition-failed`. */
  async put(
    key: string,
    value: Uint8Array | string,
    options: WriteOptions = {},
  ): Promise<{ readonly version: number }> {
    const result = await this.run({ op: 'put', key, value, ...conditionOf(options) }, options)
    return { version: versionOf(result) }
  }

  /** Whether there was something to delete. */
  async delete(key: string, options: WriteOptions = {}): Promise<boolean> {
    const result = await this.run({ op: 'delete', key, ...conditionOf(options) }, options)
    if (result.type === 'noSuchKey') return false
    versionOf(result)
    return true
  }

  /** Sets decimal FNV-1a 32 of previous + value, and gives the previous value ('' if absent). */
  async putHash(
    key: string,
    value: Uint8Array | string,
    options: WriteOptions = {},
  ): Promise<{ readonly previous: Buffer; readonly version: number }> {
    const result = await this.run({ op: 'puthash', key, value, ...conditionOf(options) }, options)
    const version = versionOf(result)
    return { previous: result.type === 'value' ? result.value : Buffer.alloc(0), version }
  }

  /** Writes only over version `expected` (null: only if absent). Says which version is there. */
  async cas(
    key: string,
    value: Uint8Array | string,
    expected: number | null,
    options: CallOptions = {},
  ): Promise<{ readonly isWritten: boolean; readonly version: number | null }> {
    const condition: WriteCondition =
      expected === null ? { ifAbsent: true } : { ifVersion: expected }
    const result = await this.run({ op: 'put', key, value, condition }, options)
    if (result.type === 'conditionFailed') return { isWritten: false, version: result.version }
    return { isWritten: true, version: versionOf(result) }
  }

  /** All at once, in no order among themselves; each has its own outcome, so this never throws. */
  batch(
    operations: readonly Operation[],
    options: CallOptions = {},
  ): Promise<readonly BatchResult[]> {
    return Promise.all(
      operations.map(async (operation): Promise<BatchResult> => {
        try {
          return await this.run(operation, options)
        } catch (error) {
          if (error instanceof ShardglassError) return { type: 'failed', error }
          throw error
        }
      }),
    )
  }

  /** The newest configuration seen so far; null for a clerk without shardmasters. */
  async config(options: CallOptions = {}): Promise<ConfigView | null> {
    return this.router?.latest(options.timeoutMs ?? REQUEST_TIMEOUT_MS) ?? null
  }

  /** Calls under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.connections.close(), this.shardmasters?.close()])
  }

  private async run(operation: Operation, options: CallOptions): Promise<Result> {
    const key = keyBytes(operation.key)
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs ?? REQUEST_TIMEOUT_MS
    const pending: Pending = { operation, numbers: null, number: 0, isAlone: false }
    const { signal } = options
    try {
      return await untilDone({ timeoutMs, signal }, leftMs =>
        this.attempt(pending, key, leftMs, signal),
      )
    } finally {
      if (pending.numbers !== null) this.numbering.release(pending.numbers)
    }
  }

  private async attempt(
    pending: Pending,
    key: string,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<Result>> {
    const target = this.route.known(key) ?? (await this.route.target(key, leftMs))
    if (target === null) {
      const detail = "no group owns the key's shard"
      const error = new ShardglassError({ code: 'no-group', detail, outcome: 'not_applied' })
      return this.afterRefresh({ type: 'again', error }, leftMs)
    }
    const { attemptTimeoutMs = ATTEMPT_TIMEOUT_MS } = this.options
    const attemptMs = Math.min(leftMs, attemptTimeoutMs, this.route.patienceMs)
    const answer = await this.node(target.base).send(pending, attemptMs, signal)
    if (answer.type === 'result') return { type: 'done', value: answer.result }
    return this.judge(pending, target, answer, leftMs)
  }

  private async judge(
    pending: Pending,
    target: Target,
    answer: Exclude<NodeAnswer, { type: 'result' }>,
    leftMs: number,
  ): Promise<Attempt<Result>> {
    const isWrite = pending.operation.op !== 'get'
    if (answer.type === 'failed') {
      const error = failure(answer, isWrite, target.base)
      if (answer.reason === 'aborted') return { type: 'failed', error }
      this.route.suspect(target)
      this.refreshBehind(leftMs)
      return { type: 'again', error }
    }
    if (answer.type === 'notUnderstood') {
      const detail = `${target.base} gave an answer that is not understood`
      const outcome = isWrite ? 'unknown' : 'not_applied'
      const error = new ShardglassError({ code: 'bad-answer', detail, outcome })
      return { type: 'failed', error }
    }
    const { status, problem } = answer
    const error = errorOf(problem, status, isWrite)
    if (!RETRIED.has(status)) return { type: 'failed', error }
    if (status === 429) return { type: 'again', error, waitMs: 1_000 }
    const next = this.route.learn(target, problem)
    if (next === 'config') return this.afterRefresh({ type: 'again', error, isFree: true }, leftMs)
    return { type: 'again', error, isFree: next === 'elsewhere' }
  }

  /** A refresh that fails changes nothing: the call goes on with what is known. */
  private async afterRefresh(
    step: Extract<Attempt<Result>, { type: 'again' }>,
    leftMs: number,
  ): Promise<Attempt<Result>> {
    try {
      await this.route.refresh(Math.min(leftMs, ATTEMPT_TIMEOUT_MS))
      return step
    } catch (cause) {
      if (cause instanceof ShardglassError) return { ...step, isFree: false }
      throw cause
    }
  }

  /**
   * A group that has left and was stopped says nothing more, not even where its shards went. The
   * next attempt does not wait for the answer: most often one replica of a group is down, no more.
   */
  private refreshBehind(leftMs: number): void {
    this.route.refresh(Math.min(leftMs, ATTEMPT_TIMEOUT_MS)).catch(error => {
      if (!(error instanceof ShardglassError)) throw error
    })
  }

  private node(base: string): NodeQueue {
    const known = this.nodes.get(base)
    if (known !== undefined) return known
    const { connections, numbering, options } = this
    const direct: Record<string, string> = this.router === null ? {} : { 'shardglass-direct': '1' }
    const attemptTimeoutMs = options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS
    const headers = {
      ...direct,
      authorization: `Bearer ${options.token}`,
      ...(options.traceParent === undefined ? {} : { traceparent: options.traceParent }),
      'shardglass-timeout-ms': String(attemptTimeoutMs),
    }
    const queue = new NodeQueue({ base, connections, numbering, headers, attemptTimeoutMs })
    this.nodes.set(base, queue)
    return queue
  }
}

function conditionOf(options: WriteOptions): { condition?: WriteCondition } {
  return options.condition === undefined ? {} : { condition: options.condition }
}

function versionOf(result: Result): number {
  if (result.type === 'written' || result.type === 'value') return result.version
  const isCondition = result.type === 'conditionFailed'
  const code = isCondition ? 'condition-failed' : 'no-such-key'
  const detail = isCondition
    ? `the condition does not hold: the key is at version ${result.version ?? 'unknown'}`
    : 'the key does not exist'
  throw new ShardglassError({
    code,
    detail,
    outcome: 'not_applied',
    status: isCondition ? 412 : 404,
  })
}
