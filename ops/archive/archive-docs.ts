// What openapi.json says about the routes of the archive: shapes from the schemas of its answers.

import { z } from 'zod'
import type { OperationDoc } from '../../server/http/route.ts'
import * as shape from './answers.ts'
import { LIMIT_MAX } from './archive-query.ts'

const SCHEMAS = {
  Trace: shape.traceAnswer,
  Instance: shape.instanceAnswer,
  Instances: shape.instancesAnswer,
  Handoffs: shape.handoffsAnswer,
  Handoff: shape.handoffAnswer,
  Timeline: shape.timelineAnswer,
  Spans: shape.spansAnswer,
  Request: shape.requestAnswer,
  ArchiveStatus: shape.archiveStatus,
} as const

export const ARCHIVE_SCHEMAS: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(SCHEMAS).map(([name, schema]) => {
    const { $schema: _, ...json } = z.toJSONSchema(schema)
    return [name, json]
  }),
)

const PARAMETERS: Readonly<Record<string, object>> = {
  gid: { schema: { type: 'integer', minimum: 0 }, description: 'group; 0: the shardmasters' },
  shard: { schema: { type: 'integer', minimum: 0 } },
  config: { schema: { type: 'integer', minimum: 0 } },
  minMicros: { schema: { type: 'integer', minimum: 0 }, description: 'at least so long, µs' },
  origin: { schema: { enum: ['own', 'inherited', 'noop'] } },
  outcome: { schema: { type: 'string' }, description: 'ok, or a reason' },
  name: { schema: { type: 'string' }, description: 'name of the span, such as paxos.instance' },
  order: { schema: { enum: ['newest', 'slowest'], default: 'newest' } },
  limit: { schema: { type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: 100 } },
  before: { schema: { type: 'string' }, description: '`next` of the page before' },
  from: { schema: { type: 'string' }, description: 'ms since 1970, ISO 8601, or ago: 1h, 30m' },
  to: { schema: { type: 'string' }, description: 'likewise' },
}

export function listDoc(
  operationId: string,
  summary: string,
  schema: keyof typeof SCHEMAS,
  query: readonly string[],
): OperationDoc {
  const parameters = query.map(name => ({ name, in: 'query', ...PARAMETERS[name] }))
  return { operationId, summary, parameters, responses: { 200: ok(schema) } }
}

export function oneDoc(
  operationId: string,
  summary: string,
  schema: keyof typeof SCHEMAS,
  inPath: Readonly<Record<string, object>>,
): OperationDoc {
  const parameters = Object.entries(inPath).map(([name, of]) => {
    return { name, in: 'path', required: true, schema: of }
  })
  const absent = { description: 'there is nothing of it: never seen, or not kept any more' }
  return { operationId, summary, parameters, responses: { 200: ok(schema), 404: absent } }
}

export const NUMBER = { type: 'integer', minimum: 0 }
export const TRACE_ID = { type: 'string', pattern: '^[0-9a-fA-F]{32}$' }

export const STATUS_DOC: OperationDoc = {
  operationId: 'archive-status',
  summary: 'What the archive holds, and what became of what came in',
  responses: { 200: ok('ArchiveStatus') },
}

const binary = { schema: { type: 'string', format: 'binary' } }

export const EXPORT_DOC: OperationDoc = {
  operationId: 'export',
  summary: 'OTLP/HTTP: spans of any exporter',
  description:
    'ExportTraceServiceRequest in JSON or protobuf, plain or gzip. The answer comes when the batch ' +
    'is written: kill -9 loses nothing of it. A span that is there already (trace and span id) ' +
    'is not stored again, so a batch may be repeated. partialSuccess counts what was refused.',
  requestBody: {
    required: true,
    content: { 'application/json': { schema: {} }, 'application/x-protobuf': binary },
  },
  responses: {
    200: {
      description: 'ExportTraceServiceResponse, in the encoding of the request',
      content: { 'application/json': { schema: {} }, 'application/x-protobuf': binary },
    },
    400: { description: 'the body is not what it says it is' },
    413: { description: 'too large, before or after inflating' },
    503: { description: 'no-room: the disk is full; overloaded: too much is waiting. Come back' },
  },
}

function ok(schema: keyof typeof SCHEMAS) {
  const content = { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } }
  return { description: 'found', content }
}
