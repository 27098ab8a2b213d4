// The catalog of metrics keeps the naming rules of Prometheus and bounds its labels.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CATALOG, type CatalogEntry } from '../../../ops/telemetry/metric-catalog.ts'
import { SHARD_SERIES_MAX } from '../../../ops/telemetry/metric-family.ts'

const test = suite('metric-catalog')

/** Last word of a name → unit. What has none counts things, which are the name's own words. */
const UNITS = ['seconds', 'bytes', 'ratio']
const OTHER_UNITS =
  /_(milliseconds|ms|micros|us|nanoseconds|minutes|hours|kb|kilobytes|mb|percent)(_|$)/

/** What service discovery sets, and what Prometheus and its formats reserve. */
const RESERVED = ['cluster', 'role', 'group', 'replica', 'job', 'instance', 'le', 'quantile']

function faults(entry: CatalogEntry): readonly string[] {
  const { name, type, help, labels, buckets } = entry
  const found: string[] = []
  const say = (isFault: boolean, what: string) => {
    if (isFault) found.push(`${name} ${what}`)
  }
  say(!/^shardglass(_[a-z][a-z0-9]*)+$/.test(name), 'is not snake_case with the prefix')
  say(name.endsWith('_total') !== (type === 'counter'), 'ends in _total: counters, and they alone')
  say(/_(bucket|sum|count|info_total|created)$/.test(name), 'ends like a part of a histogram')
  say(OTHER_UNITS.test(name), 'names a unit that is no base unit')
  say(new RegExp(`_(${type})(_|$)`).test(name), 'has its type in its name')
  for (const unit of UNITS) {
    const isInside = name.includes(`_${unit}_`) && !name.endsWith(`_${unit}_total`)
    say(isInside, `has its unit ${unit} inside`)
  }
  say(help.length < 12 || help.length > 120 || /\.$|\n/.test(help), 'wants a line of help')
  say((type === 'histogram') !== buckets.length > 0, 'has buckets: histograms, and they alone')
  say(
    buckets.some((bound, at) => at > 0 && bound <= (buckets[at - 1] ?? 0)),
    'has odd buckets',
  )
  for (const [label, values] of Object.entries(labels)) {
    say(!/^[a-z][a-z_]*$/.test(label), `has the label ${label}, which is not snake_case`)
    say(RESERVED.includes(label), `has the label ${label}, which is the target's`)
    const list = Array.isArray(values) ? values : []
    say('max' in values ? values.max < 1 : list.length === 0, `does not bound ${label}`)
    say(new Set(list).size !== list.length, `names a value of ${label} twice`)
  }
  return found
}

test('every family keeps the naming rules and bounds its labels', () => {
  assert.equal(CATALOG.flatMap(faults), [])
})

test('the rules find what breaks them', () => {
  const base: CatalogEntry = {
    name: 'shardglass_x_total',
    type: 'counter',
    help: 'Things that happened here',
    on: ['shardkv'],
    labels: {},
    buckets: [],
    hasExemplars: false,
  }
  assert.equal(faults(base), [])
  const wrong: readonly Partial<CatalogEntry>[] = [
    { name: 'x_total' },
    { name: 'shardglass_Things_total' },
    { name: 'shardglass_x' },
    { name: 'shardglass_x_total', type: 'gauge' },
    { name: 'shardglass_wait_ms_total' },
    { name: 'shardglass_seconds_waited_total' },
    { name: 'shardglass_counter_total' },
    { help: 'x' },
    { buckets: [1] },
    { name: 'shardglass_x_seconds', type: 'histogram' },
    { name: 'shardglass_x_seconds', type: 'histogram', buckets: [1, 1] },
    { labels: { group: ['1'] } },
    { labels: { Op: ['1'] } },
    { labels: { op: [] } },
    { labels: { op: ['a', 'a'] } },
    { labels: { op: { bound: 'none', max: 0 } } },
  ]
  for (const change of wrong) {
    assert.ok(faults({ ...base, ...change }).length > 0, JSON.stringify(change))
  }
})

test('names are unique, parts of histograms included', () => {
  const names = CATALOG.flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map(part => name + part) : [name],
  )
  assert.equal(new Set(names).size, names.length)
})

test('families by shard are all bounded by the same number', () => {
  for (const { name, labels } of CATALOG) {
    const { shard } = labels
    if (shard === undefined) continue
    assert.ok('max' in shard && shard.max === SHARD_SERIES_MAX, name)
  }
})

test.run()
