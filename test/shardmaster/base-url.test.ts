import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseBaseUrl } from '../../server/shardmaster/base-url.ts'

const test = suite('base URL')

test('is kept as given, but for case, default port and trailing slashes', () => {
  const table: readonly (readonly [string, string])[] = [
    ['http://127.0.0.1:4211', 'http://127.0.0.1:4211'],
    ['http://127.0.0.1:4211/', 'http://127.0.0.1:4211'],
    ['HTTPS://Node-1.Example.ORG:443//', 'https://node-1.example.org'],
    ['http://localhost:80', 'http://localhost'],
    ['https://localhost:80', 'https://localhost:80'],
    ['http://host/Base/path/', 'http://host/Base/path'],
    ['http://[::1]:4211', 'http://[::1]:4211'],
    ['http://[FD00::a]:1', 'http://[fd00::a]:1'],
    ['http://shard_glass-1:65535', 'http://shard_glass-1:65535'],
    ['http://10.0.0.255:1', 'http://10.0.0.255:1'],
  ]
  for (const [given, url] of table) assert.is(parseBaseUrl(given)?.url, url, given)
})

test('is refused where it is no place of a replica', () => {
  const table = [
    ...[
      '',
      'host',
      'host:80',
      '//host',
      'ftp://host',
      'file:///etc/passwd',
      'http://',
      'http:///x',
    ],
    ...['http://user@host', 'http://user:word@host', 'http://host?x=1', 'http://host#x'],
    ...['http://host:0', 'http://host:65536', 'http://host:123456', 'http://host:', 'http://ho st'],
    ...[
      'http://host/..',
      'http://host/a/../b',
      'http://host/%2e',
      'http://host/a b',
      ' http://host',
    ],
    ...['http://host\n', 'http://h\u00f6st', 'http://-host', 'http://host-', 'http://a..b'],
    ...['http://host.', `http://${'a'.repeat(64)}`, `http://host/${'a'.repeat(300)}`],
  ]
  for (const given of table) assert.is(parseBaseUrl(given), null, given)
})

test('is refused for addresses that are link-local, multicast or of no host, however spelt', () => {
  const table = [
    ...['169.254.169.254', '169.254.0.1', '0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255'],
    ...['2852039166', '0xa9fea9fe', '0xa9.0xfe.0xa9.0xfe', '0251.0376.0251.0376', '169.254.43518'],
    ...['1', '256.1.1.1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.0x4', 'x.1'],
    ...['[::]', '[fe80::1]', '[FEBF::1]', '[ff02::1]', '[::ffff:169.254.169.254]'],
    ...['[::ffff:a9fe:a9fe]', '[0:0:0:0:0:ffff:a9fe:a9fe]', '[::a9fe:a9fe]', '[::ffff:0:1]'],
    ...[
      '[1]',
      '[1::2::3]',
      '[1:2:3:4:5:6:7:8:9]',
      '[1:2:3:4:5:6:7::8]',
      '[12345::]',
      '[]',
      '[::g]',
    ],
  ]
  for (const host of table) assert.is(parseBaseUrl(`http://${host}:4211`), null, host)
})

test('has one identity for all spellings of one place', () => {
  const same: readonly (readonly [string, string])[] = [
    ['http://HOST:80/', 'http://host'],
    ['http://[::1]:1', 'http://[0:0:0:0:0:0:0:1]:1'],
    ['http://[fd00:0::00a]:1', 'http://[fd00::a]:1'],
    ['http://127.0.0.1:1', 'http://[::ffff:7f00:1]:1'],
    ['http://host:443', 'https://host'],
  ]
  for (const [left, right] of same) {
    assert.ok(parseBaseUrl(left) !== null, left)
    assert.is(parseBaseUrl(left)?.identity, parseBaseUrl(right)?.identity, left)
  }
  const other = parseBaseUrl('http://host:81')?.identity
  assert.is.not(other, parseBaseUrl('http://host:82')?.identity)
  assert.is.not(other, parseBaseUrl('http://host:81/x')?.identity)
})

test.run()
