// The LMDB file and how the two threads that share it talk: the main thread reads it and sends
// rounds of changes, the writer thread (store-lmdb-writer.ts) commits them.
// Mode: LMDB's plain one. Each commit syncs the data, then writes the page that makes it the state
// with O_DSYNC. `noSync` may leave a torn tree after a power cut; `overlappingSync` syncs just as
// often when a transaction is synchronous, as `strace` shows.

import { type Database, open, type RootDatabase } from 'lmdb'
import type { ByteString } from '../bytes.ts'
import type { StoreEntry } from '../store.ts'
import type { BasePage, StoreBase } from './store-layers.ts'

/** Which of the two trees in the file: one is the state, the other empty or being filled. */
export type StateNumber = 0 | 1

export type LmdbFile = {
  readonly root: RootDatabase<Buffer, ByteString>
  readonly meta: Database<Buffer, ByteString>
  readonly states: readonly [Database<Buffer, ByteString>, Database<Buffer, ByteString>]
}

/** Sees one state of the file until `done` is called. */
export type ReadTransaction = ReturnType<RootDatabase['useReadTransaction']>

/** Given to the writer thread when it starts. */
export type WriterOptions = {
  readonly dir: string
  readonly mapBytes: number
  /** Shared: how many rounds have ended, and whether the last one failed (1). */
  readonly progress: Int32Array
}

export type WriterMessage =
  /** A part of the next round's changes (store-lmdb-piece.ts). */
  | { readonly type: 'piece'; readonly state: StateNumber; readonly bytes: Uint8Array }
  /** All of the round was sent: empty the trees `clear`, put it, and make `state` the state. */
  | {
      readonly type: 'commit'
      readonly round: number
      readonly clear: readonly StateNumber[]
      readonly state: StateNumber | null
    }
  /** This tree is not needed any more. */
  | { readonly type: 'clear'; readonly state: StateNumber }
  | { readonly type: 'close' }

export type WriterReport =
  | { readonly type: 'ready'; readonly state: StateNumber }
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'landed'; readonly round: number; readonly ms: number }
  /** `isFull`: may work when there is more room on the disk. */
  | {
      readonly type: 'failed'
      readonly round: number
      readonly message: string
      readonly isFull: boolean
    }
  | { readonly type: 'closed' }

const READERS_MAX = 512
/** A page of a range ends after the entry that reaches this: values may be 1 MiB each. */
const PAGE_BYTES = 1024 * 1024

const KEYS = {
  writeKey: (key: ByteString, target: Buffer, start: number) =>
    start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number) => source.toString('latin1', start, end),
}

/** Opens the file, creating it when it is not there; in both threads with the same options. */
export function openLmdbFile(options: Pick<WriterOptions, 'dir' | 'mapBytes'>): LmdbFile {
  const encoding = { encoding: 'binary', keyEncoder: KEYS } as const
  const root = open<Buffer, ByteString>(options.dir, {
    ...encoding,
    noSubdir: false,
    mapSize: options.mapBytes,
    maxDbs: 3,
    maxReaders: READERS_MAX,
    overlappingSync: false,
  })
  return {
    root,
    meta: root.openDB<Buffer, ByteString>('meta', encoding),
    states: [
      root.openDB<Buffer, ByteString>('state-0', encoding),
      root.openDB<Buffer, ByteString>('state-1', encoding),
    ],
  }
}

/** A tree for reading, as it is now or, with `transaction`, as it was when that began. */
export function baseOf(
  file: LmdbFile,
  state: StateNumber,
  transaction: ReadTransaction | null,
): StoreBase {
  const tree = file.states[state]
  const options = transaction === null ? {} : { transaction }
  const base: StoreBase = {
    get: key => tree.get(key, options),
    page: (range, limit) =>
      readPage(tree, { ...options, start: range.from, end: range.to, limit }, limit),
    hold: () => {
      if (transaction !== null) return { base, release: () => {} }
      const held = file.root.useReadTransaction()
      return { base: baseOf(file, state, held), release: () => held.done() }
    },
  }
  return base
}

function readPage(
  tree: Database<Buffer, ByteString>,
  options: NonNullable<Parameters<typeof tree.getRange>[0]>,
  limit: number,
): BasePage {
  const entries: StoreEntry[] = []
  let bytes = 0
  for (const { key, value } of tree.getRange(options)) {
    entries.push([key, value])
    bytes += value.length
    if (bytes >= PAGE_BYTES) return { entries, isLast: false }
  }
  return { entries, isLast: entries.length < limit }
}
