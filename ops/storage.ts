// The durable side of a node: its data directory with identity, log and store; or, with
// `--storage memory`, nothing that lasts and a new incarnation at each start.

import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openDataDirectory } from '../server/host/identity.ts'
import type { DurableStore } from '../server/host/store-durable.ts'
import { openLmdbStore } from '../server/host/store-lmdb.ts'
import { MemoryStore } from '../server/host/store-memory.ts'
import { openWal, type Wal } from '../server/host/wal.ts'
import { decodeRecord, type LogRecord } from '../server/paxos/record.ts'
import type { ShardkvOptions, ShardmasterOptions } from './options.ts'
import type { StorageMetrics } from './telemetry/storage-metrics.ts'

export type Storage = {
  readonly incarnation: string
  readonly store: DurableStore
  /** Null with storage in memory. */
  readonly wal: Wal | null
  /** What the log held, oldest first. */
  readonly records: readonly LogRecord[]
  /** Lets the directory go; store and log are closed by the host before. */
  release(): void | Promise<void>
}

export type StorageOptions = {
  readonly node: ShardmasterOptions | ShardkvOptions
  readonly kind: 'shardmaster' | 'shardkv'
  readonly gid: number
  /** Payloads with which a new log segment begins. */
  readonly header: () => readonly Uint8Array[]
  readonly onDurable: (upTo: number) => void
  readonly metrics: StorageMetrics
  /** Log or store are dead: the process must stop. */
  readonly onFailure: (error: Error) => void
}

/** Rejects with a sentence where the directory belongs to another node, or is damaged. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { node, kind, gid, header, onDurable, onFailure, metrics } = options
  const { data, cluster, replica } = node
  if (node.storage === 'memory' || data === undefined) {
    const incarnation = randomBytes(8).toString('hex')
    const release = (): void => undefined
    return { incarnation, store: new MemoryStore(), wal: null, records: [], release }
  }
  const directory = await openDataDirectory({ dir: data, cluster, gid, replica, kind })
  metrics.folder = data
  const logFolder = join(data, 'log')
  mkdirSync(logFolder, { recursive: true, mode: 0o700 })
  const { wal, recovered } = await openWal({
    dir: logFolder,
    header,
    onDurable,
    onFailure,
    onWrite: write => metrics.onWrite(write),
  })
  const store = await openLmdbStore(join(data, 'store'), {
    onFailure,
    onRound: round => metrics.onRound(round),
    onFull: () => metrics.onFull(),
  })
  const records = recovered.map(decodeRecord)
  const { incarnation } = directory.identity
  return { incarnation, store, wal, records, release: () => directory.release() }
}
