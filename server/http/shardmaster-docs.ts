// What openapi.json says about the routes of a shardmaster.

import type { OperationDoc } from './route.ts'

const json = (schema: string) => ({
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
})

const CONFIG_ANSWER = {
  description: 'the configuration',
  headers: { ETag: { description: '"config-N"', schema: { type: 'string' } } },
  ...json('Config'),
}

function changeDoc(op: string, schema: string, summary: string): OperationDoc {
  return {
    operationId: op,
    summary,
    description:
      'Kept in the configuration with the name of the token and the reason. With dryRun=true ' +
      'nothing is changed: the answer is the plan, whose ETag is the If-Match to apply it with.',
    parameters: [
      { name: 'dryRun', in: 'query', schema: { enum: ['true', 'false'] } },
      {
        name: 'If-Match',
        in: 'header',
        description: '"config-N": 412 unless it is the latest',
        schema: { type: 'string' },
      },
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'client/number: repeated with the same number, the change is made once',
        schema: { type: 'string' },
      },
    ],
    requestBody: { required: true, ...json(schema) },
    responses: {
      200: CONFIG_ANSWER,
      404: { description: 'the group is not known' },
      409: { description: 'conflict: the change contradicts the configuration' },
      412: { description: 'condition-failed: there is a newer configuration' },
    },
  }
}

export const CHANGE_DOC = {
  join: changeDoc('join', 'Join', 'A new group takes its share of the shards'),
  leave: changeDoc('leave', 'Leave', 'A group gives its shards to the others'),
  move: changeDoc('move', 'Move', 'One shard goes to a group; nothing else is rebalanced'),
} as const

export const CONFIG_DOC: OperationDoc = {
  operationId: 'latest-config',
  summary: 'The latest configuration (linearizable)',
  responses: { 200: CONFIG_ANSWER, 304: { description: 'still the one of If-None-Match' } },
}

export const QUERY_DOC: OperationDoc = {
  operationId: 'config',
  summary: 'One configuration by number; -1, or a number too large, is the latest',
  responses: { 200: CONFIG_ANSWER },
}

export const HISTORY_DOC: OperationDoc = {
  operationId: 'config-history',
  summary: 'The newest configurations, newest first',
  parameters: [
    {
      name: 'limit',
      in: 'query',
      schema: { type: 'integer', minimum: 1, maximum: 1000, default: 20 },
    },
  ],
  responses: { 200: { description: 'configs', ...json('History') } },
}

export const WATCH_DOC: OperationDoc = {
  operationId: 'watch-config',
  summary: 'Every configuration after a given one, as server-sent events',
  description:
    'Events named config, whose ids are the numbers: nothing is left out or repeated. Begins with ' +
    'the latest when neither after nor Last-Event-ID is given. A comment every 15 s when idle.',
  parameters: [
    { name: 'after', in: 'query', schema: { type: 'integer', minimum: 0 } },
    { name: 'Last-Event-ID', in: 'header', schema: { type: 'integer', minimum: 0 } },
  ],
  responses: { 200: { description: 'events', content: { 'text/event-stream': { schema: {} } } } },
}
