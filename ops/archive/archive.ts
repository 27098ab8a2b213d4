// The archive as its routes see it: batches go to the writing thread, questions to the reading one.

import type { Worker } from 'node:worker_threads'
import type { ArchiveStatus } from './answers.ts'
import type { Question } from './question.ts'
import { SCHEMA_VERSION } from './segment-schema.ts'
import { extentOf, type SegmentView } from './shelf.ts'
import {
  type Delivery,
  type DeliveryResult,
  type FromReader,
  type FromWriter,
  startThread,
  type ToReader,
  type ToWriter,
  type WriterData,
} from './thread.ts'

export type ArchiveOptions = WriterData & {
  readonly version: string
  /** A sentence for the log. */
  readonly onNote: (text: string) => void
  /** A thread has ended by itself: nothing can be stored or found any more. */
  readonly onFatal: (error: unknown) => void
  /** A transaction, for metrics. */
  readonly onWritten?: (seconds: number) => void
}

/** Bytes of batches that wait to be written; an exporter comes back later. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024
/** Questions that wait for the reading thread: about as many as it answers within a client's patience. */
const QUESTIONS_MAX = 64
const CLOSE_MS_MAX = 2_500

export type StoreResult = DeliveryResult | { readonly type: 'overloaded' }
export type AskResult =
  | { readonly type: 'answer'; readonly json: string | null }
  | { readonly type: 'overloaded' }

type Batch = Omit<Delivery, 'id'>

export class Archive {
  private readonly options: ArchiveOptions
  private readonly writer: Worker
  private readonly reader: Worker
  private readonly stores = new Map<number, (result: StoreResult) => void>()
  private readonly asks = new Map<number, (result: FromReader) => void>()
  private readonly fates = { stored: 0, duplicate: 0, rejected: 0, expired: 0 }
  private segments: readonly SegmentView[] = []
  private waitingBytes = 0
  private nextId = 1
  private isFull = false
  private isClosing = false

  /** Resolves when it can store and answer. */
  static async start(options: ArchiveOptions): Promise<Archive> {
    const archive = new Archive(options)
    await archive.opened()
    return archive
  }

  private constructor(options: ArchiveOptions) {
    this.options = options
    const { folder, sync, bytesMax, ageMsMax } = options
    this.writer = startThread('writer-thread', { folder, sync, bytesMax, ageMsMax })
    this.reader = startThread('reader-thread', null)
  }

  async store(batch: Batch): Promise<StoreResult> {
    const { length } = batch.body
    if (this.waitingBytes + length > WAITING_BYTES_MAX) return { type: 'overloaded' }
    this.waitingBytes += length
    const id = this.nextId++
    const result = await new Promise<StoreResult>(resolve => {
      this.stores.set(id, resolve)
      // A copy of its own, which goes over to the thread: the body may be a part of a larger buffer.
      const body = new Uint8Array(batch.body)
      this.tellWriter({ type: 'store', delivery: { ...batch, id, body } }, body)
    })
    this.waitingBytes -= length
    this.count(result)
    return result
  }

  async ask(question: Question): Promise<AskResult> {
    if (this.asks.size >= QUESTIONS_MAX) return { type: 'overloaded' }
    const id = this.nextId++
    const found = await new Promise<FromReader>(resolve => {
      this.asks.set(id, resolve)
      this.tellReader({ type: 'ask', id, question })
    })
    if (found.type === 'failed') throw new Error(`a question failed: ${found.reason}`)
    return { type: 'answer', json: found.json }
  }

  status(): ArchiveStatus {
    const { bytesMax, ageMsMax, version } = this.options
    const { segments } = this
    const { spans, startMin, startMax } = extentOf(segments)
    return {
      version,
      schemaVersion: SCHEMA_VERSION,
      spans,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      oldestMicros: spans === 0 ? null : startMin,
      newestMicros: spans === 0 ? null : startMax,
      segments: segments.length,
      fates: { ...this.fates },
      bounds: { bytesMax, ageMsMax },
      refusing: this.isFull ? 'the disk is full' : null,
    }
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    this.isClosing = true
    const ended = [this.writer, this.reader].map(
      worker => new Promise<void>(resolve => worker.once('exit', () => resolve())),
    )
    this.tellWriter({ type: 'close' })
    this.tellReader({ type: 'close' })
    const late = new Promise<void>(resolve => setTimeout(resolve, CLOSE_MS_MAX).unref())
    await Promise.race([Promise.all(ended), late])
  }

  private opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOpen = false
      const fail = (error: unknown): void => {
        reject(error) // who starts it says so
        if (isOpen && !this.isClosing) this.options.onFatal(error)
      }
      for (const worker of [this.writer, this.reader]) {
        worker.on('error', fail)
        worker.on('exit', () => {
          if (!this.isClosing) fail(new Error('a thread of the archive has ended'))
        })
      }
      this.writer.on('message', (message: FromWriter) => {
        this.onWriter(message)
        if (message.type !== 'segments') return
        isOpen = true
        resolve()
      })
      this.reader.on('message', (message: FromReader) => {
        this.asks.get(message.id)?.(message)
        this.asks.delete(message.id)
      })
    })
  }

  private onWriter(message: FromWriter): void {
    switch (message.type) {
      case 'segments':
        this.show(message.segments)
        return
      case 'results':
        // The reader hears of new segments before anyone hears that something is stored in them.
        this.show(message.segments)
        this.options.onWritten?.(message.seconds)
        for (const { id, result } of message.results) {
          this.stores.get(id)?.(result)
          this.stores.delete(id)
        }
        return
      case 'note':
        this.options.onNote(message.text)
        return
      case 'closed':
        return
    }
  }

  private show(segments: readonly SegmentView[]): void {
    const before = this.segments
    this.segments = segments
    const isSame =
      before.length === segments.length && before.at(-1)?.number === segments.at(-1)?.number
    if (isSame) return
    const last = segments.at(-1)
    const readable = segments.map(({ number, path, startMin, startMax }) => {
      // The last one grows: what it reaches to is not known.
      if (number !== last?.number) return { number, path, startMin, startMax }
      const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number
      return { number, path, startMin: NEGATIVE_INFINITY, startMax: POSITIVE_INFINITY }
    })
    this.tellReader({ type: 'segments', segments: readable })
  }

  private count(result: StoreResult): void {
    if (result.type === 'noRoom' && !this.isFull) this.options.onNote('the disk is full')
    if (result.type === 'noRoom') this.isFull = true
    // How many spans it was meant to hold, nobody knows.
    if (result.type === 'bad') this.fates.rejected += 1
    if (result.type !== 'stored') return
    if (this.isFull) this.options.onNote('there is room again')
    this.isFull = false
    for (const fate of ['stored', 'duplicate', 'rejected', 'expired'] as const) {
      this.fates[fate] += result[fate]
    }
  }

  private tellWriter(message: ToWriter, body?: Uint8Array<ArrayBuffer>): void {
    this.writer.postMessage(message, body === undefined ? [] : [body.buffer])
  }

  private tellReader(message: ToReader): void {
    this.reader.postMessage(message)
  }
}
