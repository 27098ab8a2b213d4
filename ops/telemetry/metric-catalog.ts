// Every metric of Shardglass, once. Registries are made from this list, and dashboards, alert rules and
// tests check themselves against it. A family of which a process says that it has it, and for which
// no value is given there, does not compile (metric-sources.ts).

import { PAXOS_FAMILIES } from './families-paxos.ts'
import { PROCESS_FAMILIES } from './families-process.ts'
import { REQUEST_FAMILIES } from './families-requests.ts'
import { SHARD_FAMILIES } from './families-shards.ts'
import { STORAGE_FAMILIES } from './families-storage.ts'
import { type Family, PREFIX, type ProcessKind } from './metric-family.ts'

/** Name without the prefix → family. */
export const FAMILIES = {
  ...REQUEST_FAMILIES,
  ...PAXOS_FAMILIES,
  ...STORAGE_FAMILIES,
  ...SHARD_FAMILIES,
  ...PROCESS_FAMILIES,
} as const

export type FamilyName = keyof typeof FAMILIES

/** The families of one kind of process. */
export type FamilyNameOn<Kind extends ProcessKind> = {
  [Name in FamilyName]: Kind extends (typeof FAMILIES)[Name]['on'][number] ? Name : never
}[FamilyName]

export type CatalogEntry = Family & {
  /** As exported, prefix included. */
  readonly name: string
}

/** The list as Prometheus sees it. Histograms are exported as NAME_bucket, NAME_sum and NAME_count. */
export const CATALOG: readonly CatalogEntry[] = Object.entries<Family>(FAMILIES).map(
  ([name, family]) => ({ ...family, name: PREFIX + name }),
)
