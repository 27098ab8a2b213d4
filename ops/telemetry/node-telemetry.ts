// What one node counts, from before its parts exist until it stops, and the registry over it.

import { systemClock } from '../../server/host/clock.ts'
import { Traffic } from '../../server/http/traffic.ts'
import { ROUND_TRIP_SECONDS, Tally } from '../../server/tally.ts'
import { version } from '../version.ts'
import { EventMetrics } from './event-metrics.ts'
import type { MetricRegistry } from './metric-registry.ts'
import { heldFor } from './metric-sources.ts'
import { type NodeNumbers, nodeRegistry, type OwnSources } from './node-metrics.ts'
import { watchProcess } from './process-metrics.ts'
import { StorageMetrics } from './storage-metrics.ts'

/** One reading of the replica's state serves a whole scrape. */
export const READING_MS = 5

/** What a kind of node makes its own sources from. */
export type Counted = {
  readonly traffic: Traffic
  readonly events: EventMetrics
  readonly nowMicros: () => number
}

export class NodeTelemetry implements Counted {
  readonly traffic: Traffic
  readonly events: EventMetrics
  readonly storage = new StorageMetrics()
  /** Of pings and posts. */
  readonly roundTrips = new Tally(ROUND_TRIP_SECONDS)
  readonly nowMicros = () => systemClock.now().micros
  private readonly process = watchProcess(version)

  constructor(gid: number) {
    this.traffic = new Traffic(gid)
    this.events = new EventMetrics(gid, this.nowMicros)
  }

  onRoundTrip(micros: number): void {
    this.roundTrips.add(micros / 1e6)
  }

  /** Once the node's parts are there. */
  registry(
    parts: Omit<NodeNumbers, keyof Counted | 'storage' | 'roundTrips' | 'process'>,
    own: OwnSources,
  ): MetricRegistry {
    const { traffic, events, storage, roundTrips } = this
    const status = heldFor(READING_MS, parts.status)
    const process = this.process.sources
    return nodeRegistry({ ...parts, status, traffic, events, storage, roundTrips, process }, own)
  }

  stop(): void {
    this.process.stop()
  }
}
