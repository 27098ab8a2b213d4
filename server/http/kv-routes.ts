// The key routes of a shardkv node: decode strictly, hand to the gateway, answer. This is the hot
// path: no promise, no web object, no schema between the socket and the replica.

import type { ByteString } from '../bytes.ts'
import { VALUE_BYTES_MAX } from '../limits.ts'
import type { ShardkvRequest, Write } from '../shardkv/operation.ts'
import { keyProblem } from './auth.ts'
import {
  conditionOf,
  deadlineOf,
  encodingProblem,
  isDirect,
  isProblem,
  sessionOf,
  traceParentOf,
} from './decode.ts'
import type { Answer, Exchange } from './exchange.ts'
import { countRun, type KvRoutesOptions, kvAnswer, placeHeaders } from './kv-answer.ts'
import { batchRoute } from './kv-batch.ts'
import { DELETE_DOC, GET_DOC, PUT_DOC, PUTHASH_DOC } from './kv-docs.ts'
import { isKept, keepRequest } from './kv-trace.ts'
import { numberFor, type Ticket, TOO_MANY_WRITES } from './lanes.ts'
import { type Problem, problem, problemAnswer } from './problem.ts'
import type { Call, Method, OperationDoc, Route } from './route.ts'
import { checkedKey, keyInPath } from './target.ts'

export function kvRoutes(options: KvRoutesOptions): readonly Route[] {
  return [
    ...bothForms(options, { base: '/v1/kv', method: 'GET', op: 'get', doc: GET_DOC }),
    ...bothForms(options, { base: '/v1/kv', method: 'PUT', op: 'put', doc: PUT_DOC }),
    ...bothForms(options, { base: '/v1/kv', method: 'DELETE', op: 'delete', doc: DELETE_DOC }),
    ...bothForms(options, { base: '/v1/puthash', method: 'POST', op: 'puthash', doc: PUTHASH_DOC }),
    batchRoute(options),
  ]
}

type KeyRoute = {
  readonly base: string
  readonly method: Method
  readonly op: Write['op'] | 'get'
  readonly doc: OperationDoc
}

/** Any key can be named as `?key=`; most can stand in the path, too. */
function bothForms(options: KvRoutesOptions, route: KeyRoute): readonly Route[] {
  const { base, method, op, doc } = route
  const isRead = op === 'get'
  const common = {
    method,
    op,
    role: isRead ? ('reader' as const) : ('writer' as const),
    scope: 'key' as const,
    mayChange: !isRead,
  }
  const parameters = isRead ? ['consistency'] : []
  const prefix = `${base}/`
  const handle = (call: Call, key: ByteString | Problem): Problem | null => {
    if (typeof key !== 'string') return key
    const denied = call.grant === null ? null : keyProblem(call.grant, key)
    if (denied !== null) return denied
    return op === 'get' ? startRead(options, call, key) : startWrite(options, call, key, op)
  }
  return [
    {
      ...common,
      path: `${base}/{key}`,
      isHot: true,
      query: parameters,
      doc,
      handle: call => handle(call, keyInPath(call.path, prefix)),
    },
    {
      ...common,
      path: base,
      query: ['key', ...parameters],
      doc,
      handle: call => handle(call, keyInQuery(call)),
    },
  ]
}

function keyInQuery(call: Call): ByteString | Problem {
  const key = call.query.get('key')
  return key === undefined ? problem('bad-request', 'give the key as ?key=') : checkedKey(key)
}

/** What the headers of a key request say; null members are the node's to choose. */
type Terms = {
  readonly isDirect: boolean
  readonly deadlineMs: number
  readonly traceParent: string | null
}

function termsOf(exchange: Exchange): Terms | Problem {
  const direct = isDirect(exchange)
  if (typeof direct !== 'boolean') return direct
  const deadlineMs = deadlineOf(exchange)
  if (typeof deadlineMs !== 'number') return deadlineMs
  return { isDirect: direct, deadlineMs, traceParent: traceParentOf(exchange) }
}

function startRead(options: KvRoutesOptions, call: Call, key: ByteString): Problem | null {
  const terms = termsOf(call.exchange)
  if (isProblem(terms)) return terms
  const consistency = call.query.get('consistency') ?? 'linearizable'
  if (consistency !== 'linearizable' && consistency !== 'stale') {
    return problem('bad-request', 'consistency must be linearizable or stale')
  }
  if (call.exchange.header('if-match') !== undefined) {
    return problem('bad-request', 'If-Match is for writes')
  }
  execute(options, call, { request: { type: 'get', key, consistency }, terms, ticket: null })
  return null
}

function startWrite(
  options: KvRoutesOptions,
  call: Call,
  key: ByteString,
  op: Write['op'],
): Problem | null {
  const { exchange } = call
  const terms = termsOf(exchange)
  if (isProblem(terms)) return terms
  const condition = conditionOf(exchange)
  if (isProblem(condition)) return condition
  const session = sessionOf(exchange)
  if (session !== null && isProblem(session)) return session
  const encoding = encodingProblem(exchange)
  if (encoding !== null) return encoding
  exchange.readBody(op === 'delete' ? 0 : VALUE_BYTES_MAX, body => {
    call.attempt(() => {
      if (!Buffer.isBuffer(body)) return exchange.answer(problemAnswer(body, true))
      const write: Write = op === 'delete' ? { op } : { op, value: body }
      const numbered = numberFor(options.lanes, session)
      if (numbered === null) return exchange.answer(problemAnswer(TOO_MANY_WRITES, true))
      const id = numbered.session
      const request: ShardkvRequest = { type: 'write', key, write, condition, session: id }
      execute(options, call, { request, terms, ticket: numbered.ticket })
    })
  })
  return null
}

type Job = {
  readonly request: ShardkvRequest
  readonly terms: Terms
  readonly ticket: Ticket | null
}

function execute(options: KvRoutesOptions, call: Call, job: Job): void {
  const { request, terms, ticket } = job
  const { trace } = options
  const startedAt = trace === undefined ? 0 : trace.now()
  options.gateway.execute(request, terms, (reply, isDefinite, attempts, tries) => {
    if (ticket !== null) options.lanes.end(ticket)
    call.attempt(() => {
      const place = options.describe(request.key)
      countRun(options.traffic, request, reply, place.shard)
      const { isDirect } = terms
      let { traceParent } = terms
      if (trace !== undefined && isKept(trace, startedAt, reply, terms)) {
        traceParent = keepRequest(trace, {
          request,
          reply,
          startedAt,
          attempts,
          tries,
          traceParent,
          place,
          isDirect,
        })
      }
      const context = { request, place, traceParent, isDirect }
      const answer = kvAnswer(reply, isDefinite, context)
      if ('code' in answer) {
        const refusal = problemAnswer(answer, request.type === 'write')
        refusal.headers.push(...placeHeaders(context))
        return call.exchange.answer(refusal)
      }
      call.exchange.answer(request.type === 'get' ? notModified(call.exchange, answer) : answer)
    })
  })
}

/** 304 for a reader who has this version already. */
function notModified(exchange: Exchange, answer: Answer): Answer {
  const known = exchange.header('if-none-match')
  if (known === undefined) return answer
  const etag = answer.headers[answer.headers.indexOf('ETag') + 1] ?? ''
  const isKnown = known === '*' || known.split(',').some(tag => tag.trim() === etag)
  return isKnown ? { ...answer, status: 304, body: null } : answer
}
