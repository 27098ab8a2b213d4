// openapi.json, made from the table of routes, so that it cannot miss one.

import type { Route } from './route.ts'

type Json = Readonly<Record<string, unknown>>

export type ApiInfo = { readonly title: string; readonly version: string }

export type ApiDocument = {
  readonly openapi: '3.1.0'
  readonly info: Json
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly components: Json
}

export function openApiDocument(
  info: ApiInfo,
  routes: readonly Route[],
  schemas: Json,
): ApiDocument {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const operations = paths[route.path] ?? {}
    paths[route.path] = operations
    operations[route.method.toLowerCase()] = operation(route)
    if (route.method === 'GET') operations.head = { ...operation(route, '-head') }
  }
  return {
    openapi: '3.1.0',
    info: { ...info, description: DESCRIPTION },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM_SCHEMA, ...schemas },
    },
  }
}

const DESCRIPTION =
  'Errors are application/problem+json with a type urn:shardglass:<code>. On every error of a ' +
  'request that could change something, outcome is not_applied (certainly no effect) or unknown ' +
  '(it may take effect yet: repeat it with the same Idempotency-Key).'

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance'],
  properties: {
    type: { type: 'string', pattern: '^urn:shardglass:' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    outcome: { enum: ['not_applied', 'unknown'] },
  },
}

function operation(route: Route, idSuffix = ''): Json {
  const { doc, role, query, path } = route
  const given = parametersOf(doc.parameters)
  const names = new Set(given.map(parameter => parameter.name))
  const inPath = /\{(\w+)\}/.exec(path)?.[1]
  const more: Json[] = []
  if (inPath !== undefined && !names.has(inPath)) {
    more.push({ name: inPath, in: 'path', required: true, schema: { type: 'string' } })
  }
  for (const name of query) {
    if (!names.has(name)) more.push({ name, in: 'query', schema: { type: 'string' } })
  }
  const isForm = path === '/v1/kv' || path === '/v1/puthash'
  const operationId = `${String(doc.operationId)}${isForm ? '-by-query' : ''}${idSuffix}`
  return {
    ...doc,
    operationId,
    parameters: [...given, ...more],
    'x-role': role,
    security: role === 'public' ? [] : [{ bearer: [] }],
    responses: { ...responsesOf(doc.responses), default: PROBLEM_RESPONSE },
  }
}

const PROBLEM_RESPONSE = {
  description: 'a problem',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

function parametersOf(parameters: unknown): readonly Json[] {
  return Array.isArray(parameters) ? parameters : []
}

function responsesOf(responses: unknown): object {
  return typeof responses === 'object' && responses !== null ? responses : {}
}
