// Series for the charts, read from the nodes' `/metrics` every few seconds and kept in memory for a
// quarter of an hour: requests, their latency, Paxos instances. One point per group and look.

import type { Connections } from '../server/client/connections.ts'
import { answers, type NodeView } from './node-status.ts'
import { type Disk, type Scrape, scrapeOf } from './scrape.ts'

/** What happened in one group between two looks; nulls: it did not answer. */
export type Point = {
  /** ms since 1970. */
  readonly at: number
  /** Per second. */
  readonly requests: number | null
  readonly instances: number | null
  /** Seconds; null where there were none. */
  readonly p50: number | null
  readonly p99: number | null
  /** Of the group's own disks, p99 in seconds. */
  readonly sync: number | null
  readonly keys: number | null
  readonly bytes: number | null
  readonly logBytes: number | null
}

const NOTHING: Omit<Point, 'at'> = {
  ...{ requests: null, instances: null, p50: null, p99: null, sync: null },
  ...{ keys: null, bytes: null, logBytes: null },
}

/** Key operations per second by shard, over all nodes, since the look before. */
export type Heat = { readonly at: number; readonly rates: ReadonlyMap<number, number> }

const LOOK_MS = 5_000
const KEPT = 180
const TIMEOUT_MS = 1_000

type Last = {
  readonly at: number
  readonly decided: number
  readonly scrapes: ReadonlyMap<string, Scrape>
}

export class MetricsReader {
  private readonly connections: Connections
  private readonly nowMs: () => number
  private readonly series = new Map<number, Point[]>()
  private readonly last = new Map<number, Last>()
  private readonly disks = new Map<string, Disk | null>()
  private readonly heats: Heat[] = []
  private heatBefore: {
    readonly at: number
    readonly scrapes: ReadonlyMap<string, Scrape>
  } | null = null
  private lookedAt = Number.NEGATIVE_INFINITY
  private isLooking = false

  constructor(options: { readonly connections: Connections; readonly nowMs: () => number }) {
    this.connections = options.connections
    this.nowMs = options.nowMs
  }

  /** Oldest first. */
  of(gid: number): readonly Point[] {
    return this.series.get(gid) ?? []
  }

  /** Oldest first; the same times as the points. */
  get heat(): readonly Heat[] {
    return this.heats
  }

  /** Of the node at that URL, when it last told; null: it keeps nothing on one; undefined: not known. */
  diskOf(url: string): Disk | null | undefined {
    return this.disks.get(url)
  }

  get gids(): readonly number[] {
    return [...this.series.keys()].sort((one, other) => one - other)
  }

  /** Starts a look if one is due; it goes on by itself. */
  look(nodes: readonly NodeView[], token: string): void {
    if (this.isLooking || this.nowMs() - this.lookedAt < LOOK_MS) return
    this.lookedAt = this.nowMs()
    this.isLooking = true
    const known = new Set(nodes.map(({ url }) => url))
    for (const url of this.disks.keys()) if (!known.has(url)) this.disks.delete(url)
    this.lookAt(nodes.filter(answers), token).finally(() => {
      this.isLooking = false
    })
  }

  private async lookAt(nodes: readonly NodeView[], token: string): Promise<void> {
    const scrapes = new Map<string, Scrape>()
    await Promise.all(
      nodes.map(async ({ url }) => {
        const headers = { authorization: `Bearer ${token}`, accept: 'text/plain' }
        const request = { method: 'GET', path: '/metrics', headers } as const
        const answer = await this.connections.exchange(url, request, { timeoutMs: TIMEOUT_MS })
        if (answer.type === 'answer' && answer.status === 200) {
          const scrape = scrapeOf(answer.body.toString('utf8'))
          scrapes.set(url, scrape)
          this.disks.set(url, scrape.disk)
        }
      }),
    )
    this.add(nodes, scrapes)
  }

  private addHeat(at: number, scrapes: ReadonlyMap<string, Scrape>): void {
    const before = this.heatBefore
    this.heatBefore = { at, scrapes }
    if (before === null || at <= before.at) return
    const rates = shardRates(before.scrapes, scrapes, (at - before.at) / 1000)
    this.heats.push({ at, rates })
    if (this.heats.length > KEPT) this.heats.shift()
  }

  private add(nodes: readonly NodeView[], scrapes: ReadonlyMap<string, Scrape>): void {
    const at = this.nowMs()
    this.addHeat(at, scrapes)
    const gids = new Set(nodes.flatMap(({ status }) => (status === null ? [] : [status.gid])))
    for (const gid of gids) {
      const members = nodes.filter(({ status }) => status?.gid === gid)
      const decided = Math.max(...members.map(({ status }) => status?.slots.decided ?? 0))
      const last = this.last.get(gid)
      this.last.set(gid, { at, decided, scrapes })
      if (last === undefined || at <= last.at) continue
      this.push(gid, pointOf(members, { at, decided, scrapes }, last))
    }
    this.addGaps(at, gids)
  }

  /** Points are drawn by their place: without gaps, the last of a silent group would lie at now. */
  private addGaps(at: number, answering: ReadonlySet<number>): void {
    for (const [gid, points] of this.series) {
      if (answering.has(gid)) continue
      this.push(gid, { at, ...NOTHING })
      if (points.some(({ instances }) => instances !== null)) continue
      this.series.delete(gid)
      this.last.delete(gid)
    }
  }

  private push(gid: number, point: Point): void {
    const points = this.series.get(gid) ?? []
    points.push(point)
    if (points.length > KEPT) points.shift()
    this.series.set(gid, points)
  }
}

/** Counted by node; one that began anew since counts from 0. */
function shardRates(
  before: ReadonlyMap<string, Scrape>,
  now: ReadonlyMap<string, Scrape>,
  seconds: number,
) {
  const rates = new Map<number, number>()
  for (const [url, { shards }] of now) {
    const known = before.get(url)
    if (known === undefined) continue
    for (const [shard, count] of shards) {
      const since = Math.max(0, count - (known.shards.get(shard) ?? 0)) / seconds
      if (since > 0) rates.set(shard, (rates.get(shard) ?? 0) + since)
    }
  }
  return rates
}

function pointOf(members: readonly NodeView[], now: Last, last: Last): Point {
  const elapsed = (now.at - last.at) / 1000
  const pairs = members.flatMap(({ url }) => {
    const [before, after] = [last.scrapes.get(url), now.scrapes.get(url)]
    return before === undefined || after === undefined ? [] : [{ before, after }]
  })
  const requests = pairs.map(({ before, after }) => Math.max(0, after.requests - before.requests))
  const leader = members.find(({ status }) => status?.role === 'leader') ?? members[0]
  const shards = leader?.status?.machine.shards ?? []
  return {
    at: now.at,
    requests: pairs.length === 0 ? null : sum(requests) / elapsed,
    instances: Math.max(0, now.decided - last.decided) / elapsed,
    p50: quantile(
      0.5,
      pairs.map(({ before, after }) => [before.latency, after.latency]),
    ),
    p99: quantile(
      0.99,
      pairs.map(({ before, after }) => [before.latency, after.latency]),
    ),
    sync: quantile(
      0.99,
      pairs.map(({ before, after }) => [before.sync, after.sync]),
    ),
    keys: sum(shards.map(({ keys }) => keys)),
    bytes: sum(shards.map(({ bytes }) => bytes)),
    logBytes: leader?.status?.log.bytes ?? 0,
  }
}

type Buckets = ReadonlyMap<number, number>

/** Of what came in between, over all nodes; within a bucket as if spread evenly. */
export function quantile(
  share: number,
  pairs: readonly (readonly [Buckets, Buckets])[],
): number | null {
  const counts = new Map<number, number>()
  for (const [before, after] of pairs) {
    for (const [bound, count] of after) {
      const since = Math.max(0, count - (before.get(bound) ?? 0))
      counts.set(bound, (counts.get(bound) ?? 0) + since)
    }
  }
  const bounds = [...counts.keys()].sort((one, other) => one - other)
  const total = counts.get(Number.POSITIVE_INFINITY) ?? 0
  if (total === 0) return null
  let [low, below] = [0, 0]
  for (const bound of bounds) {
    const count = counts.get(bound) ?? 0
    if (count >= share * total) {
      if (bound === Number.POSITIVE_INFINITY) return low
      const inside = count - below
      return inside === 0 ? bound : low + ((bound - low) * (share * total - below)) / inside
    }
    low = bound
    below = count
  }
  return low
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
