// What metrics cost: ns for what is counted on the path of a request and of an instance, and ms for one
// scrape of a leader that holds all of 64 shards, with the longest time for which it held up all else.
// Run: node --import tsx test/ops/telemetry/metrics-cost.ts

import { performance } from 'node:perf_hooks'
import type { Format } from '../../../ops/telemetry/metric-registry.ts'
import { NodeTelemetry } from '../../../ops/telemetry/node-telemetry.ts'
import { shardkvSources } from '../../../ops/telemetry/shardkv-metrics.ts'
import type { Event } from '../../../server/contract.ts'
import { createPeerCounters } from '../../../server/host/peer-counters.ts'
import { MemoryStore } from '../../../server/host/store-memory.ts'
import { REQUEST_OPS } from '../../../server/http/traffic.ts'
import type { ShardkvStatus } from '../../../server/shardkv/status.ts'
import { STATUS } from '../../support/kv-backend.ts'

const SHARDS = 64
const telemetry = new NodeTelemetry(1)
const { traffic, events } = telemetry
const BALLOT = { round: 1, replica: 0, incarnation: 'a' }
const ANSWER = { status: 204, headers: [], body: null, slot: 7, group: 1 }

function nanosOf(work: (index: number) => void): number {
  const count = 300_000
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 7; round++) {
    const startedAt = performance.now()
    for (let index = 0; index < count; index++) work(index)
    best = Math.min(best, ((performance.now() - startedAt) * 1e6) / count)
  }
  return Math.round(best)
}

/** A put's own share: from the gate to the answer. */
function request(index: number): void {
  const passing = traffic.begin('put')
  traffic.ran(index % SHARDS, false, false)
  traffic.end(passing, ANSWER, { in: 256, out: 0 })
}

function instance(slot: number): void {
  const timing = (replica: number) => {
    return { replica, at: 900, durableMicros: 300, answeredMicros: 320 }
  }
  const decided: Event = {
    type: 'slotDecided',
    slot,
    ballot: BALLOT,
    origin: 'own',
    commands: 20,
    bytes: 6_000,
    queuedAt: 100,
    proposedAt: 200,
    acceptors: [timing(0), timing(1)],
    resends: [],
    decidedAt: 1_000,
    isLearned: false,
  }
  const late: Event = { type: 'acceptedLate', slot, ballot: BALLOT, timing: timing(2) }
  const applied: Event = { type: 'applied', from: slot, to: slot }
  telemetry.events.sink([decided, applied, late], { micros: 1_000, wallMs: 0 })
}

/** Longest stretch in which a timer that wants to fire all the time could not, ms. */
async function scrapeOnce(
  format: Format,
): Promise<{ ms: number; longestMs: number; text: string }> {
  let longestMs = 0
  let isOver = false
  let last = performance.now()
  const look = (): void => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - last)
    last = now
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  const startedAt = performance.now()
  const text = await registry.scrape(format)
  const ms = performance.now() - startedAt
  isOver = true
  await new Promise(resolve => setImmediate(resolve))
  return { ms, longestMs, text }
}

const held = Array.from({ length: SHARDS }, (_, shard) => {
  return { shard, phase: 'serving', config: 3, peer: 0, keys: 1_000, bytes: 256_000 } as const
})
const status: ShardkvStatus = {
  config: 3,
  phases: { absent: 0, awaited: 0, serving: SHARDS, leaving: 0, releasing: 0 },
  shards: held,
  handoffs: [],
  sessions: 10,
  shardmasterSilentMicros: 0,
  isSafeToStop: false,
}
const registry = telemetry.registry(
  {
    name: 'n',
    status: () => ({ ...STATUS, formation: 'f' }),
    waiting: () => 0,
    counters: { steps: 0, inputs: 0, records: 0, recordBytes: 0, storeFlushes: 0, stepMicros: 0 },
    transport: { counters: createPeerCounters(), peers: () => [] },
    store: new MemoryStore(),
    wal: null,
    traces: () => null,
  },
  shardkvSources({
    status: () => status,
    shardCount: () => SHARDS,
    shards: events.shards,
    traffic,
    nowMicros: telemetry.nowMicros,
  }),
)

console.log(`a request ${nanosOf(request)} ns, an instance on the leader ${nanosOf(instance)} ns`)
for (const op of REQUEST_OPS) traffic.durations.get(op)?.add(0.001)
for (const format of ['text', 'openMetrics'] as const) {
  const all: { ms: number; longestMs: number; text: string }[] = []
  for (let round = 0; round < 60; round++) all.push(await scrapeOnce(format))
  const warm = all.slice(10).sort((a, b) => a.ms - b.ms)
  const middle = warm[Math.floor(warm.length / 2)]
  const longest = warm.map(({ longestMs }) => longestMs).sort((a, b) => a - b)
  const series = middle?.text.split('\n').filter(line => /^[a-z]/.test(line)).length
  const kilobytes = Math.round((middle?.text.length ?? 0) / 1000)
  const held = longest[Math.floor(longest.length / 2)]?.toFixed(1)
  console.log(
    `${format}: ${series} series, ${kilobytes} KB, ${middle?.ms.toFixed(1)} ms, nothing else for ${held} ms at most (medians)`,
  )
}
telemetry.stop()
