// What the host needs of a store beside what the state machines do.

import type { Store } from '../store.ts'

/** A store that can be made durable, or pretends to (store-memory.ts). */
export interface DurableStore extends Store {
  /** Resolves when all transactions so far are durable; rejects when they never will be. */
  flush(): Promise<void>
  /** Flushes, and lets go of everything. Snapshots must be closed before. */
  close(): Promise<void>
  /** Bytes on disk, or in memory. */
  readonly sizeBytes: number
}
