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
  /** Null where the node keeps nothing on a disk. */
  readonly disk: Disk | null
}

/** In bytes. */
export type Disk = {
  /** By the node's own log and store. */
  readonly used: number
  readonly free: number
  readonly size: number
}

const REQUESTS = 'shardglass_requests_total'
const LATENCY = 'shardglass_request_duration_seconds_bucket'
const BY_SHARD = 'shardglass_shard_operations_total'
const SYNC = 'shardglass_wal_sync_duration_seconds_bucket'
const DISK = {
  log: 'shardglass_wal_bytes',
  store: 'shardglass_store_bytes',
  free: 'shardglass_disk_free_bytes',
  size: 'shardglass_disk_size_bytes',
} as const
const ON_DISK: ReadonlySet<string> = new Set(Object.values(DISK))

/** Health, status and metrics: asked for by machines, this one too. */
const OTHER = /(?:^|,)op="other"/

/** Reads Prometheus text, and OpenMetrics as well; lines that it does not know are passed over. */
export function scrapeOf(text: string): Scrape {
  let requests = 0
  const latency = new Map<number, number>()
  const sync = new Map<number, number>()
  const shards = new Map<number, number>()
  const onDisk = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith('shardglass_')) continue
    const match = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line)
    const value = Number(match?.[3])
    if (match === null || !Number.isFinite(value)) continue
    const [, name = '', labels = ''] = match
    if (name === REQUESTS) requests += OTHER.test(labels) ? 0 : value
    else if (name === LATENCY) addTo(latency, labels, value)
    else if (name === SYNC) addTo(sync, labels, value)
    else if (name === BY_SHARD) addToShard(shards, labels, value)
    else if (ON_DISK.has(name)) onDisk.set(name, value)
  }
  return { requests, latency, sync, shards, disk: diskOf(onDisk) }
}

function diskOf(values: ReadonlyMap<string, number>): Disk | null {
  const [free, size] = [values.get(DISK.free), values.get(DISK.size)]
  if (free === undefined || size === undefined) return null
  return { used: (values.get(DISK.log) ?? 0) + (values.get(DISK.store) ?? 0), free, size }
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
