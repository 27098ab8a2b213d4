// The HTTP API of the archive, behind the same gate as that of every node.

import { isProblem } from '../../server/http/decode.ts'
import type { Answer } from '../../server/http/exchange.ts'
import { type Problem, problem, statusOf } from '../../server/http/problem.ts'
import { type Call, jsonAnswer, type Route } from '../../server/http/route.ts'
import type { Archive, StoreResult } from './archive.ts'
import { EXPORT_DOC, listDoc, NUMBER, oneDoc, STATUS_DOC, TRACE_ID } from './archive-docs.ts'
import { listingOf, traceIdOf, twoNumbers } from './archive-query.ts'
import { exportAnswer } from './otlp-answer.ts'
import { BODY_BYTES_MAX } from './otlp-span.ts'
import type { Question } from './question.ts'

export type ArchiveRoutesOptions = {
  readonly archive: Pick<Archive, 'store' | 'ask' | 'status'>
  readonly nowMs: () => number
  /** What became of an export, for metrics. */
  readonly onExport?: (status: number) => void
}

const INTERVAL = ['from', 'to']
const PAGE = ['limit', 'before']
const QUERY = {
  instances: ['gid', 'minMicros', 'origin', 'outcome', 'order', ...INTERVAL, ...PAGE],
  handoffs: ['shard', 'config', 'gid', ...INTERVAL, ...PAGE],
  timeline: ['gid', ...INTERVAL, ...PAGE],
  spans: ['name', 'gid', 'shard', 'config', 'outcome', 'minMicros', 'order', ...INTERVAL, ...PAGE],
} as const

export function archiveRoutes(options: ArchiveRoutesOptions): readonly Route[] {
  return [exportRoute(options), statusRoute(options), ...oneRoutes(options), ...lists(options)]
}

function exportRoute(options: ArchiveRoutesOptions): Route {
  return {
    method: 'POST',
    path: '/v1/traces',
    role: 'writer',
    isForPeers: true,
    scope: 'node',
    mayChange: true,
    query: [],
    doc: EXPORT_DOC,
    handle: async call => {
      const found = await received(options, call)
      options.onExport?.(isProblem(found) ? statusOf(found) : found.status)
      return found
    },
  }
}

async function received({ archive }: ArchiveRoutesOptions, call: Call): Promise<Answer | Problem> {
  const { exchange } = call
  const encoding = encodingOf(exchange.header('content-type') ?? '')
  if (encoding === null) {
    const types = 'application/json or application/x-protobuf'
    return problem('unsupported-media-type', `the body must be ${types}`)
  }
  const compression = (exchange.header('content-encoding') ?? 'identity').toLowerCase()
  if (compression !== 'gzip' && compression !== 'identity') {
    return problem('unsupported-media-type', 'Content-Encoding must be gzip or identity')
  }
  const body = await new Promise<Buffer | Problem>(resolve =>
    exchange.readBody(BODY_BYTES_MAX, resolve),
  )
  if (!Buffer.isBuffer(body)) return body
  const result = await archive.store({ encoding, isGzip: compression === 'gzip', body })
  return storeAnswer(result, encoding)
}

function encodingOf(contentType: string): 'json' | 'protobuf' | null {
  if (/^application\/json *(?:;|$)/i.test(contentType)) return 'json'
  return /^application\/x-protobuf *(?:;|$)/i.test(contentType) ? 'protobuf' : null
}

const CONTENT_TYPES = { json: 'application/json', protobuf: 'application/x-protobuf' } as const

function storeAnswer(result: StoreResult, encoding: 'json' | 'protobuf'): Answer | Problem {
  switch (result.type) {
    case 'overloaded':
      return problem('overloaded', 'too many batches are waiting to be written')
    case 'noRoom':
      return problem('no-room', 'the disk of the archive is full; the batch may be sent again')
    case 'bad':
      return problem(result.isTooLarge ? 'too-large' : 'bad-request', result.reason)
    case 'stored': {
      const rejected = result.rejected + result.expired
      const body = exportAnswer(encoding, { rejected, reason: result.reason })
      const headers = ['Content-Type', CONTENT_TYPES[encoding], 'X-Content-Type-Options', 'nosniff']
      return { status: 200, headers, body }
    }
  }
}

const READ = { method: 'GET', role: 'reader', scope: 'node', mayChange: false } as const

function statusRoute({ archive }: ArchiveRoutesOptions): Route {
  const handle = () => jsonAnswer(archive.status())
  return { ...READ, path: '/v1/archive/status', query: [], doc: STATUS_DOC, handle }
}

function oneRoutes(options: ArchiveRoutesOptions): readonly Route[] {
  const one = (path: string, doc: Route['doc'], read: (path: string) => Question | Problem) => ({
    ...READ,
    path,
    query: [],
    doc,
    handle: (call: Call) => asked(options, read(call.path)),
  })
  const byTrace = (type: 'trace' | 'request', prefix: string) => (path: string) => {
    const traceId = traceIdOf(path, prefix)
    return typeof traceId === 'string' ? ({ type, traceId } as const) : traceId
  }
  return [
    one(
      '/v1/traces/{traceId}',
      oneDoc('trace', 'All spans of a trace', 'Trace', { traceId: TRACE_ID }),
      byTrace('trace', '/v1/traces/'),
    ),
    one(
      '/v1/requests/{traceId}',
      oneDoc('request', "A request's spans, and the instances that decided it", 'Request', {
        traceId: TRACE_ID,
      }),
      byTrace('request', '/v1/requests/'),
    ),
    one(
      '/v1/instances/{gid}/{slot}',
      oneDoc('instance', 'What happened in a slot', 'Instance', { gid: NUMBER, slot: NUMBER }),
      path => {
        const found = twoNumbers(path, '/v1/instances/')
        return isProblem(found) ? found : { type: 'instance', gid: found[0], slot: found[1] }
      },
    ),
    one(
      '/v1/handoffs/{config}/{shard}',
      oneDoc('handoff', "One shard's move, both sides", 'Handoff', {
        config: NUMBER,
        shard: NUMBER,
      }),
      path => {
        const found = twoNumbers(path, '/v1/handoffs/')
        return isProblem(found) ? found : { type: 'handoff', config: found[0], shard: found[1] }
      },
    ),
  ]
}

function lists(options: ArchiveRoutesOptions): readonly Route[] {
  const list = (type: keyof typeof QUERY, doc: Route['doc']): Route => ({
    ...READ,
    path: `/v1/${type}`,
    query: QUERY[type],
    doc,
    handle: call => {
      const listing = listingOf(call.query, options.nowMs())
      return asked(options, isProblem(listing) ? listing : { type, ...listing })
    },
  })
  const { instances, handoffs, timeline, spans } = QUERY
  return [
    list('instances', listDoc('instances', 'Paxos instances', 'Instances', instances)),
    list('handoffs', listDoc('handoffs', 'Moves of shards', 'Handoffs', handoffs)),
    list(
      'timeline',
      listDoc('timeline', 'Elections, configurations, starts, snapshots', 'Timeline', timeline),
    ),
    list('spans', listDoc('spans', 'Any spans', 'Spans', spans)),
  ]
}

async function asked(
  { archive }: ArchiveRoutesOptions,
  question: Question | Problem,
): Promise<Answer | Problem> {
  if (question.type === 'problem') return question
  const found = await archive.ask(question)
  if (found.type === 'overloaded') return problem('overloaded', 'too many questions are waiting')
  if (found.json === null) return problem('not-found', 'the archive has nothing of it')
  return { ...jsonAnswer(null), body: found.json }
}
