import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { changesOf, fieldsOf, wishOf } from '../../dashboard/change-form.ts'
import { diffOf } from '../../dashboard/config-diff.ts'
import { bytes, micros, ranges, seconds } from '../../dashboard/format.ts'
import { levelOf } from '../../dashboard/heat-map.tsx'
import { cut, visible } from '../../dashboard/html.ts'
import { MetricsReader, quantile } from '../../dashboard/metrics-reader.ts'
import { dashboardOptions } from '../../dashboard/options.ts'
import { matchPath } from '../../dashboard/page.ts'
import { replayOf } from '../../dashboard/replay.ts'
import { scrapeOf } from '../../dashboard/scrape.ts'
import { inTree } from '../../dashboard/span-figure.tsx'
import { fromHex, hexLines } from '../../dashboard/value-view.tsx'
import type { ArchivedSpan } from '../../ops/archive/answers.ts'
import { Connections } from '../../server/client/connections.ts'
import { simulated, statusOf } from '../support/simulated-asker.ts'

const test = suite('parts of the dashboard')

const form = (fields: Record<string, string>) => wishOf(new URLSearchParams(fields))

test('a form becomes a wish, and the wish the same form again', () => {
  const wishes = [
    { op: 'join', gid: '3', servers: 'http://a:1/\nhttp://b:2,http://c:3' },
    { op: 'leave', gid: '1' },
    { op: 'move', gid: '2', shards: '3, 5-7 40–41', shard: '9' },
  ]
  for (const fields of wishes) {
    const wish = form(fields)
    if (typeof wish === 'string') throw new Error(wish)
    assert.equal(form(Object.fromEntries(fieldsOf(wish))), wish)
  }
  const moves = form(wishes[2] ?? {})
  if (typeof moves === 'string') throw new Error(moves)
  assert.equal(
    changesOf(moves).map(change => 'shard' in change && change.shard),
    [3, 5, 6, 7, 9, 40, 41],
  )
})

test('a form that is not complete says what is missing', () => {
  const wrong = [
    [{}, /number of a group/],
    [{ op: 'leave', gid: '0' }, /number of a group/],
    [{ op: 'leave', gid: '1e3' }, /number of a group/],
    [{ op: 'join', gid: '3', servers: ' ' }, /address of each replica/],
    [{ op: 'move', gid: '3' }, /at least one shard/],
    [{ op: 'move', gid: '3', shards: 'x' }, /numbers, or ranges/],
    [{ op: 'move', gid: '3', shards: '9-3' }, /At most 64/],
    [{ op: 'move', gid: '3', shards: '0-9999999' }, /At most 64/],
    [{ op: 'constructor', gid: '3' }, /join, leave or move/],
  ] as const
  for (const [fields, sentence] of wrong) assert.match(String(form(fields)), sentence)
})

test('a difference names moved shards, who came and who went', () => {
  const { config } = simulated(6, 2)
  const after = { ...config, num: 3, shards: [1, 2, 1, 3, 1, 3], groups: { 1: ['a'], 3: ['b'] } }
  const diff = diffOf(config, after)
  assert.equal(diff.moved, [
    { shard: 3, from: 2, to: 3 },
    { shard: 5, from: 2, to: 3 },
  ])
  assert.equal([diff.joined, diff.left], [[3], [2]])
  assert.equal(diff.counts, [
    { gid: 1, before: 3, after: 3 },
    { gid: 2, before: 3, after: 1 },
    { gid: 3, before: 0, after: 2 },
  ])
})

test('a path fits a template segment by segment, decoded once', () => {
  assert.equal(matchPath('/groups/{gid}', '/groups/7')?.params, { gid: '7' })
  assert.equal(matchPath('/a/{x}', '/a/b%2Fc%2520')?.params, { x: 'b/c%20' })
  for (const path of [
    '/groups',
    '/groups/',
    '/groups/7/',
    '/groups/7/8',
    '/Groups/7',
    '/groups/%zz',
  ]) {
    assert.is(matchPath('/groups/{gid}', path), null, path)
  }
})

test('what hides or reorders text is shown as an escape', () => {
  assert.is(visible('a\u202eb\u0007\u200b\ud800'), 'a\\u{202e}b\\u{7}\\u{200b}\ud800')
  assert.is(visible('a\nb\tc', true), 'a\nb\tc')
  assert.is(visible('a\nb'), 'a\\u{a}b')
  assert.is(visible('größe 値 🙂'), 'größe 値 🙂')
  assert.is(cut('abcdef', 3), 'abc… (6 characters)')
})

test('numbers are short, and read the same way everywhere', () => {
  assert.equal([0, 1023, 1536, 5 * 1024 ** 3].map(bytes), ['0 B', '1023 B', '1.5 KiB', '5 GiB'])
  assert.equal([12, 1234, 2_500_000, 90_000_000].map(micros), [
    '12 µs',
    '1.2 ms',
    '2.5 s',
    '1 min 30 s',
  ])
  assert.equal([59, 3_700, 100_000].map(seconds), ['59 s', '1 h 1 min', '1 d 3 h'])
  assert.is(ranges([5, 1, 2, 3, 9, 8]), '1–3, 5, 8–9')
})

test('bytes are shown in rows, and read back', () => {
  const value = Buffer.from('0123456789abcdef\u0000ÿ')
  assert.match(
    hexLines(value),
    /^000000 {2}30 31 .* 66 {2}0123456789abcdef\n000010 {2}00 c3 bf {2,}\.\.\.$/,
  )
  assert.equal(fromHex('68 65\n6C6c6f'), Buffer.from('hello'))
  for (const text of ['6', '6g', '0x68']) assert.is(fromHex(text), null)
})

test('latency of what came in between is read from two scrapes', () => {
  const line = (name: string, labels: string, value: number) =>
    `shardglass_${name}{${labels}} ${value}`
  const text = (scale: number) =>
    [
      '# HELP shardglass_requests_total x',
      line('requests_total', 'op="put",code="ok"', 100 * scale),
      line('requests_total', 'op="get",code="ok"', 50 * scale),
      line('request_duration_seconds_bucket', 'op="put",le="0.001"', 50 * scale),
      line('request_duration_seconds_bucket', 'op="put",le="0.002"', 99 * scale),
      line('request_duration_seconds_bucket', 'op="put",le="+Inf"', 100 * scale),
      line('shard_operations_total', 'shard="7",kind="read"', 10 * scale),
      line('shard_operations_total', 'shard="7",kind="write"', 5 * scale),
      line('requests_total', 'op="other",code="ok"', 900 * scale),
      'garbage{',
    ].join('\n')
  const [before, after] = [scrapeOf(text(1)), scrapeOf(text(3))]
  assert.is(after.requests - before.requests, 300, 'health and metrics do not count')
  assert.equal([...after.shards], [[7, 45]])
  assert.is(quantile(0.5, [[before.latency, after.latency]]), 0.001)
  assert.is(quantile(0.99, [[before.latency, after.latency]]), 0.002)
  assert.is(quantile(0.999, [[before.latency, after.latency]]), 0.002, 'beyond the last bound')
  assert.is(quantile(0.99, [[after.latency, after.latency]]), null, 'nothing came in')
})

test('the disk is read from a scrape: used by log and store, and what is left of it', () => {
  const told = 'shardglass_wal_bytes 300\nshardglass_store_bytes 45\n'
  assert.is(scrapeOf(told).disk, null, 'nothing is on a disk')
  const text = `${told}shardglass_disk_free_bytes 6e9\nshardglass_disk_size_bytes 8e9\n`
  assert.equal(scrapeOf(text).disk, { used: 345, free: 6e9, size: 8e9 })
})

test('a group that is silent has gaps in its charts, and is forgotten with its last point', async () => {
  let now = 0
  const connections = new Connections({ perNode: 1 })
  const metrics = new MetricsReader({ connections, nowMs: () => now })
  const look = async (gids: readonly number[]): Promise<void> => {
    now += 5_000
    const url = 'http://127.0.0.1:9'
    const nodes = gids.map(gid => {
      return { url, name: 'n', seenAt: now, error: null, status: statusOf(gid, 0, []) }
    })
    metrics.look(nodes, 'token')
    // The first look only begins.
    if (now === 5_000) await new Promise(done => setTimeout(done, 100))
    else while (metrics.heat.at(-1)?.at !== now) await new Promise(done => setTimeout(done, 1))
    await new Promise(done => setImmediate(done))
  }
  for (const gids of [[1, 2], [1, 2], [1], [1, 2]]) await look(gids)
  assert.equal(
    metrics.of(2).map(({ at, keys }) => [at, keys]),
    [
      [10_000, 0],
      [15_000, null],
      [20_000, 0],
    ],
  )
  assert.is(metrics.of(1).length, metrics.of(2).length)
  for (let looks = 0; looks < 176; looks++) await look([1])
  assert.equal(metrics.gids, [1, 2])
  for (let looks = 0; looks < 4; looks++) await look([1])
  assert.equal(metrics.gids, [1])
  await connections.close()
})

test('flags that no dashboard can serve with are refused', () => {
  const start = (listen: string, nodes: string) =>
    dashboardOptions(
      ['--listen', listen, '--nodes', nodes].concat([
        '--shardmasters',
        'http://a:1',
        '--data',
        'd',
        '--tokens-file',
        't',
      ]),
    )
  assert.equal(start('a:65535', 'kv1a=http://b:1').nodes, [{ name: 'kv1a', url: 'http://b:1' }])
  assert.throws(() => start('a:65536', ''), /a port is at most 65535/)
  for (const nodes of ['http://b:1', '=http://b:1'])
    assert.throws(() => start('a:1', nodes), /name=url/)
})

test('heat goes by orders of magnitude', () => {
  assert.equal(
    [0.1, 1, 10, 100, 1_000].map(rate => levelOf(rate, 1_000)),
    [0, 0, 1, 3, 4],
  )
  assert.is(levelOf(5, 5), 4)
})

const SPAN: ArchivedSpan = {
  ...{ traceId: 't', spanId: 's', parentSpanId: null, name: 'paxos.instance', kind: 'internal' },
  ...{ startMicros: 1_000_000, durationMicros: 900, node: 'kv1a', service: 'shardkv' },
  ...{ gid: 1, replica: 0, status: 'ok', statusMessage: null, events: [], links: [] },
  attributes: { 'shardglass.quorum': 2, 'shardglass.members': 3, 'shardglass.batch.commands': 4 },
}

const accepted = (acceptor: number, at: number) => ({
  name: 'accepted',
  atMicros: 1_000_000 + at,
  attributes: {
    'shardglass.acceptor': acceptor,
    'shardglass.durable_us': 100,
    'shardglass.answered_us': 120,
  },
})

test('a span becomes steps in order, the acceptors’ own times laid between', () => {
  const at = (name: string, micros: number) => ({
    name,
    atMicros: 1_000_000 + micros,
    attributes: {},
  })
  const events = [
    at('proposed', 10),
    accepted(1, 330),
    accepted(0, 140),
    at('decided', 331),
    accepted(2, 800),
    at('applied', 900),
  ]
  const { steps, acceptors, isThin } = replayOf({ ...SPAN, events })
  assert.equal(acceptors, [0, 1, 2])
  assert.not(isThin)
  const told = steps.map(({ at: moment, kind, acceptor, isEstimate }) => {
    return `${moment} ${kind} ${acceptor ?? '-'}${isEstimate ? ' ~' : ''}`
  })
  assert.equal(told, [
    '10 proposed -',
    '110 durable 0',
    '110 received 1 ~',
    '140 accepted 0',
    '210 durable 1 ~',
    '230 answered 1 ~',
    '330 quorum 1',
    '331 decided -',
    '345 received 2 ~',
    '445 durable 2 ~',
    '465 answered 2 ~',
    '800 accepted 2',
    '900 applied -',
  ])
})

test('a span that was kept without its events is replayed from its gist', () => {
  const attributes = {
    ...SPAN.attributes,
    'shardglass.acceptors': '0:140/100/120,1:330/100/120,x',
    'shardglass.proposed_us': 10,
    'shardglass.decided_us': 331,
  }
  const { steps, isThin } = replayOf({ ...SPAN, attributes })
  assert.ok(isThin)
  assert.equal(
    steps.filter(({ kind }) => kind === 'quorum' || kind === 'decided').map(({ at }) => at),
    [330, 331],
  )
})

test('hostile spans are placed once each, whatever parents they claim', () => {
  const span = (spanId: string, parentSpanId: string | null): ArchivedSpan => ({
    ...SPAN,
    spanId,
    parentSpanId,
  })
  const spans = [
    span('a', 'b'),
    span('b', 'a'),
    span('c', 'c'),
    span('d', null),
    span('e', 'd'),
    span('f', 'nowhere'),
  ]
  const placed = inTree(spans)
  assert.equal(placed.map(({ span: { spanId } }) => spanId).sort(), ['a', 'b', 'c', 'd', 'e', 'f'])
  assert.is(placed.find(({ span: { spanId } }) => spanId === 'e')?.depth, 1)
})

test.run()
