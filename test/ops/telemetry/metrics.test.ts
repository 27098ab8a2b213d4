// A real cluster at work, and what its nodes export: every family of the catalog, none beside it, labels
// within their bounds, values that fit what was done, exemplars of instances that were kept.

import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CATALOG, type CatalogEntry } from '../../../ops/telemetry/metric-catalog.ts'
import { PREFIX } from '../../../ops/telemetry/metric-family.ts'
import { instanceTraceId } from '../../../ops/trace/span-model.ts'
import { TestCluster, TOKEN, until } from '../../support/cluster.ts'
import {
  type Exposition,
  readExposition,
  type Series,
  seriesValue,
  sumOf,
} from '../../support/exposition.ts'

const test = suite('metrics of real nodes')

const SERIES_MAX = 1_000
const KEYS = Array.from({ length: 300 }, (_, index) => `key-${index}`)
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0' }

let cluster: TestCluster
/** Name of a node → what it exported after the work. */
const exported = new Map<string, Exposition>()
const texts = new Map<string, string>()

test.before(async () => {
  cluster = await TestCluster.start({
    groups: [3, 1],
    shardmasters: 1,
    joining: [1],
    flags: ['--metrics-listen', '127.0.0.1:0'],
  })
  await work()
  for (const { name, url } of cluster.nodes) {
    const text = await scrape(url)
    texts.set(name, text)
    exported.set(name, readExposition(text))
  }
})

test.after(() => cluster.stop())

async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(url, { headers: { authorization: `Bearer ${TOKEN}`, ...headers } })
}

async function scrape(url: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await get(`${url}/metrics`, headers)
  assert.is(response.status, 200)
  return response.text()
}

async function ask(method: string, path: string, more: RequestInit = {}): Promise<number> {
  const { url } = await cluster.leader(1)
  const headers = { authorization: `Bearer ${TOKEN}`, ...more.headers }
  return (await fetch(url + path, { method, ...more, headers })).status
}

/** Some of everything: all operations, a shard that moves there and back, a replica that was away. */
async function work(): Promise<void> {
  const clerk = cluster.clerk()
  for (const key of KEYS) await clerk.put(key, 'v')
  await Promise.all(KEYS.map(key => clerk.get(key)))
  assert.is(await ask('PUT', '/v1/kv/single', { body: 'abc' }), 204)
  assert.is(await ask('PUT', '/v1/kv/single', { body: 'x', headers: { 'if-match': '"999"' } }), 412)
  assert.is(await ask('GET', '/v1/kv/single?consistency=stale'), 200)
  assert.is(await ask('GET', '/v1/kv/absent'), 404)
  assert.is(await ask('POST', '/v1/puthash/single', { body: 'x' }), 200)
  assert.is(await ask('DELETE', '/v1/kv/single'), 204)
  for (let time = 0; time < 2; time++) {
    const headers = { 'idempotency-key': 'again/1' }
    assert.is(await ask('PUT', '/v1/kv/twice', { body: 'x', headers }), 204)
  }
  const follower = await followerOf(1)
  await cluster.kill(follower)
  for (const key of KEYS.slice(0, 50)) await clerk.put(key, 'w')
  cluster.restart(follower)
  await cluster.ready()
  const masters = cluster.shardmasters()
  await masters.join(2, [cluster.node('kv2-0').url])
  await settled()
  await masters.leave(2)
  await settled()
}

async function followerOf(gid: number): Promise<string> {
  const leader = await cluster.leader(gid)
  const other = cluster.group(gid).find(({ name }) => name !== leader.name)
  if (other === undefined) throw new Error('no follower')
  return other.name
}

/** All shards are where the newest configuration has them, and nothing is left to delete. */
async function settled(): Promise<void> {
  const { num } = await cluster.shardmasters().query(-1)
  await until(`configuration ${num} settled`, async () => {
    for (const { url } of [...cluster.group(1), ...cluster.group(2)]) {
      const now = readExposition(await scrape(url))
      if (seriesValue(now, `${PREFIX}config_settled_number`) !== num) return false
      if (sumOf(now, `${PREFIX}handoffs_in_progress`) > 0) return false
    }
    return true
  })
}

function familyOf(name: string): CatalogEntry | undefined {
  return CATALOG.find(
    entry =>
      entry.name === name ||
      (entry.type === 'histogram' &&
        ['_bucket', '_sum', '_count'].some(part => entry.name + part === name)),
  )
}

const own = ({ series }: Exposition) => series.filter(({ name }) => name.startsWith(PREFIX))

test('every family is exported where the catalog says, with its type, and has a value somewhere', () => {
  const seen = new Set<string>()
  for (const [name, exposition] of exported) {
    const kind = name.startsWith('sm') ? 'shardmaster' : 'shardkv'
    const families = CATALOG.filter(({ on }) => on.includes(kind))
    for (const { name: family, type } of families) {
      assert.is(exposition.types.get(family), type, `${name}: ${family}`)
    }
    const known = new Set(families.map(family => family.name))
    const others = [...exposition.types.keys()].filter(family => family.startsWith(PREFIX))
    assert.equal(
      others.filter(family => !known.has(family)),
      [],
      `${name} exports what the catalog does not have`,
    )
    for (const one of own(exposition)) seen.add(familyOf(one.name)?.name ?? one.name)
  }
  const nodes = CATALOG.filter(({ on }) => on.some(kind => kind !== 'archive'))
  assert.equal(
    nodes.map(({ name }) => name).filter(name => !seen.has(name)),
    [`${PREFIX}snapshot_duration_seconds`],
    'a snapshot needs a replica that is 10,000 slots behind',
  )
})

test('labels are those of the catalog, and their values are within bounds', () => {
  const values = new Map<string, Set<string>>()
  for (const exposition of exported.values()) {
    for (const one of own(exposition)) assertLabels(one, values)
  }
})

function assertLabels({ name, labels }: Series, values: Map<string, Set<string>>): void {
  const family = familyOf(name)
  assert.ok(family !== undefined, name)
  const wanted = Object.keys(family.labels)
  if (name.endsWith('_bucket') && family.type === 'histogram') wanted.push('le')
  assert.equal(Object.keys(labels).sort(), wanted.sort(), name)
  for (const [label, bound] of Object.entries(family.labels)) {
    const value = labels[label] ?? ''
    if (!('max' in bound)) {
      assert.ok(bound.includes(value), `${name}: ${label}="${value}" is not in the catalog`)
      continue
    }
    const place = `${family.name} ${label}`
    const seen = values.get(place) ?? new Set<string>()
    values.set(place, seen.add(value))
    // What names a process differs from one to the next, and there are five.
    assert.ok(seen.size <= Math.max(bound.max, 5), `${place} has ${seen.size} values`)
  }
}

test('no series comes twice, and there are at most a thousand, all shards in one group', async () => {
  for (const [name, exposition] of exported) {
    const all = exposition.series.map(one => `${one.name} ${JSON.stringify(one.labels)}`)
    assert.is(new Set(all).size, all.length, name)
    assert.ok(all.length <= SERIES_MAX, `${name} exports ${all.length} series`)
  }
  const leader = exported.get((await cluster.leader(1)).name)!
  assert.is(sumOf(leader, `${PREFIX}shard_serving`), 64, 'the worst case: every shard is here')
})

test('values are those of what was done', async () => {
  const { name, url } = await cluster.leader(1)
  const leader = exported.get(name)!
  const at = (family: string, labels = {}) => seriesValue(leader, PREFIX + family, labels)
  const nodes = [...exported.values()]
  const all = (family: string, labels = {}) =>
    nodes.reduce((sum, one) => sum + sumOf(one, PREFIX + family, labels), 0)
  assert.is(all('requests_total', { op: 'put', code: 'condition-failed' }), 1)
  assert.is(all('requests_total', { op: 'puthash', code: 'ok' }), 1)
  assert.is(all('requests_total', { op: 'get', code: 'no-such-key' }), 1)
  assert.is(all('reads_total', { path: 'stale' }), 1)
  assert.ok(all('reads_total', { path: 'quorum' }) >= KEYS.length)
  assert.is(sumOf(leader, `${PREFIX}shard_keys`), KEYS.length + 1)
  assert.is(at('duplicate_requests_total'), 1)
  assert.is(at('paxos_is_leader'), 1)
  assert.is(at('paxos_members'), 3)
  assert.is(at('config_number'), 3)
  const given = (await (await get(`${url}/v1/status`)).json()) as { ballot: string }
  assert.is(at('paxos_ballot_round'), Number(given.ballot.split('.')[0]))
  const operations = all('shard_operations_total')
  const answered = all('requests_total', { code: 'ok' })
  assert.ok(operations >= 2 * KEYS.length, `${operations} of ${answered}`)
  const decided = at('paxos_decided_slot') ?? 0
  const proposed = sumOf(leader, `${PREFIX}paxos_instances_total`, { outcome: 'decided' })
  assert.ok(proposed <= decided && proposed > KEYS.length, `${proposed} of ${decided}`)
  assert.is(sumOf(leader, `${PREFIX}paxos_instance_duration_seconds_count`), proposed)
  assert.ok((at('wal_written_bytes_total') ?? 0) > 0 && (at('wal_segments') ?? 0) >= 1)
  assert.ok((at('wal_sync_duration_seconds_count') ?? 0) > 0)
})

test('handoffs there and back are counted by both groups', () => {
  const taker = exported.get('kv2-0')!
  const moved = sumOf(taker, `${PREFIX}handoffs_total`, { direction: 'in' })
  assert.is(moved, 32)
  assert.is(sumOf(taker, `${PREFIX}handoffs_total`, { direction: 'out' }), 32)
  for (const phase of ['receive', 'send']) {
    const name = `${PREFIX}handoff_phase_duration_seconds_count`
    assert.is(seriesValue(taker, name, { phase }), 32, phase)
  }
  assert.is(seriesValue(taker, `${PREFIX}handoff_oldest_age_seconds`), 0)
  const master = exported.get('sm0')!
  assert.is(seriesValue(master, `${PREFIX}master_config_number`), 3)
  assert.is(seriesValue(master, `${PREFIX}master_shards_moved_total`), 64 + 32 + 32)
  assert.is(seriesValue(master, `${PREFIX}master_group_shards`, { owner: '1' }), 64)
  assert.is(
    seriesValue(master, `${PREFIX}master_changes_total`, { op: 'join', result: 'decided' }),
    2,
  )
  assert.is(seriesValue(master, `${PREFIX}master_shard_spread`), 0)
})

type Standing = {
  readonly cluster: string
  readonly formation: string
  readonly slots: { readonly decided: number }
}

test('exemplars are traces of instances in the log', async () => {
  const { url } = await cluster.leader(1)
  const text = await scrape(url, OPEN_METRICS)
  const {
    cluster: name,
    formation,
    slots,
  } = (await (await get(`${url}/v1/status`)).json()) as Standing
  const log = { cluster: name, gid: 1, formation }
  const traces = new Set<string>()
  for (let slot = 1; slot <= slots.decided; slot++) traces.add(instanceTraceId(log, slot))
  const { series } = readExposition(text)
  const found = series.filter(({ exemplar }) => exemplar !== null)
  const names = new Set(found.map(one => one.name))
  assert.equal(
    [...names].sort(),
    ['paxos_instance_duration_seconds', 'request_duration_seconds'].map(
      family => `${PREFIX}${family}_bucket`,
    ),
  )
  for (const one of found) {
    const [, trace = '', value = '', time = ''] =
      /^\{trace_id="([0-9a-f]{32})"\} (\S+) (\S+)$/.exec(one.exemplar ?? '') ?? []
    assert.ok(traces.has(trace), `${one.name} ${one.exemplar}`)
    assert.ok(Number(value) <= Number(one.labels.le), `${one.exemplar} in ${one.labels.le}`)
    assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 300, time)
  }
})

test('promtool has nothing against our families', () => {
  const isThere = spawnSync('promtool', ['--version']).status === 0
  if (!isThere) return console.log('\nSKIPPED: promtool check metrics: prometheus is not installed')
  for (const [name, text] of texts) {
    const input = text
      .split('\n')
      .filter(line => line.includes(PREFIX))
      .join('\n')
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
      input: `${input}\n`,
      encoding: 'utf8',
    })
    assert.is(`${stdout}${stderr}`, '', name)
    assert.is(status, 0, name)
  }
})

test('readers alone may scrape, except on a listener of its own', async () => {
  const { url } = cluster.node('kv2-0')
  assert.is((await fetch(`${url}/metrics`)).status, 401)
  const response = await get(`${url}/metrics`)
  assert.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const open = /metrics without a token url=(\S+)/.exec(cluster.node('kv2-0').output)?.[1] ?? ''
  assert.match(open, /^http:\/\/127\.0\.0\.1:\d+$/)
  const answer = await fetch(`${open}/metrics`, { headers: OPEN_METRICS })
  assert.match(answer.headers.get('content-type') ?? '', /^application\/openmetrics-text/)
  assert.ok((await answer.text()).endsWith('# EOF\n'))
  for (const path of ['/', '/v1/status', '/metrics?x']) {
    assert.is((await fetch(open + path)).status, 404, path)
  }
  assert.is((await fetch(`${open}/metrics`, { method: 'POST' })).status, 404)
})

test('shardmasters list every node of the cluster for discovery', async () => {
  const response = await get(`${cluster.node('sm0').url}/v1/targets`)
  const targets = (await response.json()) as { targets: string[]; labels: Record<string, string> }[]
  const wanted = ['sm0', 'kv1-0', 'kv1-1', 'kv1-2'].map(name => {
    const { url, gid, replica } = cluster.node(name)
    return {
      targets: [new URL(url).host],
      labels: {
        cluster: 'test',
        role: gid === 0 ? 'shardmaster' : 'shardkv',
        group: String(gid),
        replica: String(replica),
        __metrics_path__: '/metrics',
        __scheme__: 'http',
      },
    }
  })
  assert.equal(targets, wanted)
  assert.is((await fetch(`${cluster.node('sm0').url}/v1/targets`)).status, 401)
})

test.run()
