// The JSON bodies of the API, for openapi.json: requests from the very schemas that check them.

import { z } from 'zod'
import { BATCH_SCHEMA } from './batch-ops.ts'
import { CHANGE_SCHEMAS } from './shardmaster-routes.ts'

const input = (schema: z.ZodType) => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return json
}

const whole = { type: 'integer', minimum: 0 }
const wholes = { type: 'array', items: whole }
const texts = { type: 'array', items: { type: 'string' } }

export const SHARDKV_SCHEMAS = {
  Batch: input(BATCH_SCHEMA),
  BatchResults: {
    type: 'object',
    required: ['results'],
    properties: {
      results: {
        type: 'array',
        items: {
          type: 'object',
          description: 'what the operation alone would have got, or the members of its problem',
          required: ['status'],
          properties: {
            status: { type: 'integer' },
            outcome: { enum: ['applied', 'not_applied', 'unknown'], description: 'of writes' },
            version: whole,
            slot: whole,
            value: {
              description: 'of get, and the previous one of puthash',
              oneOf: [
                { type: 'string' },
                { type: 'object', properties: { base64: { type: 'string' } } },
              ],
            },
            isValueOmitted: { description: 'the values of this batch exceed one answer' },
            type: { type: 'string' },
            title: { type: 'string' },
            detail: { type: 'string' },
          },
        },
      },
    },
  },
} as const

const CONFIG = {
  type: 'object',
  required: ['num', 'shards', 'groups', 'partitioner', 'cause', 'at'],
  properties: {
    num: whole,
    shards: { ...wholes, description: 'shard to owning gid, 0 for none' },
    groups: { type: 'object', additionalProperties: texts, description: 'gid to base URLs' },
    partitioner: { enum: ['hash', 'first-byte'] },
    cause: { type: 'object', properties: { op: { enum: ['init', 'join', 'leave', 'move'] } } },
    at: { ...whole, description: 'ms since 1970' },
  },
} as const

export const SHARDMASTER_SCHEMAS = {
  Join: input(CHANGE_SCHEMAS.join),
  Leave: input(CHANGE_SCHEMAS.leave),
  Move: input(CHANGE_SCHEMAS.move),
  Config: CONFIG,
  History: {
    type: 'object',
    properties: { configs: { type: 'array', items: { $ref: '#/components/schemas/Config' } } },
  },
} as const
