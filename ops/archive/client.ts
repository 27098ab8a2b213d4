// Asks the archive, for commands and pages. Never rejects: an archive that is away, refuses or says
// something odd is a result with a reason, since nothing but looking depends on it.

import type { z } from 'zod'
import { Connections } from '../../server/client/connections.ts'
import { readProblem } from '../../server/client/problem.ts'
import * as shape from './answers.ts'
import type { Silence } from './silence.ts'

/** Longer than the archive spends on any search. */
const TIMEOUT_MS = 2_000
/** A page may ask for several things at once. */
const CONNECTIONS = 4

export type Found<T> =
  | { readonly type: 'found'; readonly value: T }
  /** The archive answers, and has nothing of that name (any more). */
  | { readonly type: 'absent'; readonly reason: string }
  | {
      readonly type: 'failed'
      readonly code: 'unreachable' | 'timeout' | 'refused' | 'odd'
      readonly reason: string
    }

/** `from`, `to`: ms since 1970, ISO 8601, or a time ago such as `1h`, `30m`. */
type Interval = {
  readonly from?: string | number | undefined
  readonly to?: string | number | undefined
}
type Page = { readonly limit?: number | undefined; readonly before?: string | undefined }
type Order = { readonly order?: 'newest' | 'slowest' | undefined }

export type InstancesQuery = Interval &
  Page &
  Order & {
    readonly gid?: number | undefined
    readonly minMicros?: number | undefined
    readonly origin?: string | undefined
  }
export type HandoffsQuery = Interval &
  Page & {
    readonly shard?: number | undefined
    readonly config?: number | undefined
    readonly gid?: number | undefined
  }
export type TimelineQuery = Interval & Page & { readonly gid?: number | undefined }
export type SpansQuery = Interval &
  Page &
  Order & {
    readonly name?: string | undefined
    readonly gid?: number | undefined
    readonly shard?: number | undefined
    readonly config?: number | undefined
    readonly outcome?: string | undefined
    readonly minMicros?: number | undefined
  }

export type ArchiveClientOptions = {
  /** Base URL of the archive. */
  readonly url: string
  readonly token: string
  readonly timeoutMs?: number
  /** Shared with others that ask the same archive; default: every question waits for its answer. */
  readonly silence?: Silence
}

export class ArchiveClient {
  readonly url: string
  private readonly headers: Readonly<Record<string, string>>
  private readonly timeoutMs: number
  private readonly silence: Silence | null
  private readonly connections = new Connections({ perNode: CONNECTIONS })

  constructor(options: ArchiveClientOptions) {
    this.url = options.url
    this.headers = { authorization: `Bearer ${options.token}` }
    this.timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    this.silence = options.silence ?? null
  }

  /** 32 hex digits. */
  trace(traceId: string): Promise<Found<shape.TraceAnswer>> {
    return this.get(`/v1/traces/${encodeURIComponent(traceId)}`, {}, shape.traceAnswer)
  }

  instance(gid: number, slot: number): Promise<Found<shape.InstanceAnswer>> {
    return this.get(`/v1/instances/${gid}/${slot}`, {}, shape.instanceAnswer)
  }

  instances(query: InstancesQuery = {}): Promise<Found<shape.InstancesAnswer>> {
    return this.get('/v1/instances', query, shape.instancesAnswer)
  }

  handoffs(query: HandoffsQuery = {}): Promise<Found<shape.HandoffsAnswer>> {
    return this.get('/v1/handoffs', query, shape.handoffsAnswer)
  }

  handoff(config: number, shard: number): Promise<Found<shape.HandoffAnswer>> {
    return this.get(`/v1/handoffs/${config}/${shard}`, {}, shape.handoffAnswer)
  }

  timeline(query: TimelineQuery = {}): Promise<Found<shape.TimelineAnswer>> {
    return this.get('/v1/timeline', query, shape.timelineAnswer)
  }

  spans(query: SpansQuery = {}): Promise<Found<shape.SpansAnswer>> {
    return this.get('/v1/spans', query, shape.spansAnswer)
  }

  request(traceId: string): Promise<Found<shape.RequestAnswer>> {
    return this.get(`/v1/requests/${encodeURIComponent(traceId)}`, {}, shape.requestAnswer)
  }

  status(): Promise<Found<shape.ArchiveStatus>> {
    return this.get('/v1/archive/status', {}, shape.archiveStatus)
  }

  close(): Promise<void> {
    return this.connections.close()
  }

  private get<T extends z.ZodType>(
    path: string,
    query: Readonly<Record<string, string | number | undefined>>,
    schema: T,
  ): Promise<Found<z.output<T>>> {
    const ask = () => this.ask(path, query, schema)
    return this.silence === null ? ask() : this.silence.around(ask)
  }

  private async ask<T extends z.ZodType>(
    path: string,
    query: Readonly<Record<string, string | number | undefined>>,
    schema: T,
  ): Promise<Found<z.output<T>>> {
    const request = { method: 'GET', path: path + queryText(query), headers: this.headers } as const
    const answer = await this.connections.exchange(this.url, request, { timeoutMs: this.timeoutMs })
    if (answer.type === 'failed') {
      const isLate = answer.reason === 'timeout'
      const reason = isLate ? 'the archive did not answer in time' : 'the archive is not there'
      return { type: 'failed', code: isLate ? 'timeout' : 'unreachable', reason }
    }
    if (answer.status === 200) return decoded(answer.body, schema)
    const { detail } = readProblem(answer.status, answer.body)
    if (answer.status === 404) return { type: 'absent', reason: detail }
    return { type: 'failed', code: 'refused', reason: detail }
  }
}

function queryText(query: Readonly<Record<string, string | number | undefined>>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

function decoded<T extends z.ZodType>(body: Buffer, schema: T): Found<z.output<T>> {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return { type: 'failed', code: 'odd', reason: 'the archive answered with something not JSON' }
  }
  const result = schema.safeParse(value)
  if (result.success) return { type: 'found', value: result.data }
  const place = result.error.issues[0]?.path.join('.') ?? ''
  const reason = `the archive answered in another shape than expected, at ${place}`
  return { type: 'failed', code: 'odd', reason }
}
