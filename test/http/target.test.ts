import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  checkedKey,
  keyInPath,
  parseQuery,
  percentDecoded,
  splitTarget,
  targetProblem,
} from '../../server/http/target.ts'

const test = suite('target')
const isOwn = (host: string) => host === 'localhost:4211'
const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const keyOf = (target: string) => keyInPath(splitTarget(target).path, '/v1/kv/')

test('a key is the rest of the path, decoded exactly once', () => {
  const table: readonly (readonly [string, string])[] = [
    ['/v1/kv/a', 'a'],
    ['/v1/kv/a/b', 'a/b'],
    ['/v1/kv//a', '/a'],
    ['/v1/kv/a//b/', 'a//b/'],
    ['/v1/kv/a%2Fb', 'a/b'],
    ['/v1/kv/%2561', '%61'],
    ['/v1/kv/a+b', 'a+b'],
    ['/v1/kv/a%20b', 'a b'],
    ['/v1/kv/%0d%0a', '\r\n'],
    ['/v1/kv/%00', '\0'],
    ['/v1/kv/..%2f..%2fetc%2fpasswd', '../../etc/passwd'],
    ['/v1/kv/__proto__', '__proto__'],
    ['/v1/kv/%C3%A9', bytes('é')],
    ['/v1/kv/\u00c3\u00a9', bytes('é')],
    ['/v1/kv/%f0%9f%98%80', bytes('😀')],
    ['/v1/kv/...', '...'],
    ['/v1/kv/.hidden', '.hidden'],
    ['/v1/kv/a?consistency=stale', 'a'],
  ]
  for (const [target, key] of table) assert.is(keyOf(target), key, target)
})

test('what is no key of 1 to 1,024 bytes of valid UTF-8 is refused', () => {
  const refused = ['', '%zz', 'a%', 'a%f', '%ff', 'a%ffb', '%c3', '%ed%a0%80', '%c0%af', '\u00e9']
  for (const rest of refused) assert.type(keyOf(`/v1/kv/${rest}`), 'object', rest)
  assert.type(keyOf(`/v1/kv/${'k'.repeat(1024)}`), 'string')
  assert.type(keyOf(`/v1/kv/${'k'.repeat(1025)}`), 'object')
  assert.type(keyOf(`/v1/kv/${'%41'.repeat(1024)}`), 'string')
  assert.type(checkedKey('é'.repeat(1)), 'object', 'a character that is a byte, but no UTF-8')
})

test('every byte survives escaping', () => {
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).padStart(2, '0')
    assert.is(percentDecoded(`x%${hex}y`), `x${String.fromCharCode(byte)}y`)
    assert.is(percentDecoded(`%${hex.toUpperCase()}`), String.fromCharCode(byte))
  }
  for (const bad of ['%', '%1', '%g0', '%0g', '%%41', '%-1', '% 1']) {
    assert.is(percentDecoded(bad), null, bad)
  }
})

test('targets that others would rewrite are refused', () => {
  const refused = [
    '/v1/kv/../admin',
    '/v1/kv/%2e%2e/admin',
    '/v1/kv/.%2E/admin',
    '/v1/kv/.',
    '/v1/kv/a/..',
    '/v1/kv/%2e',
    '/./v1/kv/a',
    '/v1/kv/a#b',
    '/v1/kv\\a',
    '*',
    'localhost:4211',
    'http://evil.example/v1/kv/a',
    'http://localhost:4211.evil.example/v1/kv/a',
    'http://localhost:4211@evil.example/v1/kv/a',
  ]
  for (const target of refused) {
    assert.is(targetProblem(target, isOwn)?.code, 'bad-request', target)
  }
  const taken = ['/v1/kv/..a', '/v1/kv/a..', '/v1/kv/a.b/c', '/v1/kv/..%2fa', '/v1/kv?key=/../a']
  for (const target of taken) assert.is(targetProblem(target, isOwn), null, target)
  assert.is(targetProblem('http://localhost:4211/v1/kv/a', isOwn), null)
  assert.equal(splitTarget('http://localhost:4211/v1/kv/a?x=1'), { path: '/v1/kv/a', query: 'x=1' })
  assert.equal(splitTarget('http://localhost:4211?x'), { path: '/', query: 'x' })
})

test('a query is percent-decoded only, and knows its parameters', () => {
  const allowed = ['key', 'consistency']
  const found = parseQuery('key=a+b%2Bc%26d=e/..&consistency=stale', allowed)
  assert.equal(
    found,
    new Map([
      ['key', 'a+b+c&d=e/..'],
      ['consistency', 'stale'],
    ]),
  )
  assert.equal(parseQuery('', allowed), new Map())
  for (const query of ['b', 'key=a&key=b', 'key=%f', 'token=x', 'access_token=x', '&', 'KEY=a']) {
    const refusal = parseQuery(query, allowed)
    assert.ok('code' in refusal && refusal.code === 'bad-request', query)
  }
})

test.run()
