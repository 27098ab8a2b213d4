import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Archive } from '../../../ops/archive/archive.ts'
import { createArchiveApp } from '../../../ops/archive/archive-app.ts'
import { ArchiveMetrics } from '../../../ops/archive/archive-metrics.ts'
import { timeOf } from '../../../ops/archive/archive-query.ts'
import { ArchiveClient } from '../../../ops/archive/client.ts'
import { PROCESS_FAMILIES } from '../../../ops/telemetry/families-process.ts'
import { PREFIX } from '../../../ops/telemetry/metric-family.ts'
import { metricsRoute } from '../../../ops/telemetry/metrics-route.ts'
import type { HttpApp } from '../../../server/http/app.ts'
import { createAuth, hashToken } from '../../../server/http/auth.ts'
import { type HttpServer, startHttpServer } from '../../../server/http/server.ts'
import { handoffSpans, instanceSpan, jsonBody, protobufBody } from '../../support/archive-spans.ts'

const test = suite('archive routes')
const MICROS = Date.UTC(2024, 10, 25, 10) * 1000
const NOW_MS = MICROS / 1000 + 60_000
const TOKENS = { reader: 'r'.repeat(32), writer: 'w'.repeat(32), admin: 'a'.repeat(32) } as const
const PEER = 'p'.repeat(32)
let folder = ''
let archive: Archive
let app: HttpApp
let server: HttpServer
let client: ArchiveClient
let stopMetrics = (): void => undefined

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'archive-routes-'))
  const fail = (error: unknown): never => {
    throw error
  }
  archive = await Archive.start({
    ...{ folder, sync: 'normal', bytesMax: 64 * 1024 ** 2, version: 'test' },
    ageMsMax: 36_500 * 86_400_000,
    onNote: () => undefined,
    onFatal: fail,
    onWritten: seconds => metrics.onWritten(seconds),
  })
  const metrics = new ArchiveMetrics(() => archive.status(), 'test')
  stopMetrics = () => metrics.stop()
  const records = (['reader', 'writer', 'admin'] as const).map(role => {
    return { name: role, role, hash: hashToken(TOKENS[role]) }
  })
  app = createArchiveApp({
    archive,
    version: 'test',
    auth: createAuth({ tokens: records, peerHash: hashToken(PEER) }),
    onFault: fail,
    nowMs: () => NOW_MS,
    onExport: status => metrics.onExport(status),
    moreRoutes: [metricsRoute(metrics.registry)],
  })
  server = await startHttpServer({
    ...{ app, host: '127.0.0.1', port: 0 },
    onPeerPost: async () => ({ status: 404, body: '' }),
    onUpgrade: (_, socket) => socket.destroy(),
  })
  client = new ArchiveClient({ url: `http://127.0.0.1:${server.port}`, token: TOKENS.reader })
  const spans = [
    ...Array.from({ length: 200 }, (_, at) =>
      instanceSpan({ slot: at + 1, startMicros: MICROS + at * 1_000 }),
    ),
    ...handoffSpans({ config: 3, shard: 17, from: 1, to: 2, startMicros: MICROS }),
  ]
  assert.is((await exported(protobufBody(spans), {})).status, 200)
})
test.after(async () => {
  await client.close()
  await server.close({ graceMs: 100 })
  stopMetrics()
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

function exported(body: Buffer, headers: Record<string, string>, token: string = PEER) {
  return app.hono.request('/v1/traces', {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/x-protobuf',
      ...headers,
    },
    body: new Uint8Array(body),
  })
}

function got(path: string, token: string | null = TOKENS.reader) {
  return app.hono.request(path, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  })
}

test('each route is for those who are named, and for nobody else', async () => {
  for (const { method, path, role } of app.routes) {
    const real = path.replace(/\{traceId\}/, 'a'.repeat(32)).replace(/\{\w+\}/g, '1')
    const ask = (token: string | null) =>
      method === 'POST' ? exported(Buffer.alloc(0), {}, token ?? '') : got(real, token)
    const may = async (token: string | null) => ![401, 403].includes((await ask(token)).status)
    const name = `${method} ${path}`
    assert.is(await may(null), role === 'public', name)
    assert.is(await may(TOKENS.reader), role !== 'writer', name)
    assert.is(await may(TOKENS.writer), true, name)
    assert.is(await may(TOKENS.admin), true, name)
    assert.is(await may(PEER), role === 'public' || path === '/v1/traces', name)
  }
})

test('exports are answered in their encoding, plain or gzip', async () => {
  const spans = [instanceSpan({ slot: 9_001, startMicros: MICROS })]
  const json = await exported(gzipSync(jsonBody(spans)), {
    'content-type': 'application/json; charset=utf-8',
    'content-encoding': 'gzip',
  })
  assert.is(json.status, 200)
  assert.match(json.headers.get('content-type') ?? '', /^application\/json/)
  assert.is(await json.text(), '{}')
  const protobuf = await exported(protobufBody(spans), { 'content-encoding': 'identity' })
  assert.is(protobuf.headers.get('content-type'), 'application/x-protobuf')
  assert.is((await protobuf.arrayBuffer()).byteLength, 0)
  assert.is((await exported(Buffer.alloc(0), {})).status, 200, 'no spans at all')
})

test('what is refused of a batch is counted in its answer, and the rest is stored', async () => {
  const good = JSON.parse(jsonBody([instanceSpan({ slot: 9_100, startMicros: MICROS })]).toString())
  const scope = good.resourceSpans[0].scopeSpans[0]
  scope.spans.push({ ...scope.spans[0], traceId: 'javascript:alert(1)' })
  const future = (Date.now() + 3_600_000) * 1000
  const ahead = JSON.parse(
    jsonBody([instanceSpan({ slot: 9_101, startMicros: future })]).toString(),
  )
  scope.spans.push(ahead.resourceSpans[0].scopeSpans[0].spans[0])
  const answer = await exported(Buffer.from(JSON.stringify(good)), {
    'content-type': 'application/json',
  })
  assert.is(answer.status, 200)
  assert.equal(await answer.json(), {
    partialSuccess: { rejectedSpans: '2', errorMessage: 'a trace id is not valid' },
  })
  assert.is((await client.instance(1, 9_100)).type, 'found')
  assert.is((await client.instance(1, 9_101)).type, 'absent')
})

test('bodies that are bombs, broken, too large or of another kind are refused by name', async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024))
  assert.ok(bomb.length < 300_000)
  const rows: readonly (readonly [Buffer, Record<string, string>, number, RegExp])[] = [
    [bomb, { 'content-encoding': 'gzip' }, 413, /too-large/],
    [Buffer.alloc(8 * 1024 * 1024 + 1), {}, 413, /too-large/],
    [Buffer.from('not gzip'), { 'content-encoding': 'gzip' }, 400, /bad-request/],
    [Buffer.from('\u0001\u0002'), {}, 400, /bad-request/],
    [Buffer.from('[]'), { 'content-type': 'application/json' }, 400, /bad-request/],
    [Buffer.from('{"resourceSpans":'), { 'content-type': 'application/json' }, 400, /not JSON/],
    [Buffer.from('{}'), { 'content-type': 'text/plain' }, 415, /unsupported-media-type/],
    [Buffer.from('{}'), { 'content-encoding': 'br' }, 415, /unsupported-media-type/],
  ]
  for (const [body, headers, status, text] of rows) {
    const answer = await exported(body, headers)
    assert.is(answer.status, status, JSON.stringify(headers))
    assert.match(await answer.text(), text)
  }
  assert.is((await client.instance(1, 7)).type, 'found', 'it goes on')
})

test('a batch with hostile times, ids, nesting and texts is bounded, and comes back as text', async () => {
  const span = {
    traceId: 'c'.repeat(32),
    spanId: 'd'.repeat(16),
    parentSpanId: 'd'.repeat(16), // its own parent
    name: '<script>alert(1)</script>',
    startTimeUnixNano: String(MICROS * 1000),
    endTimeUnixNano: String(MICROS * 1000 + 5_000),
    attributes: [
      { key: 'constructor', value: { stringValue: 'x'.repeat(1_000_000) } },
      { key: '__proto__', value: { boolValue: true } },
      { key: 'shardglass.slot', value: { intValue: '-1' } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
    ],
    events: [{ name: 'e', timeUnixNano: '99999999999999999999' }],
    links: [{ traceId: 'nothing', spanId: '<b>' }],
  }
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }))
  assert.is((await exported(body, { 'content-type': 'application/json' })).status, 200)
  const answer = await got(`/v1/traces/${'C'.repeat(32)}`)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
  assert.is(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.match(await answer.text(), /"__proto__":true/)
  const found = await client.trace('c'.repeat(32))
  assert.ok(found.type === 'found')
  const [stored] = found.value.spans
  assert.is(stored?.name, span.name)
  assert.is(String(stored?.attributes.constructor).length, 2_048)
  assert.is(stored?.attributes.nan, 'NaN')
  assert.equal(stored?.links, [])
  assert.is(stored?.events[0]?.atMicros, MICROS)
})

test('questions that are not understood are refused', async () => {
  const bad = [
    '/v1/instances?gid=x',
    '/v1/instances?gid=-1',
    '/v1/instances?limit=0',
    '/v1/instances?limit=1001',
    '/v1/instances?order=fastest',
    '/v1/instances?before=x',
    '/v1/instances?from=yesterday',
    '/v1/instances?shard=1',
    "/v1/spans?name=x'%3B%20DROP%20TABLE%20spans",
    '/v1/instances/1',
    '/v1/instances/1/2/3',
    '/v1/instances/one/2',
    '/v1/traces/xyz',
    '/v1/handoffs/1.5/2',
  ]
  for (const path of bad) assert.is((await got(path)).status, 400, path)
  for (const path of ['/v1/traces', '/v1/requests', '/v1/nothing']) {
    assert.is((await got(path)).status, 404, path)
  }
  assert.is((await got(`/v1/traces/${'9'.repeat(32)}`)).status, 404)
})

test('times are ms, ISO 8601, or ago', () => {
  const now = Date.UTC(2026, 10, 25, 12)
  assert.is(timeOf('90s', now), now - 90_000)
  assert.is(timeOf('2h', now), now - 7_200_000)
  assert.is(timeOf('7d', now), now - 7 * 86_400_000)
  assert.is(timeOf('1764064800000', now), 1_764_064_800_000)
  assert.is(timeOf('2026-11-25T10:42:00Z', now), Date.UTC(2026, 10, 25, 10, 42))
  assert.is(timeOf('2026-11-25', now), Date.UTC(2026, 10, 25))
  for (const text of ['', '1w', '-5', '2026-13-45', 'now', '1e9'])
    assert.is(timeOf(text, now), null)
})

test('the client checks what it gets, and says why it got nothing', async () => {
  const lines = await client.instances({ from: '70s', to: NOW_MS, limit: 5, order: 'slowest' })
  assert.ok(lines.type === 'found' && lines.value.instances.length === 5)
  const moved = await client.handoff(3, 17)
  assert.ok(moved.type === 'found' && moved.value.spans.length === 2)
  assert.ok((await client.handoffs({ shard: 17 })).type === 'found')
  assert.ok((await client.timeline()).type === 'found')
  assert.ok((await client.spans({ name: 'shardkv.handoff' })).type === 'found')
  const wrong = new ArchiveClient({ url: client.url, token: 'x'.repeat(32) })
  const refused = await wrong.status()
  assert.ok(refused.type === 'failed' && refused.code === 'refused', JSON.stringify(refused))
  const nobody = new ArchiveClient({ url: 'http://127.0.0.1:1', token: 'x' })
  const away = await nobody.status()
  assert.ok(away.type === 'failed' && away.code === 'unreachable')
  await Promise.all([wrong.close(), nobody.close()])
})

test('metrics have every family that the catalog gives to the archive', async () => {
  const text = await (await got('/metrics')).text()
  for (const [name, { on }] of Object.entries(PROCESS_FAMILIES)) {
    const isOurs = [...on].some(kind => kind === 'archive')
    assert.is(text.includes(`# TYPE ${PREFIX}${name} `), isOurs, name)
  }
  assert.match(text, /shardglass_archive_spans_total\{result="stored"\} \d{3}/)
  assert.match(text, /shardglass_archive_requests_total\{code="413"\} 2/)
})

type Document = {
  readonly paths: Record<string, { get: { parameters: readonly { name: string }[] } }>
}

test('the description names every route, and the page shows it', async () => {
  const document: Document = JSON.parse(await (await got('/openapi.json', null)).text())
  for (const { path } of app.routes) assert.ok(document.paths[path] !== undefined, path)
  const parameters = document.paths['/v1/instances/{gid}/{slot}']?.get.parameters ?? []
  assert.equal(
    parameters.map(({ name }) => name),
    ['gid', 'slot'],
  )
  assert.match(await (await got('/docs', null)).text(), /archive of traces/)
})

test('what was answered waits no more: any number of large batches is taken one after the other', async () => {
  const body = Buffer.alloc(8 * 1024 * 1024, ' ')
  for (let count = 0; count < 10; count++) {
    const { type } = await archive.store({ encoding: 'json', isGzip: false, body })
    assert.is(type, 'bad', `batch ${count}`)
  }
})

test.run()
