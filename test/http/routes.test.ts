import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { HttpApp } from '../../server/http/app.ts'
import { PROBLEM_CODES, problem, statusOf } from '../../server/http/problem.ts'
import { KvNode, TOKENS } from '../support/kv-node.ts'
import { ShardmasterNode } from '../support/shardmaster-node.ts'

const test = suite('routes')

const RANK = { public: 0, reader: 1, writer: 2, admin: 3 } as const
const CALLERS = [
  [null, 0],
  ['wrong-token', 0],
  [TOKENS.peer, 0],
  [TOKENS.reader, 1],
  [TOKENS.writer, 2],
  [TOKENS.admin, 3],
] as const
const PUBLIC = ['/docs', '/healthz', '/openapi.json', '/readyz']

const newNodes = () => [new KvNode(), new ShardmasterNode()]

test('every route of the router is in the table, and the table names its role', () => {
  for (const { app } of newNodes()) {
    const inTable = app.routes.map(route => `${route.method} ${route.path.replace(/\{.*/, '*')}`)
    const inRouter = app.hono.routes.map(route => `${route.method} ${route.path}`)
    assert.equal(inRouter.sort(), inTable.sort())
    for (const route of app.routes) assert.ok(route.role in RANK, route.path)
    const open = app.routes.filter(route => route.role === 'public').map(route => route.path)
    assert.equal(open.sort(), PUBLIC)
    for (const route of app.routes.filter(known => known.role === 'public')) {
      assert.not(route.mayChange, route.path)
    }
  }
})

test('each route lets in the roles from its own on, and nobody else', async () => {
  for (const node of newNodes()) {
    for (const route of node.app.routes) {
      for (const [token, rank] of CALLERS) {
        const status = await statusFor(node, route, token)
        const name = `${route.method} ${route.path} by rank ${rank}: ${status}`
        if (rank >= RANK[route.role]) assert.not([401, 403].includes(status), name)
        else assert.is(status, rank === 0 ? 401 : 403, name)
      }
    }
  }
})

async function statusFor(
  node: KvNode | ShardmasterNode,
  route: { readonly method: string; readonly path: string },
  token: string | null,
): Promise<number> {
  const path = route.path.replace('{key}', 'some-key').replace('{num}', '0')
  const body = route.method === 'GET' ? {} : { body: '{}' }
  const response = await node.request(route.method, path, { token, ...body })
  await response.body?.cancel()
  return response.status
}

test('health says ok and no more; readiness follows the replica', async () => {
  const node = new KvNode()
  const get = async (path: string) => {
    const response = await node.request('GET', path, { token: null })
    return [response.status, await response.text()] as const
  }
  assert.equal(await get('/healthz'), [200, '{"status":"ok"}'])
  assert.equal(await get('/readyz'), [200, '{"status":"ready"}'])
  node.backend.isReady = false
  assert.equal(await get('/healthz'), [200, '{"status":"ok"}'])
  const [status, body] = await get('/readyz')
  assert.is(status, 503)
  assert.is(JSON.parse(body).type, 'urn:shardglass:not-ready')
  const full = await node.request('GET', '/v1/status', { token: TOKENS.reader })
  assert.equal(await full.json(), { ...node.backend.status() })
})

test('openapi.json has every route, resolves its references, and names each operation once', async () => {
  for (const { app } of newNodes()) {
    const document = (await (await app.hono.request('/openapi.json')).json()) as Document
    assert.is(document.openapi, '3.1.0')
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
    )
    const routes = app.routes.flatMap(route =>
      route.method === 'GET'
        ? [`GET ${route.path}`, `HEAD ${route.path}`]
        : [`${route.method} ${route.path}`],
    )
    assert.equal(described.sort(), routes.sort())
    const text = JSON.stringify(document)
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      assert.ok(document.components.schemas[name!] !== undefined, name)
    }
    const ids = new Set<string>()
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const operation of Object.values(operations)) checkOperation(path, operation, ids)
    }
  }
})

type Operation = {
  readonly operationId: string
  readonly summary: string
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly description: string }>>
  readonly security: readonly unknown[]
  readonly 'x-role': string
}
type Document = {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

function checkOperation(path: string, operation: Operation, ids: Set<string>): void {
  assert.not(ids.has(operation.operationId), operation.operationId)
  ids.add(operation.operationId)
  assert.type(operation.summary, 'string')
  for (const response of Object.values(operation.responses)) {
    assert.type(response.description, 'string', `${path}: a response needs a description`)
  }
  const names = operation.parameters.map(parameter => `${parameter.in} ${parameter.name}`)
  assert.is(new Set(names).size, names.length, `${path}: ${names}`)
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(found => `path ${found[1]}`)
  assert.equal(
    names.filter(name => name.startsWith('path ')),
    inPath,
  )
  assert.is(operation.security.length, operation['x-role'] === 'public' ? 0 : 1)
}

test('the page of the API needs nothing from elsewhere and runs no script', async () => {
  for (const { app } of newNodes()) {
    const response = await app.hono.request('/docs')
    const page = await response.text()
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; frame-ancestors 'none'/)
    assert.not.match(page, /<script|<img|<link|https?:\/\/|url\(|@import| on\w+=/)
    for (const route of app.routes) assert.ok(page.includes(`<code>${route.path}</code>`))
  }
})

test('more routes of a node go through the same gate', async () => {
  const node = new KvNode({ moreRoutes: [METRICS] })
  const response = await node.request('GET', '/metrics', { token: TOKENS.reader })
  assert.is(await response.text(), 'x 1\n')
  assert.is((await node.request('GET', '/metrics', { token: null })).status, 401)
})

const METRICS: HttpApp['routes'][number] = {
  method: 'GET',
  path: '/metrics',
  role: 'reader',
  scope: 'node',
  mayChange: false,
  query: [],
  doc: { operationId: 'metrics', summary: 'Metrics', responses: {} },
  handle: () => ({ status: 200, headers: ['Content-Type', 'text/plain'], body: 'x 1\n' }),
}

test('every code of the contract has its status', () => {
  const contract = {
    'bad-request': 400,
    unauthorized: 401,
    forbidden: 403,
    'not-found': 404,
    'no-such-key': 404,
    'method-not-allowed': 405,
    conflict: 409,
    'session-expired': 410,
    'condition-failed': 412,
    'too-large': 413,
    'unsupported-media-type': 415,
    'wrong-group': 421,
    'request-mismatch': 422,
    'too-many-requests': 429,
    'no-leader': 503,
    'no-group': 503,
    overloaded: 503,
    timeout: 504,
    'disk-full': 507,
  } as const
  for (const [code, status] of Object.entries(contract)) {
    assert.ok(PROBLEM_CODES.includes(code), code)
    assert.is(statusOf(problem(code as keyof typeof contract, '')), status, code)
  }
})

test.run()
