import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import {
  conditionOf,
  configConditionOf,
  deadlineOf,
  decodeJson,
  encodingProblem,
  isDirect,
  readJson,
  sessionOf,
  traceParentOf,
} from '../../server/http/decode.ts'
import { newShared } from '../../server/http/exchange.ts'
import { WebExchange } from '../../server/http/web-exchange.ts'

const test = suite('decode')

function exchange(headers: Record<string, string>, body?: string | Uint8Array) {
  const more = body === undefined ? {} : { body }
  const request = new Request('http://localhost/', { method: 'POST', headers, ...more })
  return new WebExchange(request, newShared())
}

const codeOf = (found: unknown) => (found as { code?: string } | null)?.code ?? null

test('conditions are read as they are written, and nonsense is refused', () => {
  assert.equal(conditionOf(exchange({})), { type: 'none' })
  assert.equal(conditionOf(exchange({ 'if-match': '"7"' })), { type: 'ifVersion', version: 7 })
  assert.equal(conditionOf(exchange({ 'if-match': '"0"' })), { type: 'ifVersion', version: 0 })
  assert.equal(conditionOf(exchange({ 'if-match': '*' })), { type: 'ifPresent' })
  assert.equal(conditionOf(exchange({ 'if-none-match': '*' })), { type: 'ifAbsent' })
  const nonsense: Record<string, string>[] = [
    ...['7', '"x"', 'W/"7"', '"7", "8"', '""', '"-1"', '"1.5"', '"9007199254740992"', '"7"x'].map(
      value => ({ 'if-match': value }),
    ),
    { 'if-none-match': '"7"' },
    { 'if-match': '"7"', 'if-none-match': '*' },
  ]
  for (const headers of nonsense) {
    assert.is(codeOf(conditionOf(exchange(headers))), 'bad-request', JSON.stringify(headers))
  }
  assert.is(configConditionOf(exchange({ 'if-match': '"config-12"' })), 12)
  assert.is(configConditionOf(exchange({})), null)
  for (const value of ['"12"', 'config-12', '*', '"config--1"']) {
    assert.is(codeOf(configConditionOf(exchange({ 'if-match': value }))), 'bad-request', value)
  }
})

test('a client number acknowledges what lies behind its window, or what it says', () => {
  const of = (key: string, acked?: string) =>
    sessionOf(exchange({ 'idempotency-key': key, ...(acked ? { 'shardglass-acked': acked } : {}) }))
  assert.is(sessionOf(exchange({})), null)
  assert.equal(of('c/1'), { client: 'c', number: 1, acked: 0 })
  assert.equal(of('c/64'), { client: 'c', number: 64, acked: 0 })
  assert.equal(of('c/65'), { client: 'c', number: 65, acked: 1 })
  assert.equal(of('a.B_c-9/100', '99'), { client: 'a.B_c-9', number: 100, acked: 99 })
  assert.equal(of('c/100', '0'), { client: 'c', number: 100, acked: 0 })
  const keys = ['c', 'c/', 'c/0', 'c/01', 'c/-1', 'c/1.5', '/1', 'c c/1', 'c/1/2', 'é/1']
  keys.push(`${'c'.repeat(65)}/1`, 'c/9007199254740992', 'c/9007199254740991', 'c/1, d/2')
  for (const key of keys) assert.is(codeOf(of(key)), 'bad-request', key)
  for (const acked of ['5', '6', '-1', 'x', '1.0']) {
    assert.is(codeOf(of('c/5', acked)), 'bad-request', acked)
  }
  assert.is(codeOf(sessionOf(exchange({ 'shardglass-acked': '1' }))), 'bad-request')
})

test('other headers are exact too', () => {
  assert.is(isDirect(exchange({})), false)
  assert.is(isDirect(exchange({ 'shardglass-direct': '1' })), true)
  assert.is(codeOf(isDirect(exchange({ 'shardglass-direct': 'yes' }))), 'bad-request')
  assert.is(deadlineOf(exchange({ 'shardglass-timeout-ms': '250' })), 250)
  assert.is(deadlineOf(exchange({})), 10_000)
  for (const value of ['0', '60001', '1e3', '-5', 'x']) {
    const found = deadlineOf(exchange({ 'shardglass-timeout-ms': value }))
    assert.is(codeOf(found), 'bad-request', value)
  }
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  assert.is(traceParentOf(exchange({ traceparent: trace })), trace)
  for (const bad of [`00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, trace.toUpperCase(), 'x']) {
    assert.is(traceParentOf(exchange({ traceparent: bad })), null, bad)
  }
  assert.is(encodingProblem(exchange({ 'content-encoding': 'identity' })), null)
  assert.is(codeOf(encodingProblem(exchange({ 'content-encoding': 'gzip' }))), MEDIA)
})

const MEDIA = 'unsupported-media-type'
const SCHEMA = z.strictObject({ name: z.string(), list: z.array(z.int()).optional() })

test('JSON of another shape is refused, and no value of it is repeated', () => {
  const refused = [
    '',
    'null',
    '[]',
    '"x"',
    '{',
    '{"name":1}',
    '{"name":NaN}',
    '{"name":"a","name":"b"}',
    '{"name":"a","more":"SECRET"}',
    '{"name":"a","list":[1.5]}',
    '{"name":"a","__proto__":{}}',
    '\ufeff{"name":"a"}',
    '{"name":"a"} x',
    "{'name':'a'}",
  ]
  for (const text of refused) {
    const found = decodeJson(Buffer.from(text), SCHEMA)
    assert.is(codeOf(found), 'bad-request', text)
    assert.not.match(JSON.stringify(found), 'SECRET')
  }
  assert.equal(decodeJson(Buffer.from('{"name":"a:,{\\"b\\\\"}'), SCHEMA), { name: 'a:,{"b\\' })
  assert.equal(decodeJson(Buffer.from('{"name":"a\\":b"}'), SCHEMA), { name: 'a":b' })
  assert.is(codeOf(decodeJson(Buffer.from([0x7b, 0xff, 0x7d]), SCHEMA)), 'bad-request')
  const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))
  assert.is(codeOf(decodeJson(nested(33), z.unknown())), 'bad-request')
  assert.ok(Array.isArray(decodeJson(nested(32), z.unknown())))
})

test('a megabyte of tiny members is refused before it is parsed', () => {
  const members = Array.from({ length: 100_000 }, (_, index) => `"k${index}":1`).join(',')
  const found = decodeJson(Buffer.from(`{${members}}`), SCHEMA)
  assert.ok('code' in found && found.code === 'bad-request')
  assert.match(found.detail, 'too many members', 'the scan refused it, not the schema')
})

test('a JSON body needs its content type, no encoding and a length within bounds', async () => {
  const json = { 'content-type': 'application/json' }
  const read = (headers: Record<string, string>, body: string) =>
    readJson(exchange(headers, body), SCHEMA, 64)
  assert.equal(await read(json, '{"name":"a"}'), { name: 'a' })
  const charset = { 'content-type': 'application/json; charset=UTF-8' }
  assert.equal(await read(charset, '{"name":"a"}'), { name: 'a' })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
    assert.is(codeOf(await read({ 'content-type': type }, '{"name":"a"}')), MEDIA, type)
  }
  const latin = { 'content-type': 'application/json; charset=latin1' }
  assert.is(codeOf(await read(latin, '{"name":"a"}')), MEDIA)
  assert.is(codeOf(await read({ ...json, 'content-encoding': 'gzip' }, '{"name":"a"}')), MEDIA)
  assert.is(codeOf(await read(json, `{"name":"${'a'.repeat(64)}"}`)), 'too-large')
})

test.run()
