// The metrics of a node, of either kind: what they are read from when somebody scrapes. Families that
// one kind alone has come with it (shardkv-metrics.ts, shardmaster-metrics.ts).

import type { NodeStatus } from '../../server/backend.ts'
import type { HostCounters } from '../../server/host/host.ts'
import type { DurableStore } from '../../server/host/store-durable.ts'
import type { Transport } from '../../server/host/transport.ts'
import type { WalStats } from '../../server/host/wal.ts'
import type { Traffic } from '../../server/http/traffic.ts'
import type { Tally } from '../../server/tally.ts'
import type { EventMetrics } from './event-metrics.ts'
import type { FamilyNameOn } from './metric-catalog.ts'
import { createRegistry, type MetricRegistry } from './metric-registry.ts'
import type { SourcesOf } from './metric-sources.ts'
import { hostSources, requestSources, spanSources, storageSources } from './node-sources.ts'
import { instanceSources, paxosSources } from './paxos-sources.ts'
import type { ProcessFamilyName } from './process-metrics.ts'
import type { StorageMetrics } from './storage-metrics.ts'
import type { TraceCounters } from './tracing.ts'

type OnShardkv = FamilyNameOn<'shardkv'>
type OnShardmaster = FamilyNameOn<'shardmaster'>
export type ShardkvSources = SourcesOf<Exclude<OnShardkv, CommonName>>
export type ShardmasterSources = SourcesOf<Exclude<OnShardmaster, CommonName>>
/** What one kind of node adds. */
export type OwnSources =
  | { readonly kind: 'shardkv'; readonly sources: ShardkvSources }
  | { readonly kind: 'shardmaster'; readonly sources: ShardmasterSources }

/** Sessions are the state machine's. */
export type CommonName = Exclude<Extract<OnShardkv, OnShardmaster>, 'client_sessions'>

/** Where a node's numbers are. */
export type NodeNumbers = {
  readonly name: string
  readonly status: () => NodeStatus
  readonly waiting: () => number
  readonly counters: HostCounters
  readonly traffic: Traffic
  readonly events: EventMetrics
  readonly transport: Pick<Transport<unknown, unknown>, 'counters' | 'peers'>
  readonly roundTrips: Tally
  readonly storage: StorageMetrics
  readonly store: DurableStore & { readonly layerBytes?: number }
  /** Null with storage in memory. */
  readonly wal: { stats(): WalStats } | null
  /** Null: this node makes no traces. */
  readonly traces: () => TraceCounters | null
  readonly process: SourcesOf<ProcessFamilyName>
}

/** Made once a node is whole. */
export function nodeRegistry(numbers: NodeNumbers, own: OwnSources): MetricRegistry {
  const common: SourcesOf<CommonName> = {
    ...requestSources(numbers),
    ...paxosSources(numbers),
    ...instanceSources(numbers),
    ...storageSources(numbers),
    ...hostSources(numbers),
    ...spanSources(numbers),
    ...numbers.process,
  }
  return own.kind === 'shardkv'
    ? createRegistry('shardkv', { ...common, ...own.sources })
    : createRegistry('shardmaster', { ...common, ...own.sources })
}
