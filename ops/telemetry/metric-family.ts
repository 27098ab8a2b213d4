// What a family of metrics is, and the buckets of histograms. Names follow Prometheus: one prefix, base
// units as the last word, `_total` on counters alone; sums over all labels mean something. Which
// process a series comes from is said by the target's labels (cluster, role, group, replica), which
// service discovery sets, so no family repeats them.

import { powers } from '../../server/tally.ts'

export { LATENCY_SECONDS as LATENCY, ROUND_TRIP_SECONDS as ROUND_TRIP } from '../../server/tally.ts'

export const PREFIX = 'shardglass_'

/** Which processes export a family. */
export type ProcessKind = 'shardmaster' | 'shardkv' | 'archive'

/** A label's values: a closed set, or what bounds their number where it is only known at run time. */
export type LabelValues = readonly string[] | { readonly bound: string; readonly max: number }

export type FamilyType = 'counter' | 'gauge' | 'histogram'

export type Family = {
  readonly type: FamilyType
  readonly help: string
  readonly on: readonly ProcessKind[]
  /** Label → its values. */
  readonly labels: Readonly<Record<string, LabelValues>>
  /** Upper bounds of a histogram in its unit, growing; none for the others. */
  readonly buckets: readonly number[]
  /** Its buckets carry exemplars: trace ids of traces that are kept. */
  readonly hasExemplars: boolean
}

export const NODES = ['shardmaster', 'shardkv'] as const
export const MASTERS = ['shardmaster'] as const
export const GROUPS = ['shardkv'] as const
export const ARCHIVE = ['archive'] as const

type On<Type extends FamilyType, Kinds extends readonly ProcessKind[]> = Family & {
  readonly type: Type
  readonly on: Kinds
}
type Labels = Family['labels']

export function counter<const Kinds extends readonly ProcessKind[]>(
  on: Kinds,
  help: string,
  labels: Labels = {},
): On<'counter', Kinds> {
  return { type: 'counter', on, help, labels, buckets: [], hasExemplars: false }
}

export function gauge<const Kinds extends readonly ProcessKind[]>(
  on: Kinds,
  help: string,
  labels: Labels = {},
): On<'gauge', Kinds> {
  return { type: 'gauge', on, help, labels, buckets: [], hasExemplars: false }
}

export function histogram<const Kinds extends readonly ProcessKind[]>(
  on: Kinds,
  buckets: readonly number[],
  help: string,
  labels: Labels = {},
): On<'histogram', Kinds> {
  return { type: 'histogram', on, help, labels, buckets, hasExemplars: false }
}

/** The same family with a trace id on its buckets. */
export function withExemplars<Kind extends Family>(family: Kind): Kind {
  return { ...family, hasExemplars: true }
}

/** Seconds: handoffs, elections, and what else people wait for. */
export const LONG = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
/** Bytes: 64 B … 4 MiB. */
export const SIZE = powers({ first: 64, factor: 4, count: 9 })
/** Things in a batch: 1 … 1,024. */
export const COUNT = powers({ first: 1, factor: 2, count: 11 })

/** Replicas of a group, by id. */
export const PEERS: LabelValues = ['0', '1', '2', '3', '4', '5', '6', '7', '8']
/** Where there are more shards, families by shard are left out: `shards` has their sums. */
export const SHARD_SERIES_MAX = 256
export const SHARDS: LabelValues = { bound: 'number of a shard', max: SHARD_SERIES_MAX }
/** Where there are more groups, families by owner are left out. */
export const OWNER_SERIES_MAX = 64
