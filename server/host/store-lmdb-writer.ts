// The thread that writes the file of store-lmdb.ts: it takes a round of changes in pieces and commits
// them in one synced transaction, for which there is room (store-lmdb-room.ts). Meanwhile it clears, in
// small steps, a tree that is not in use.

import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { Database } from 'lmdb'
import type { ByteString } from '../bytes.ts'
import {
  type LmdbFile,
  openLmdbFile,
  type StateNumber,
  type WriterMessage,
  type WriterOptions,
  type WriterReport,
} from './store-lmdb-file.ts'
import { unpackPiece } from './store-lmdb-piece.ts'
import { changesOf, FileRoom, type Piece } from './store-lmdb-room.ts'

type Tree = Database<Buffer, ByteString>
type Commit = Extract<WriterMessage, { readonly type: 'commit' }>
type Failed = Extract<WriterReport, { readonly type: 'failed' }>

const FORMAT = 1
const FORMAT_KEY = 'format'
const STATE_KEY = 'state'
/** Keys deleted by one transaction while clearing: a round may come in between. */
const CLEAR_KEYS = 2000
/** MDB_MAP_FULL: the file has reached its largest size. */
const MAP_FULL = -30792

type Change = readonly [key: ByteString, value: Buffer | null]

class Writer {
  private readonly file: LmdbFile
  private readonly progress: Int32Array
  private readonly room: FileRoom
  private pieces: Piece[] = []
  private clearing: StateNumber | null = null

  constructor(options: WriterOptions) {
    this.file = openLmdbFile(options)
    this.progress = options.progress
    this.room = new FileRoom(this.file, join(options.dir, 'data.mdb'))
    this.start()
  }

  onMessage(message: WriterMessage): void {
    switch (message.type) {
      case 'piece':
        this.pieces.push(message)
        return
      case 'commit':
        this.commit(message)
        return
      case 'clear':
        this.clearLater(message.state)
        return
      case 'close':
        void this.close()
        return
    }
  }

  private start(): void {
    const { meta } = this.file
    const format = numberAt(meta, FORMAT_KEY)
    if (format !== null && format !== FORMAT) {
      report({
        type: 'refused',
        message: `format ${format}, this program knows ${FORMAT}: written by a newer version?`,
      })
      return
    }
    if (format === null) meta.transactionSync(() => putNumber(meta, FORMAT_KEY, FORMAT))
    const state = numberAt(meta, STATE_KEY) === 1 ? 1 : 0
    this.clearLater(state === 1 ? 0 : 1)
    report({ type: 'ready', state })
  }

  private commit(message: Commit): void {
    const start = performance.now()
    const { pieces } = this
    this.pieces = []
    if (this.clearing !== null && message.clear.includes(this.clearing)) this.clearing = null
    try {
      if (!this.room.has(changesOf(pieces))) {
        this.onFailed(message, { message: 'the disk is full', isFull: true })
        return
      }
      this.file.root.transactionSync(() => this.put(message, pieces))
    } catch (error) {
      this.onFailed(message, described(error))
      return
    }
    this.settle(0)
    report({ type: 'landed', round: message.round, ms: performance.now() - start })
  }

  private onFailed({ round }: Commit, how: Pick<Failed, 'message' | 'isFull'>): void {
    this.settle(1)
    report({ type: 'failed', round, ...how })
  }

  private put(message: Commit, pieces: readonly Piece[]): void {
    const { meta, states } = this.file
    for (const state of message.clear) states[state].clearSync()
    for (const state of [0, 1] as const) {
      const tree = states[state]
      for (const [key, value] of inOrder(pieces.filter(piece => piece.state === state))) {
        if (value === null) tree.removeSync(key)
        else tree.putSync(key, value)
      }
    }
    if (message.state !== null) putNumber(meta, STATE_KEY, message.state)
  }

  /** Wakes the main thread, which may be waiting. */
  private settle(failed: 0 | 1): void {
    Atomics.store(this.progress, 1, failed)
    Atomics.add(this.progress, 0, 1)
    Atomics.notify(this.progress, 0)
  }

  private clearLater(state: StateNumber): void {
    const isUnderWay = this.clearing !== null
    this.clearing = state
    if (!isUnderWay) setImmediate(() => this.clearStep())
  }

  private clearStep(): void {
    const state = this.clearing
    if (state === null) return
    this.clearing = null
    const tree = this.file.states[state]
    const keys = [...tree.getKeys({ start: '\0', limit: CLEAR_KEYS })]
    if (keys.length === 0) return
    // Without room it stays: the tree is cleared before it is filled the next time.
    if (!this.room.has({ count: keys.length, sharedBytes: 0, ownPages: 0 })) return
    tree.transactionSync(() => {
      for (const key of keys) tree.removeSync(key)
    })
    this.clearLater(state)
  }

  private async close(): Promise<void> {
    this.clearing = null
    this.room.close()
    await this.file.root.close()
    report({ type: 'closed' })
    parentPort?.close()
  }
}

/** LMDB is filled faster in the order of its pages; sorting here keeps the main thread free. */
function inOrder(pieces: readonly Piece[]): readonly Change[] {
  const changes: Change[] = []
  for (const { bytes } of pieces) unpackPiece(bytes, (key, value) => changes.push([key, value]))
  return changes.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
}

function numberAt(tree: Tree, key: ByteString): number | null {
  const value = tree.getBinary(key)
  return value === undefined ? null : Number(value.toString('latin1'))
}

function putNumber(tree: Tree, key: ByteString, value: number): void {
  tree.putSync(key, Buffer.from(String(value), 'latin1'))
}

/** A write that the disk refused has done harm (store-lmdb-room.ts); a full map is refused before. */
function described(error: unknown): Pick<Failed, 'message' | 'isFull'> {
  const code = error instanceof Error && 'code' in error ? error.code : null
  const message = error instanceof Error ? error.message : String(error)
  return { message, isFull: code === MAP_FULL }
}

function report(message: WriterReport): void {
  parentPort?.postMessage(message)
}

const writer = new Writer(workerData)
parentPort?.on('message', (message: WriterMessage) => writer.onMessage(message))
