// Every dashboard, in the order in which one looks at them.

import type { Board } from '../board.ts'
import { OVERVIEW } from './overview.ts'
import { PAXOS } from './paxos.ts'
import { RUNTIME_AND_TRACING } from './runtime-and-tracing.ts'
import { SHARDS_AND_HANDOFF } from './shards-and-handoff.ts'
import { STORAGE } from './storage.ts'

export const BOARDS: readonly Board[] = [
  OVERVIEW,
  PAXOS,
  SHARDS_AND_HANDOFF,
  STORAGE,
  RUNTIME_AND_TRACING,
]
