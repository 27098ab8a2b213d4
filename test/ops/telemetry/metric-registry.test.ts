// What a registry prints, in both formats, over sources that a test holds in its hands.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createRegistry, type MetricRegistry } from '../../../ops/telemetry/metric-registry.ts'
import type { Sources } from '../../../ops/telemetry/metric-sources.ts'
import { formatFor } from '../../../ops/telemetry/metrics-route.ts'
import { NodeTelemetry } from '../../../ops/telemetry/node-telemetry.ts'
import { shardmasterSources } from '../../../ops/telemetry/shardmaster-metrics.ts'
import { instanceTraceId } from '../../../ops/trace/span-model.ts'
import { createPeerCounters } from '../../../server/host/peer-counters.ts'
import { MemoryStore } from '../../../server/host/store-memory.ts'
import { LATENCY_SECONDS, Tally } from '../../../server/tally.ts'
import { STATUS } from '../../support/kv-backend.ts'

const test = suite('metric-registry')

function archive(more: Partial<Sources<'archive'>> = {}): MetricRegistry {
  const sources: Sources<'archive'> = {
    archive_bytes: () => 12,
    archive_oldest_timestamp_seconds: () => 0,
    archive_requests_total: () => [{ labels: { code: '200' }, value: 3 }],
    archive_spans_total: () => [{ labels: { result: 'stored' }, value: 5 }],
    archive_stored_spans: () => 4,
    archive_write_duration_seconds: () => new Tally(LATENCY_SECONDS),
    build_info: () => [{ labels: { version: '1', node_version: 'v"20\\' }, value: 1 }],
    event_loop_lag_seconds: () => new Tally(LATENCY_SECONDS),
    event_loop_utilization_ratio: () => 0.5,
    ...more,
  }
  return createRegistry('archive', sources, { isBare: true })
}

/** The lines of one family. */
function linesOf(text: string, name: string): readonly string[] {
  const isOf = new RegExp(`^(?:# (?:HELP|TYPE) )?${name}(?:_bucket|_sum|_count)?[ {]`)
  return text.split('\n').filter(line => isOf.test(line) && !line.startsWith('# HELP'))
}

test('a counter has its name in the text format, and its family name in OpenMetrics', async () => {
  const registry = archive()
  const text = linesOf(await registry.scrape('text'), 'shardglass_archive_requests_total')
  assert.equal(text, [
    '# TYPE shardglass_archive_requests_total counter',
    'shardglass_archive_requests_total{code="200"} 3',
  ])
  const open = await registry.scrape('openMetrics')
  assert.ok(open.includes('# TYPE shardglass_archive_requests counter\n'))
  assert.ok(open.includes('\nshardglass_archive_requests_total{code="200"} 3\n'))
  assert.ok(open.endsWith('\n# EOF\n'))
})

test('a few series of a counter are there before they have a value', async () => {
  const lines = linesOf(await archive().scrape('text'), 'shardglass_archive_spans_total')
  assert.equal(lines.slice(1).sort(), [
    'shardglass_archive_spans_total{result="duplicate"} 0',
    'shardglass_archive_spans_total{result="expired"} 0',
    'shardglass_archive_spans_total{result="rejected"} 0',
    'shardglass_archive_spans_total{result="stored"} 5',
  ])
})

test("a histogram's buckets add up, with sum and count", async () => {
  const tally = new Tally(LATENCY_SECONDS)
  for (const value of [0.0001, 0.0003, 0.0003, 9]) tally.add(value)
  const registry = archive({ archive_write_duration_seconds: () => tally })
  const lines = linesOf(await registry.scrape('text'), 'shardglass_archive_write_duration_seconds')
  const name = 'shardglass_archive_write_duration_seconds'
  assert.is(lines.length, 1 + LATENCY_SECONDS.length + 1 + 2)
  assert.ok(lines.includes(`${name}_bucket{le="0.00025"} 1`))
  assert.ok(lines.includes(`${name}_bucket{le="0.0005"} 3`))
  assert.ok(lines.includes(`${name}_bucket{le="4.096"} 3`))
  assert.ok(lines.includes(`${name}_bucket{le="+Inf"} 4`))
  assert.ok(lines.includes(`${name}_count 4`))
  assert.ok(lines.includes(`${name}_sum ${0.0001 + 0.0003 + 0.0003 + 9}`))
})

test('values of labels are escaped', async () => {
  const lines = linesOf(await archive().scrape('text'), 'shardglass_build_info')
  assert.ok(lines[1]?.includes('node_version="v\\"20\\\\"'), lines[1])
})

test('sources are asked at each scrape, and once for all who scrape at the same time', async () => {
  let asked = 0
  const registry = archive({
    archive_bytes: () => {
      asked += 1
      return asked
    },
  })
  const [one, two] = await Promise.all([registry.scrape('text'), registry.scrape('text')])
  assert.is(one, two)
  assert.is(asked, 1)
  assert.ok((await registry.scrape('text')).includes('shardglass_archive_bytes 2\n'))
})

test('a source that fails fails its scrape, and not the next one', async () => {
  let isBroken = true
  const registry = archive({
    archive_bytes: () => {
      if (isBroken) throw new Error('planted')
      return 1
    },
  })
  const failure = await registry.scrape('text').then(
    () => 'none',
    error => String(error),
  )
  assert.match(failure, /planted/)
  isBroken = false
  assert.ok((await registry.scrape('text')).includes('shardglass_archive_bytes 1\n'))
})

test('OpenMetrics carries the trace of a kept instance, and the text format does not', async () => {
  const telemetry = new NodeTelemetry(1)
  const numbers = {
    name: 'n',
    status: () => ({ ...STATUS, formation: 'f' }),
    waiting: () => 0,
    counters: { steps: 0, inputs: 0, records: 0, recordBytes: 0, storeFlushes: 0, stepMicros: 0 },
    transport: { counters: createPeerCounters(), peers: () => [] },
    store: new MemoryStore(),
    wal: null,
    traces: () => null,
  }
  const events = telemetry.events.shards
  const own = shardmasterSources({ config: () => null, sessions: () => 0, events })
  const registry = telemetry.registry(numbers, own)
  try {
    telemetry.events.paxos.ownInstances.addMarked(0.003, 42, 1_700_000_000_500)
    const trace = instanceTraceId({ cluster: 'test', gid: 1, formation: 'f' }, 42)
    const open = await registry.scrape('openMetrics')
    const wanted =
      'shardglass_paxos_instance_duration_seconds_bucket{le="0.004",path="accept_only"} 1'
    const line = open.split('\n').find(text => text.startsWith(wanted))
    assert.is(line, `${wanted} # {trace_id="${trace}"} 0.003 1700000000.5`)
    const text = await registry.scrape('text')
    assert.ok(text.includes(`${wanted}\n`))
    assert.not.match(text, /trace_id|# EOF/)
  } finally {
    telemetry.stop()
  }
})

test('OpenMetrics is for those who ask for it', () => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  assert.is(formatFor(prometheus), 'openMetrics')
  assert.is(formatFor('application/openmetrics-text'), 'openMetrics')
  assert.is(formatFor(undefined), 'text')
  assert.is(formatFor('*/*'), 'text')
  assert.is(formatFor('text/plain;version=0.0.4'), 'text')
  assert.is(formatFor('application/openmetrics-text;q=0.2, text/plain;q=0.5'), 'text')
  assert.is(formatFor('application/openmetrics-text;q=0'), 'text')
  assert.is(formatFor('application/openmetrics-text;q=x'), 'text')
})

test.run()
