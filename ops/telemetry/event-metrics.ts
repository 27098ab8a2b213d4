// Events → numbers. The switches, here and where the numbers are, know every event of the core: one that
// is new must be given a place before it compiles. Numbers are plain, and read when somebody scrapes.

import type { Event, Now } from '../../server/contract.ts'
import { PaxosMetrics } from './paxos-metrics.ts'
import { ShardMetrics } from './shard-metrics.ts'
import type { EventSink } from './telemetry.ts'

export class EventMetrics {
  readonly paxos: PaxosMetrics
  readonly shards: ShardMetrics

  /** `nowMicros`: the clock of the events' times. */
  constructor(gid: number, nowMicros: () => number) {
    this.shards = new ShardMetrics(gid)
    this.paxos = new PaxosMetrics(nowMicros)
  }

  readonly sink: EventSink = (events, now) => {
    for (const event of events) this.on(event, now)
  }

  private on(event: Event, { micros }: Now): void {
    switch (event.type) {
      case 'configHeard':
      case 'configAdopted':
      case 'configSettled':
      case 'handoffFrozen':
      case 'handoffAwaited':
      case 'handoffChunk':
      case 'handoffInstalled':
      case 'handoffAcknowledged':
      case 'handoffReleased':
      case 'shardSwept':
      case 'requestRepeated':
      case 'sessionsRetired':
        return this.shards.on(event, micros)
      case 'configDecided':
        return this.shards.onDecided(event)
      case 'changeRefused':
        return this.shards.onRefused(event)
      default:
        return this.paxos.on(event, micros)
    }
  }
}
