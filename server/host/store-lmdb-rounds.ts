// The main thread's end of the writer thread: sends it one round of changes at a time, a few at once
// so that the event loop goes on, and says when the round is durable. A round that found the disk
// full is sent again; any other failure is final.

import { Worker } from 'node:worker_threads'
import { assert } from '../assert.ts'
import type { Layer } from './store-layer.ts'
import type { StateNumber, WriterMessage, WriterOptions, WriterReport } from './store-lmdb-file.ts'
import { packPieces } from './store-lmdb-piece.ts'

/** What becomes durable together. The layers must not change until the round has landed. */
export type Round = {
  readonly parts: readonly { readonly state: StateNumber; readonly layer: Layer }[]
  /** Trees of the file to be emptied first. */
  readonly clear: readonly StateNumber[]
  /** The tree that is the state from now on; null: no change. */
  readonly state: StateNumber | null
}

export type RoundWriterOptions = {
  readonly dir: string
  readonly mapBytes: number
  readonly retryMs: number
  readonly onLanded: (round: Round, ms: number) => void
  readonly onFull: () => void
  /** Called once; nothing lands any more. */
  readonly onFailure: (error: Error) => void
}

type Sending = { readonly round: Round; number: number; pieces: Iterator<WriterMessage> | null }

export class RoundWriter {
  /** The disk is full; the round under way is tried again. */
  isFull = false
  private readonly options: RoundWriterOptions
  private readonly worker: Worker
  private readonly progress = new Int32Array(new SharedArrayBuffer(8))
  private sending: Sending | null = null
  private rounds = 0
  private retry: NodeJS.Timeout | null = null
  private isOver = false

  private constructor(options: RoundWriterOptions) {
    this.options = options
    const { dir, mapBytes } = options
    const workerData: WriterOptions = { dir, mapBytes, progress: this.progress }
    this.worker = startThread(workerData)
  }

  /** Resolves with the tree that is the state, once the thread has opened the file. */
  static async start(
    options: RoundWriterOptions,
  ): Promise<{ readonly writer: RoundWriter; readonly state: StateNumber }> {
    const writer = new RoundWriter(options)
    const state = await writer.opened().catch(async cause => {
      await writer.worker.terminate()
      throw new Error(`the store ${options.dir} cannot be opened: ${String(cause)}`, { cause })
    })
    writer.worker.on('message', (report: WriterReport) => writer.onReport(report))
    writer.worker.on('error', error => writer.fail(error))
    writer.worker.on('exit', () => writer.fail(new Error('its thread has ended')))
    return { writer, state }
  }

  get isBusy(): boolean {
    return this.sending !== null
  }

  send(round: Round): void {
    assert(this.sending === null, 'one round is under way at a time')
    if (this.isOver) return
    this.sending = { round, number: 0, pieces: null }
    this.begin(this.sending)
  }

  /** Empties a tree that is not in use, in the background. */
  clear(state: StateNumber): void {
    this.post({ type: 'clear', state })
  }

  /** Blocks until the round under way has landed; false: it has not, within `ms` or at all. */
  wait(ms: number): boolean {
    const { sending } = this
    if (sending === null || this.isFull || this.isOver) return false
    while (this.sendPiece(sending));
    Atomics.wait(this.progress, 0, (sending.number - 1) | 0, ms)
    if (Atomics.load(this.progress, 0) !== (sending.number | 0)) return false
    if (Atomics.load(this.progress, 1) !== 0) return false
    this.onLanded(sending.number, 0)
    return true
  }

  /** Ends the thread. A round under way is dropped unless it was sent already. */
  async close(): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry)
    if (this.isOver) return
    this.isOver = true
    const ended = new Promise(resolve => this.worker.once('exit', resolve))
    this.post({ type: 'close' })
    await ended
  }

  private opened(): Promise<StateNumber> {
    return new Promise((resolve, reject) => {
      this.worker.once('message', (report: WriterReport) => {
        if (report.type === 'ready') resolve(report.state)
        else reject(new Error(report.type === 'refused' ? report.message : 'out of turn'))
      })
      this.worker.once('error', reject)
      this.worker.once('exit', () => reject(new Error('its thread has ended')))
    })
  }

  private begin(sending: Sending): void {
    this.rounds += 1
    sending.number = this.rounds
    sending.pieces = messagesOf(sending.round, this.rounds)
    this.sendOn(sending)
  }

  private sendOn(sending: Sending): void {
    if (this.sending === sending && this.sendPiece(sending)) {
      setImmediate(() => this.sendOn(sending))
    }
  }

  /** False when all was sent. */
  private sendPiece(sending: Sending): boolean {
    const next = sending.pieces?.next()
    if (next === undefined || next.done === true) {
      sending.pieces = null
      return false
    }
    this.post(next.value)
    return true
  }

  private post(message: WriterMessage): void {
    const isPiece = message.type === 'piece' && message.bytes.buffer instanceof ArrayBuffer
    this.worker.postMessage(message, isPiece ? [message.bytes.buffer] : [])
  }

  private onReport(report: WriterReport): void {
    if (report.type === 'landed') this.onLanded(report.round, report.ms)
    if (report.type !== 'failed' || this.sending === null) return
    if (!report.isFull) {
      this.fail(new Error(report.message))
      return
    }
    this.isFull = true
    const { sending } = this
    this.retry = setTimeout(() => this.begin(sending), this.options.retryMs)
    this.options.onFull()
  }

  /** The thread's own report comes later again when the round was waited for. */
  private onLanded(number: number, ms: number): void {
    const { sending } = this
    if (sending === null || sending.number !== number) return
    this.sending = null
    this.isFull = false
    this.options.onLanded(sending.round, ms)
  }

  private fail(cause: unknown): void {
    if (this.isOver) return
    this.isOver = true
    void this.worker.terminate()
    this.options.onFailure(new Error('the store cannot be made durable', { cause }))
  }
}

/** From a build it is a file; from source, TypeScript needs its loader in the new thread too. */
function startThread(workerData: WriterOptions): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('store-lmdb-writer.js', import.meta.url), { workerData })
  }
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const file = JSON.stringify(new URL('store-lmdb-writer.ts', import.meta.url).href)
  const code = `import(${loader}).then(tsx => { tsx.register(); return import(${file}) })`
  return new Worker(code, { eval: true, workerData })
}

function* messagesOf(round: Round, number: number): Generator<WriterMessage, undefined> {
  for (const { state, layer } of round.parts) {
    for (const bytes of packPieces(layer)) yield { type: 'piece', state, bytes }
  }
  yield { type: 'commit', round: number, clear: round.clear, state: round.state }
}
