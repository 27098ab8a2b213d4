// The few families of a node's `/metrics` that the pages draw. Names are those of
// ops/telemetry/metric-catalog.ts.

export type Scrape = {
  /** Client operations answered. */
  readonly requests: number
  /** Upper bound in seconds → observations at or below it. */
  readonly latency: ReadonlyMap<number, number>
  readonly sync: ReadonlyMap<number, number>
  /** Shard → key operations answered; empty where the nodes do not count them by shard. */
  readonly shards: ReadonlyMap<number, number>
}

const REQUESTS = 'shardglass_requests_total'
const LATENCY = 'shardglass_request_duration_seconds_bucket'
const BY_SHARD = 'shardglass_shard_operations_total'
const SYNC = 'shardglass_wal_sync_duration_seconds_bucket'

/** Health, status and metrics: asked for by machines, this one too. */
const OTHER = /(?:^|,)op="other"/

/** Reads Prometheus text, and OpenMetrics as well; lines that it does not know are passed over. */
export function scrapeOf(text: string): Scrape {
  let requests = 0
  const latency = new Map<number, number>()
  const sync = new Map<number, number>()
  const shards = new Map<number, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith('shardglass_')) continue
    const match = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line)
    const value = Number(match?.[3])
    if (match === null || !Number.isFinite(value)) continue
    const [, name, labels = ''] = match
    if (name === REQUESTS) requests += OTHER.test(labels) ? 0 : value
    else if (name === LATENCY) addTo(latency, labels, value)
    else if (name === SYNC) addTo(sync, labels, value)
    else if (name === BY_SHARD) addToShard(shards, labels, value)
  }
  return { requests, latency, sync, shards }
}

function addTo(buckets: Map<number, number>, labels: string, value: number): void {
  const text = /(?:^|,)le="([^"]+)"/.exec(labels)?.[1]
  if (text === undefined) return
  const bound = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
  buckets.set(bound, (buckets.get(bound) ?? 0) + value)
}

function addToShard(shards: Map<number, number>, labels: string, value: number): void {
  const text = /(?:^|,)shard="(\d+)"/.exec(labels)?.[1]
  if (text === undefined) return
  const shard = Number(text)
  shards.set(shard, (shards.get(shard) ?? 0) + value)
}
