// What openapi.json says about the key routes.

import { BATCH_REQUEST_OPS_MAX, CLIENT_OUTSTANDING_MAX } from '../limits.ts'
import type { OperationDoc } from './route.ts'

const header = (name: string, description: string, schema: object = { type: 'string' }) => ({
  name,
  in: 'header',
  description,
  schema,
})

const ROUTING = [
  header('Shardglass-Direct', '1: answer here or refuse with 421 and where to go', {
    enum: ['0', '1'],
  }),
  header('Shardglass-Timeout-Ms', 'deadline of the request in ms, up to 60000', {
    type: 'integer',
    default: 10_000,
  }),
  header('traceparent', 'W3C trace context, given back in the answer'),
]

const NUMBERING = [
  header(
    'Idempotency-Key',
    `client/number: repeated with the same number, a write happens once. Numbers grow per client; ` +
      `up to ${CLIENT_OUTSTANDING_MAX} may be outstanding`,
    { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}/[1-9][0-9]{0,15}$' },
  ),
  header('Shardglass-Acked', 'all numbers of this client up to this one are answered for good', {
    type: 'integer',
    minimum: 0,
  }),
]

const CONDITIONS = [
  header('If-Match', 'a version in quotes, or * for any: 412 when the key has another'),
  header('If-None-Match', '*: 412 when the key exists', { const: '*' }),
]

const BYTES = { 'application/octet-stream': { schema: {} } }
const ETAG = {
  ETag: { description: 'version of the key, in quotes', schema: { type: 'string' } },
  'Shardglass-Config': { schema: { type: 'integer' } },
  'Shardglass-Shard': { schema: { type: 'integer' } },
  'Shardglass-Group': { schema: { type: 'integer' } },
  'Shardglass-Slot': {
    description: 'position in the log of its group',
    schema: { type: 'integer' },
  },
}

const VALUE_BODY = {
  required: true,
  description: 'the raw value, up to 1 MiB, whatever its content type',
  content: BYTES,
}

export const GET_DOC: OperationDoc = {
  operationId: 'get',
  summary: 'Read a value (linearizable, unless asked otherwise)',
  parameters: [
    {
      name: 'consistency',
      in: 'query',
      description: "stale: from this replica's own state; Shardglass-Stale-Ms tells how old",
      schema: { enum: ['linearizable', 'stale'] },
    },
    header('If-None-Match', 'a version in quotes: 304 when the key still has it'),
    ...ROUTING,
  ],
  responses: {
    200: { description: 'the raw value', headers: ETAG, content: BYTES },
    304: { description: 'unchanged' },
    404: { description: 'no-such-key' },
  },
}

export const PUT_DOC: OperationDoc = {
  operationId: 'put',
  summary: 'Write a value',
  parameters: [...CONDITIONS, ...NUMBERING, ...ROUTING],
  requestBody: VALUE_BODY,
  responses: {
    204: { description: 'written', headers: ETAG },
    412: { description: 'condition-failed' },
  },
}

export const DELETE_DOC: OperationDoc = {
  operationId: 'delete',
  summary: 'Delete a key',
  parameters: [...CONDITIONS, ...NUMBERING, ...ROUTING],
  responses: {
    204: { description: 'deleted' },
    404: { description: 'no-such-key' },
    412: { description: 'condition-failed' },
  },
}

export const PUTHASH_DOC: OperationDoc = {
  operationId: 'puthash',
  summary: 'Write the hash of the previous value and the body; answers the previous value',
  description: 'The new value is the decimal unsigned FNV-1a 32 of the bytes of previous + body.',
  parameters: [...CONDITIONS, ...NUMBERING, ...ROUTING],
  requestBody: VALUE_BODY,
  responses: {
    200: { description: 'the previous raw value, empty if absent', headers: ETAG, content: BYTES },
    412: { description: 'condition-failed' },
  },
}

export const BATCH_DOC: OperationDoc = {
  operationId: 'batch',
  summary: `Up to ${BATCH_REQUEST_OPS_MAX} operations at once, each with its own outcome`,
  description:
    'Operations on one key keep their order; the others run at the same time and are not one ' +
    'transaction. Operation i of Idempotency-Key c/N has the number N + i. A batch of reads needs ' +
    'the role reader, any other the role writer. Do not use numbers further than ' +
    `${CLIENT_OUTSTANDING_MAX} beyond N before the batch is answered, unless Shardglass-Acked is sent.`,
  parameters: [...NUMBERING, ...ROUTING],
  requestBody: {
    required: true,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Batch' } } },
  },
  responses: {
    200: {
      description: 'results in the order of the operations',
      content: { 'application/json': { schema: { $ref: '#/components/schemas/BatchResults' } } },
    },
  },
}
