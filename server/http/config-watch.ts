// `/v1/config/watch`: every configuration after a given one, in order and without gaps, as
// server-sent events whose ids are the configurations' numbers. A client that comes back with
// Last-Event-ID (or ?after=) goes on where it was, at any shardmaster.

import { setTimeout as pause } from 'node:timers/promises'
import type { Backend } from '../backend.ts'
import { REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { Config } from '../shardmaster/config.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../shardmaster/operation.ts'
import { BACKOFF_MS_MAX, HEARTBEAT_COMMENT_MS, STREAMS_MAX } from './bounds.ts'
import type { Answer } from './exchange.ts'
import type { ShardmasterGateway } from './gateways.ts'
import { type Problem, problem } from './problem.ts'
import type { Call } from './route.ts'

export type ConfigWatchOptions = {
  /** The local replica: a decided configuration never changes, so any may tell it. */
  readonly backend: Backend<ShardmasterRequest, ShardmasterReply>
  readonly gateway: ShardmasterGateway
  readonly heartbeatMs?: number
}

const STREAM_HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
  'X-Accel-Buffering',
  'no',
]

export function configWatch(options: ConfigWatchOptions): (call: Call) => Answer | Problem {
  let open = 0
  return call => {
    const given = call.exchange.header('last-event-id') ?? call.query.get('after') ?? null
    if (given !== null && !/^\d{1,15}$/.test(given)) {
      return problem(
        'bad-request',
        'after, or Last-Event-ID, must be the number of a configuration',
      )
    }
    if (open >= STREAMS_MAX) return problem('overloaded', 'too many event streams are open')
    const after = given === null ? null : Number(given)
    const events = async function* (signal: AbortSignal): AsyncGenerator<string> {
      open += 1
      try {
        yield* configEvents(options, after, signal)
      } finally {
        open -= 1
      }
    }
    return { status: 200, headers: STREAM_HEADERS, body: { events } }
  }
}

async function* configEvents(
  options: ConfigWatchOptions,
  after: number | null,
  signal: AbortSignal,
): AsyncGenerator<string> {
  // At once, so that the client and what is between know that the stream is open.
  yield 'retry: 1000\n: configurations\n\n'
  let last = after
  let spokeAt = performance.now()
  while (!signal.aborted) {
    const config = await untilAborted(signal, next(options, last))
    if (signal.aborted) return
    if (config !== null) {
      last = config.num
      spokeAt = performance.now()
      yield eventOf(config)
    } else if (performance.now() - spokeAt >= (options.heartbeatMs ?? HEARTBEAT_COMMENT_MS)) {
      spokeAt = performance.now()
      yield ': heartbeat\n\n'
    }
  }
}

/** The configuration after `last`, or the latest; null when there was none within a poll. */
async function next(options: ConfigWatchOptions, last: number | null): Promise<Config | null> {
  const askedAt = performance.now()
  const reply = last === null ? await latest(options) : await following(options, last)
  if (reply?.type === 'config' && (last === null || reply.config.num === last + 1)) {
    return reply.config
  }
  // A refusal comes at once: so would the next.
  if (performance.now() - askedAt < BACKOFF_MS_MAX) await pause(BACKOFF_MS_MAX)
  return null
}

function following(options: ConfigWatchOptions, last: number): Promise<ShardmasterReply> {
  return new Promise(resolve => options.backend.submit({ type: 'watch', after: last }, resolve))
}

function latest(options: ConfigWatchOptions): Promise<ShardmasterReply | null> {
  const terms = { deadlineMs: REQUEST_TIMEOUT_MS, isDirect: false }
  return new Promise(resolve => {
    options.gateway.execute({ type: 'query', num: -1 }, terms, reply => resolve(reply))
  })
}

function eventOf(config: Config): string {
  return `id: ${config.num}\nevent: config\ndata: ${JSON.stringify(configView(config))}\n\n`
}

/** What clients get of a configuration; `holders` is the groups' own business. */
export function configView(config: Config): Readonly<Record<string, unknown>> {
  const { num, shards, groups, partitioner, cause, at } = config
  return { num, shards, groups, partitioner, cause, at }
}

/** Null as soon as the signal is aborted. */
function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => resolve(null)
    signal.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}
