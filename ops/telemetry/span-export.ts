// The way of spans to one receiver: they wait a moment, so that many go together, and are sent one
// batch at a time. While the receiver is away the batch is kept and sent again, ever more rarely, and
// the queue fills. SDK spans are made right before they are sent: what waits stays small.

import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'
import type { Span, SpanSource } from './span.ts'
import { QUEUE_BOUNDS, type QueueBounds, type Queued, SpanQueue } from './span-queue.ts'

/** `refused`: sending it again would not help. */
export type Sent = 'sent' | 'unreachable' | 'refused'

/** Turns a batch into what goes over the network, once; the result may be called again and again. */
export type Sender = (spans: readonly Span[]) => () => Promise<Sent>

export type ExportOptions = {
  readonly send: Sender
  /** The receiver went away, or is back. */
  readonly onReachable?: (isReachable: boolean) => void
  readonly bounds?: QueueBounds
  readonly delayMs?: number
  readonly retryMsMin?: number
}

/** What a process that is killed may lose. */
const DELAY_MS = 250
/** Making and encoding so many takes 3 ms, for which all else has to wait. */
const BATCH_SPANS = 128
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 5_000

export class SpanExport {
  readonly queue: SpanQueue
  /** How long each sending of a batch took, in vain or not, in seconds. */
  readonly sendings = new Tally(LATENCY_SECONDS)
  private readonly options: ExportOptions
  private timer: NodeJS.Timeout | null = null
  private sending: Promise<void> | null = null
  private underWay: readonly Queued[] = []
  /** Ends every wait; resolved when the end has come. */
  private hurry: () => void = () => undefined
  private readonly hurried: Promise<'hurry'>
  private retryMs: number
  private isReachable = true
  private isStopping = false

  constructor(options: ExportOptions) {
    this.options = options
    this.queue = new SpanQueue(options.bounds ?? QUEUE_BOUNDS)
    this.retryMs = options.retryMsMin ?? RETRY_MS_MIN
    this.hurried = new Promise(resolve => {
      this.hurry = () => resolve('hurry')
    })
  }

  /** Spans that are not sent yet. */
  get waiting(): number {
    return this.queue.size + this.underWay.length
  }

  add(source: SpanSource): void {
    this.queue.add(source)
    if (this.sending !== null) return
    if (this.queue.size >= BATCH_SPANS && this.isReachable) this.begin()
    else this.arm(this.options.delayMs ?? DELAY_MS)
  }

  /**
   * Sends what waits, for up to `graceMs`; what is left then is counted as dropped. Whatever was
   * being waited for, the batch under way is tried once more at once: receivers know doubles.
   */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true
    this.hurry()
    const end = new Promise<'over'>(resolve => setTimeout(() => resolve('over'), graceMs))
    while (this.sending !== null || this.queue.size > 0) {
      if (this.sending === null) this.begin()
      if ((await Promise.race([this.sending, end])) === 'over') break
    }
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.end('dropped')
    this.queue.count(this.queue.take(Number.POSITIVE_INFINITY), 'dropped')
  }

  private arm(delayMs: number): void {
    if (this.timer !== null || this.isStopping) return
    this.timer = setTimeout(() => {
      this.timer = null
      this.begin()
    }, delayMs)
    this.timer.unref()
  }

  private begin(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (this.sending !== null || this.queue.size === 0) return
    this.sending = this.sendBatch(this.queue.take(BATCH_SPANS)).finally(() => {
      this.sending = null
      if (this.queue.size >= BATCH_SPANS) this.begin()
      else if (this.queue.size > 0) this.arm(this.options.delayMs ?? DELAY_MS)
    })
  }

  private async sendBatch(batch: readonly Queued[]): Promise<void> {
    this.underWay = batch
    const send = this.options.send(batch.map(({ source, isThin }) => source.span(isThin)))
    while (this.underWay === batch) {
      const isLast = this.isStopping
      const startedAt = performance.now()
      const sent = await (isLast ? send() : Promise.race([send(), this.hurried]))
      if (sent === 'hurry') continue
      this.sendings.add((performance.now() - startedAt) / 1000)
      this.noteReachable(sent !== 'unreachable')
      if (sent !== 'unreachable') this.end(sent === 'sent' ? 'sent' : 'failed')
      else if (isLast) this.end('dropped')
      else await Promise.race([this.pause(), this.hurried])
    }
  }

  /** Counts the batch under way, once. */
  private end(fate: 'sent' | 'dropped' | 'failed'): void {
    this.queue.count(this.underWay, fate)
    this.underWay = []
  }

  private noteReachable(isReachable: boolean): void {
    const { retryMsMin = RETRY_MS_MIN, onReachable } = this.options
    this.retryMs = isReachable ? retryMsMin : Math.min(RETRY_MS_MAX, 2 * this.retryMs)
    if (isReachable === this.isReachable) return
    this.isReachable = isReachable
    onReachable?.(isReachable)
  }

  /** With jitter: all nodes lost the same receiver at the same time. */
  private pause(): Promise<void> {
    const waitMs = this.retryMs * (0.75 + Math.random() / 2)
    return new Promise(resolve => setTimeout(resolve, waitMs).unref())
  }
}
