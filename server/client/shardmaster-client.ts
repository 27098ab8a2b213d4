// The shardmasters from outside: changes with at-most-once, queries, plans, and the stream of new
// configurations. Any shardmaster answers for all; a dead one costs one attempt.

import { REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { Change } from '../shardmaster/operation.ts'
import { type ConfigView, decodeConfig, decodePlan, type PlanView } from './config-decode.ts'
import { type Answer, Connections, type Exchange } from './connections.ts'
import { ShardglassError } from './error.ts'
import { Numbering, type Numbers } from './numbering.ts'
import { errorOf, isRecord, readProblem } from './problem.ts'
import { type Attempt, type CallOptions, untilDone } from './retry.ts'
import { watchConfigs } from './watch.ts'

export type ShardmasterClientOptions = {
  /** Base URLs of all shardmasters, or of some. */
  readonly shardmasters: readonly string[]
  readonly token: string
  /** Default for calls without one of their own, in ms. */
  readonly timeoutMs?: number
  /** One attempt at one shardmaster, in ms: a silent one must not use up the call's time. */
  readonly attemptTimeoutMs?: number
  /** W3C traceparent: all that this client asks for belongs to that trace. */
  readonly traceParent?: string
}

export type ChangeOptions = CallOptions & {
  /** Kept in the configuration itself. */
  readonly reason?: string
  /** Refused (`condition-failed`) unless this is the latest configuration's number. */
  readonly ifConfig?: number
}

const ATTEMPT_TIMEOUT_MS = 2_500
/** Worth another try elsewhere or later: no leader, too much to do, an answer too late. */
const RETRIED = new Set([408, 429, 500, 502, 503, 504])

export class ShardmasterClient {
  private readonly options: ShardmasterClientOptions
  private readonly connections = new Connections({ perNode: 4 })
  private readonly numbering = new Numbering()
  /** Position of the shardmaster that answered last. */
  private preferred = 0

  constructor(options: ShardmasterClientOptions) {
    if (options.shardmasters.length === 0) throw new TypeError('no shardmaster was given')
    this.options = options
  }

  join(gid: number, servers: readonly string[], options: ChangeOptions = {}): Promise<ConfigView> {
    return this.change({ op: 'join', gid, servers }, options)
  }

  leave(gid: number, options: ChangeOptions = {}): Promise<ConfigView> {
    return this.change({ op: 'leave', gid }, options)
  }

  move(shard: number, gid: number, options: ChangeOptions = {}): Promise<ConfigView> {
    return this.change({ op: 'move', shard, gid }, options)
  }

  /** Resolves to the configuration that holds the change: a new one, or the latest if it did. */
  async change(change: Change, options: ChangeOptions = {}): Promise<ConfigView> {
    const numbers = this.numbering.take(1)
    try {
      const request = changeRequest(change, options)
      const headers = { ...request.headers, ...this.sessionHeaders(numbers) }
      return await this.call({ ...request, headers }, options, decodeConfig)
    } finally {
      this.numbering.release(numbers)
    }
  }

  /** What the change would do; nothing is changed. Apply it with `ifConfig: plan.base`. */
  plan(change: Change, options: ChangeOptions = {}): Promise<PlanView> {
    const request = changeRequest(change, options)
    return this.call({ ...request, path: `${request.path}?dryRun=true` }, options, decodePlan)
  }

  /** Configuration `num`; −1 or a number above the latest: the latest, linearizable. */
  query(num = -1, options: CallOptions = {}): Promise<ConfigView> {
    const path = num < 0 ? '/v1/config' : `/v1/config/${num}`
    return this.call({ method: 'GET', path, headers: {} }, options, decodeConfig)
  }

  /** The newest `limit` configurations, newest first. */
  history(limit = 20, options: CallOptions = {}): Promise<readonly ConfigView[]> {
    const path = `/v1/config/history?limit=${limit}`
    return this.call({ method: 'GET', path, headers: {} }, options, decodeHistory)
  }

  /** Every configuration after `after`, in order without gaps, until the signal is aborted. */
  watch(after: number, signal: AbortSignal): AsyncGenerator<ConfigView> {
    const { shardmasters, token } = this.options
    return watchConfigs({ connections: this.connections, shardmasters, token, after, signal })
  }

  async close(): Promise<void> {
    await this.connections.close()
  }

  private async call<T>(
    request: Exchange,
    options: CallOptions,
    decode: (value: unknown) => T | null,
  ): Promise<T> {
    const isWrite = request.method !== 'GET' && !request.path.includes('dryRun=true')
    const { token, traceParent } = this.options
    const trace = traceParent === undefined ? {} : { traceparent: traceParent }
    const headers = { ...request.headers, ...trace, authorization: `Bearer ${token}` }
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs ?? REQUEST_TIMEOUT_MS
    const attemptMs = this.options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS
    return untilDone({ timeoutMs, signal: options.signal }, async leftMs => {
      const { shardmasters } = this.options
      const base = shardmasters[this.preferred % shardmasters.length] ?? ''
      const answer = await this.connections.exchange(
        base,
        { ...request, headers },
        { timeoutMs: Math.min(leftMs, attemptMs), ...optionalSignal(options.signal) },
      )
      const step = judge(answer, { isWrite, base, decode })
      if (step.type === 'again') this.preferred = (this.preferred + 1) % shardmasters.length
      return step
    })
  }

  private sessionHeaders(numbers: Numbers): Record<string, string> {
    return {
      'idempotency-key': `${numbers.client}/${numbers.first}`,
      'shardglass-acked': String(this.numbering.acked(numbers)),
    }
  }
}

function judge<T>(
  answer: Answer,
  context: { isWrite: boolean; base: string; decode: (value: unknown) => T | null },
): Attempt<T> {
  const { isWrite, base, decode } = context
  if (answer.type === 'failed') {
    const error = failure(answer, isWrite, base)
    return { type: answer.reason === 'aborted' ? 'failed' : 'again', error }
  }
  const { status } = answer
  if (status === 200) {
    const value = decode(parsed(answer.body))
    if (value !== null) return { type: 'done', value }
    const detail = `${base} gave an answer that is not understood`
    const outcome = isWrite ? 'unknown' : 'not_applied'
    const error = new ShardglassError({ code: 'bad-answer', detail, outcome, status })
    return { type: 'failed', error }
  }
  const error = errorOf(readProblem(status, answer.body), status, isWrite)
  if (status === 421) return { type: 'again', error, isFree: true }
  return RETRIED.has(status) ? { type: 'again', error } : { type: 'failed', error }
}

/** The error behind an exchange without an answer. */
export function failure(
  answer: Extract<Answer, { type: 'failed' }>,
  isWrite: boolean,
  base: string,
): ShardglassError {
  const outcome = isWrite && !answer.isDefinite ? 'unknown' : 'not_applied'
  const detail = `${base}: ${answer.cause.message}`
  return new ShardglassError({ code: answer.reason, detail, outcome, cause: answer.cause })
}

function changeRequest(change: Change, options: ChangeOptions): Exchange {
  const { op, ...fields } = change
  const reason = options.reason === undefined ? {} : { reason: options.reason }
  const condition = options.ifConfig === undefined ? null : `"config-${options.ifConfig}"`
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (condition !== null) headers['if-match'] = condition
  const body = JSON.stringify({ ...fields, ...reason })
  return { method: 'POST', path: `/v1/config/${op}`, headers, body }
}

function decodeHistory(value: unknown): readonly ConfigView[] | null {
  const list = isRecord(value) ? value.configs : value
  if (!Array.isArray(list)) return null
  const configs: ConfigView[] = []
  for (const item of list) {
    const config = decodeConfig(item)
    if (config === null) return null
    configs.push(config)
  }
  return configs
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null // judged as not understood
  }
}

function optionalSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
