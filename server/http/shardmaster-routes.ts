// The routes of a shardmaster: changes of the configuration, plans, queries, and the stream of new
// configurations. Any shardmaster answers; one that does not lead passes the request to its leader.

import { z } from 'zod'
import { unreachable } from '../assert.ts'
import {
  BASE_URL_LENGTH_MAX,
  GROUP_SERVERS_MAX,
  HISTORY_MAX,
  REASON_LENGTH_MAX,
} from '../limits.ts'
import { parseBaseUrl } from '../shardmaster/base-url.ts'
import type { Change, ShardmasterReply, ShardmasterRequest } from '../shardmaster/operation.ts'
import { CHANGE_BYTES_MAX } from './bounds.ts'
import { type ConfigWatchOptions, configView, configWatch } from './config-watch.ts'
import {
  configConditionOf,
  deadlineOf,
  isDirect,
  isProblem,
  readJson,
  sessionOf,
  traceParentOf,
} from './decode.ts'
import type { Answer } from './exchange.ts'
import type { ShardmasterGateway } from './gateways.ts'
import type { Lanes } from './lanes.ts'
import { type Outcome, type Problem, problem } from './problem.ts'
import type { Attempt, RequestTrace } from './request-trace.ts'
import { type Call, jsonAnswer, type OperationDoc, type Route } from './route.ts'
import { CHANGE_DOC, CONFIG_DOC, HISTORY_DOC, QUERY_DOC, WATCH_DOC } from './shardmaster-docs.ts'
import type { RequestOp } from './traffic.ts'

export type ShardmasterRoutesOptions = ConfigWatchOptions & {
  readonly gateway: ShardmasterGateway
  readonly lanes: Lanes
  /** Absent: no request leaves a trace. */
  readonly trace?: RequestTrace | undefined
  /**
   * Hosts that a joining group's servers may be on: names or addresses, `.example.org` for all
   * names below it, or `*` for any. A node sends requests there, with its credential.
   */
  readonly allowedHosts?: readonly string[]
}

const gid = z.int()
const reason = z.string().max(REASON_LENGTH_MAX).optional()
const servers = z.array(z.string().max(BASE_URL_LENGTH_MAX)).min(1).max(GROUP_SERVERS_MAX)

/** Bodies of the three changes. Ranges of gids and shards are the state machine's to judge. */
export const CHANGE_SCHEMAS = {
  join: z.strictObject({ gid, servers, reason }),
  leave: z.strictObject({ gid, reason }),
  move: z.strictObject({ shard: z.int(), gid, reason }),
} as const

export function shardmasterRoutes(options: ShardmasterRoutesOptions): readonly Route[] {
  const { join, leave, move } = CHANGE_SCHEMAS
  const watch: Route['handle'] = configWatch(options)
  return [
    changeRoute(options, 'join', async call => {
      const body = await readJson(call.exchange, join, CHANGE_BYTES_MAX)
      if (isProblem(body)) return body
      const refused = serversProblem(body.servers, options.allowedHosts ?? [])
      if (refused !== null) return refused
      const { gid, servers, reason } = body
      return { change: { op: 'join', gid, servers }, reason }
    }),
    changeRoute(options, 'leave', async call => {
      const body = await readJson(call.exchange, leave, CHANGE_BYTES_MAX)
      return isProblem(body)
        ? body
        : { change: { op: 'leave', gid: body.gid }, reason: body.reason }
    }),
    changeRoute(options, 'move', async call => {
      const body = await readJson(call.exchange, move, CHANGE_BYTES_MAX)
      if (isProblem(body)) return body
      const { shard, gid, reason } = body
      return { change: { op: 'move', shard, gid }, reason }
    }),
    readRoute('config', '/v1/config', CONFIG_DOC, [], call => query(options, call, -1)),
    readRoute('history', '/v1/config/history', HISTORY_DOC, ['limit'], call =>
      history(options, call),
    ),
    readRoute('watch', '/v1/config/watch', WATCH_DOC, ['after'], watch),
    readRoute('config', '/v1/config/{num}', QUERY_DOC, [], call => queryByNumber(options, call)),
  ]
}

type Asked = { readonly change: Change; readonly reason: string | undefined }

function changeRoute(
  options: ShardmasterRoutesOptions,
  op: Change['op'],
  read: (call: Call) => Promise<Asked | Problem>,
): Route {
  return {
    method: 'POST',
    path: `/v1/config/${op}`,
    op,
    role: 'admin',
    scope: 'node',
    mayChange: true,
    query: ['dryRun'],
    doc: CHANGE_DOC[op],
    handle: async call => {
      const asked = await read(call)
      if ('code' in asked) return asked
      const dryRun = call.query.get('dryRun') ?? 'false'
      if (dryRun === 'true') return execute(options, call, { type: 'plan', change: asked.change })
      if (dryRun !== 'false') return problem('bad-request', 'dryRun must be true or false')
      return applyChange(options, call, asked)
    },
  }
}

async function applyChange(
  options: ShardmasterRoutesOptions,
  call: Call,
  asked: Asked,
): Promise<Answer | Problem> {
  const ifConfig = configConditionOf(call.exchange)
  if (ifConfig !== null && typeof ifConfig !== 'number') return ifConfig
  const given = sessionOf(call.exchange)
  if (given !== null && isProblem(given)) return given
  const ticket = given === null ? options.lanes.begin() : null
  const session = given ?? ticket?.session
  if (session === undefined) return problem('overloaded', 'too many changes are under way')
  const actor = call.grant?.name ?? ''
  const { change, reason = '' } = asked
  const answer = await execute(options, call, {
    type: 'change',
    change,
    actor,
    reason,
    ifConfig,
    session,
  })
  if (ticket !== null) options.lanes.end(ticket)
  return answer
}

function readRoute(
  op: RequestOp,
  path: string,
  doc: OperationDoc,
  query: readonly string[],
  handle: Route['handle'],
): Route {
  const access = { role: 'reader', scope: 'node', mayChange: false } as const
  return { method: 'GET', op, path, ...access, query, doc, handle }
}

function query(options: ShardmasterRoutesOptions, call: Call, num: number) {
  return execute(options, call, { type: 'query', num })
}

function queryByNumber(options: ShardmasterRoutesOptions, call: Call) {
  const text = call.path.slice('/v1/config/'.length)
  const num = /^(?:-1|\d{1,15})$/.test(text) ? Number(text) : null
  if (num !== null) return query(options, call, num)
  return problem('bad-request', 'a configuration has a number from 0 on; -1 is the latest')
}

function history(options: ShardmasterRoutesOptions, call: Call) {
  const text = call.query.get('limit') ?? '20'
  const limit = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= HISTORY_MAX) return execute(options, call, { type: 'history', limit })
  return problem('bad-request', `limit must be 1 to ${HISTORY_MAX}`)
}

function execute(
  options: ShardmasterRoutesOptions,
  call: Call,
  request: ShardmasterRequest,
): Promise<Answer | Problem> {
  const direct = isDirect(call.exchange)
  if (typeof direct !== 'boolean') return Promise.resolve(direct)
  const deadlineMs = deadlineOf(call.exchange)
  if (typeof deadlineMs !== 'number') return Promise.resolve(deadlineMs)
  const { trace } = options
  const startedAt = trace?.now() ?? 0
  return new Promise(resolve => {
    const terms = { deadlineMs, isDirect: direct }
    options.gateway.execute(request, terms, (reply, isDefinite, attempts, tries) => {
      call.attempt(() => {
        const given = traceParentOf(call.exchange)
        const answered = { request, reply, startedAt, attempts, tries, traceParent: given }
        const traceParent = trace === undefined ? given : traceRequest(trace, answered)
        resolve(answerOf(call, reply, isDefinite, traceParent))
      })
    })
  })
}

/** Configurations are few: what changes them is always kept. */
function traceRequest(
  trace: RequestTrace,
  answered: {
    readonly request: ShardmasterRequest
    readonly reply: ShardmasterReply | null
    readonly startedAt: number
    readonly attempts: readonly Attempt[]
    readonly tries: number
    readonly traceParent: string | null
  },
): string | null {
  const { request, reply, startedAt, attempts, tries, traceParent } = answered
  const isChange = request.type === 'change'
  const isFailed = reply === null || reply.type === 'unknown' || reply.type === 'overloaded'
  if (!isChange && !trace.isKept(startedAt, isFailed, traceParent)) return traceParent
  return trace.keep({
    op: isChange ? request.change.op : request.type,
    startedAt,
    traceParent,
    outcome: reply?.type ?? 'timeout',
    isFailed,
    key: null,
    shard: null,
    config: reply?.type === 'config' ? reply.config.num : null,
    gid: null,
    slot: null,
    read: null,
    attempts,
    tries,
  })
}

function answerOf(
  call: Call,
  reply: ShardmasterReply | null,
  isDefinite: boolean,
  traceParent: string | null,
): Answer | Problem {
  const trace = traceParent === null ? [] : ['traceparent', traceParent]
  switch (reply?.type) {
    case 'config': {
      const etag = `"config-${reply.config.num}"`
      const headers = ['ETag', etag, ...trace]
      const isKnown = call.exchange.header('if-none-match') === etag
      if (isKnown && call.exchange.method !== 'POST') return { status: 304, headers, body: null }
      return jsonAnswer(configView(reply.config), headers)
    }
    case 'history':
      return jsonAnswer({ configs: reply.configs.map(configView) }, trace)
    case 'plan':
      return jsonAnswer(reply.plan, ['ETag', `"config-${reply.plan.base}"`, ...trace])
    default:
      return replyProblem(reply ?? null, isDefinite)
  }
}

type Refusal = Exclude<ShardmasterReply, { type: 'config' | 'history' | 'plan' }>

function replyProblem(reply: Refusal | null, isDefinite: boolean): Problem {
  const outcome: Outcome = isDefinite ? 'not_applied' : 'unknown'
  if (reply === null && isDefinite) return problem('no-leader', UNREACHED, { outcome })
  if (reply === null) return problem('timeout', 'repeat it with the same number', { outcome })
  switch (reply.type) {
    case 'refused':
      return problem(REFUSED_CODES[reply.kind], reply.detail, { members: { latest: reply.latest } })
    case 'conditionFailed': {
      const headers = ['ETag', `"config-${reply.latest}"`]
      const members = { latest: reply.latest }
      return problem('condition-failed', 'there is a newer configuration', { members, headers })
    }
    case 'requestMismatch':
      return problem('request-mismatch', 'this number was used before with another change')
    case 'sessionExpired': {
      const detail = 'it may have been made before: look at the latest configuration'
      return problem('session-expired', detail, { outcome: 'unknown' })
    }
    case 'notLeader':
      return problem('no-leader', UNREACHED, { outcome, members: { leader: reply.leader } })
    case 'overloaded':
      return problem('overloaded', 'too many requests are waiting here', { outcome })
    case 'unknown': {
      const detail = 'the leadership was lost while the change was under way'
      return problem('timeout', detail, { outcome: 'unknown' })
    }
    default:
      return unreachable(reply)
  }
}

const UNREACHED = 'no leader of the shardmasters could be reached'
const REFUSED_CODES = {
  'unknown-group': 'not-found',
  conflict: 'conflict',
  'bad-request': 'bad-request',
} as const

/** Base URLs of places that this node may be sent to (server-side request forgery). */
function serversProblem(urls: readonly string[], allowed: readonly string[]): Problem | null {
  for (const [index, url] of urls.entries()) {
    const parsed = parseBaseUrl(url)
    if (parsed === null) {
      return problem('bad-request', `servers.${index} is not an http or https base URL`)
    }
    if (!isAllowedHost(new URL(parsed.url).hostname, allowed)) {
      return problem('bad-request', `servers.${index} is on a host that is not allowed here`)
    }
  }
  return null
}

export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  if (host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)) return true
  return allowed.some(
    rule => rule === '*' || rule === host || (rule.startsWith('.') && host.endsWith(rule)),
  )
}
