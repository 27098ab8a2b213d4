// The whole list, in the order of the layers.

import { ARCHIVE_MUTANTS } from './archive.ts'
import { CLIENT_MUTANTS } from './clients.ts'
import { CUT_MUTANTS } from './cuts.ts'
import { DASHBOARD_MUTANTS } from './dashboard.ts'
import { METRIC_MUTANTS } from './metrics.ts'
import type { Mutant } from './mutant.ts'
import { OBSERVE_MUTANTS } from './observe.ts'
import { PAXOS_MUTANTS } from './paxos.ts'
import { READ_MUTANTS } from './reads-and-snapshots.ts'
import { SHARD_MUTANTS } from './shards.ts'
import { SHELL_MUTANTS } from './shell-and-storage.ts'
import { TRACE_MUTANTS } from './traces.ts'

export const ALL_MUTANTS: readonly Mutant[] = [
  ...PAXOS_MUTANTS,
  ...READ_MUTANTS,
  ...SHELL_MUTANTS,
  ...CUT_MUTANTS,
  ...SHARD_MUTANTS,
  ...CLIENT_MUTANTS,
  ...TRACE_MUTANTS,
  ...ARCHIVE_MUTANTS,
  ...DASHBOARD_MUTANTS,
  ...METRIC_MUTANTS,
  ...OBSERVE_MUTANTS,
]
