// Operations for one node. While few are under way each goes as its own request; beyond that they
// wait for a request to return and leave together as one batch, so that many concurrent callers
// cost few HTTP requests and a lone caller never waits.

import { BATCH_REQUEST_BYTES_MAX } from '../limits.ts'
import type { Answer, Connections, Exchange, ExchangeLimits } from './connections.ts'
import type { Numbering, Numbers } from './numbering.ts'
import {
  batchAnswers,
  batchRequest,
  isBatchable,
  type KvAnswer,
  type Operation,
  singleAnswer,
  singleRequest,
} from './operation.ts'

/** One operation over all its attempts: a write keeps the number of its first one. */
export type Pending = {
  readonly operation: Operation
  numbers: Numbers | null
  number: number
  /** Never again in a batch. */
  isAlone: boolean
}

export type NodeAnswer =
  | Exclude<KvAnswer, { type: 'alone' }>
  | Extract<Answer, { type: 'failed' }>
  | { readonly type: 'notUnderstood' }

type Waiting = {
  readonly pending: Pending
  readonly deadlineAt: number
  readonly signal: AbortSignal | undefined
  settle: (answer: NodeAnswer) => void
  /** From here on its request alone watches over time and signal: it knows whether it was sent. */
  unwatch: () => void
  /** In a batch that may be on its way. */
  isSent: boolean
  isOver: boolean
}

/** Enough to hide a round trip; more would only make the batches smaller. */
const REQUESTS_MAX = 4
const BATCH_OPS = 256
/** Leaves room for JSON's escapes and base64. */
const BATCH_BYTES = BATCH_REQUEST_BYTES_MAX / 8

export type NodeQueueOptions = {
  readonly base: string
  readonly connections: Connections
  readonly numbering: Numbering
  readonly headers: Readonly<Record<string, string>>
  readonly attemptTimeoutMs: number
}

export class NodeQueue {
  private readonly options: NodeQueueOptions
  private waiting: Waiting[] = []
  private underWay = 0
  private isScheduled = false

  constructor(options: NodeQueueOptions) {
    this.options = options
  }

  /** Resolves once, at `timeoutMs` at the latest. */
  send(pending: Pending, timeoutMs: number, signal?: AbortSignal): Promise<NodeAnswer> {
    return new Promise(resolve => {
      const give = (reason: 'timeout' | 'aborted', text: string): void => {
        const { isSent } = waiting
        waiting.settle({ type: 'failed', isDefinite: !isSent, reason, cause: new Error(text) })
      }
      const onAbort = (): void => give('aborted', 'aborted by the caller')
      const timer = setTimeout(() => give('timeout', 'no answer in time'), timeoutMs)
      const unwatch = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const settle = (answer: NodeAnswer): void => {
        if (waiting.isOver) return
        waiting.isOver = true
        unwatch()
        resolve(answer)
      }
      const deadlineAt = performance.now() + timeoutMs
      const fields = { pending, deadlineAt, signal, settle, unwatch }
      const waiting: Waiting = { ...fields, isSent: false, isOver: false }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(waiting)
      this.schedule()
    })
  }

  /** At the end of this turn: what concurrent callers ask for in one turn leaves together. */
  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    queueMicrotask(() => {
      this.isScheduled = false
      while (this.underWay < REQUESTS_MAX && this.waiting.length > 0) this.dispatch()
    })
  }

  private dispatch(): void {
    const batch = this.takeBatch()
    const [first] = batch
    if (first === undefined) return
    this.underWay += 1
    const sent = batch.length === 1 ? this.sendSingle(first) : this.sendBatch(batch)
    void sent.then(() => {
      this.underWay -= 1
      this.schedule()
    })
  }

  /** The oldest operation alone, or with those behind it that can go with it. */
  private takeBatch(): Waiting[] {
    this.waiting = this.waiting.filter(waiting => !waiting.isOver)
    const batch: Waiting[] = []
    const left: Waiting[] = []
    const keys = new Set<string>()
    let bytes = 0
    for (const waiting of this.waiting) {
      const { operation } = waiting.pending
      const canJoin = mayJoin(waiting.pending)
      const isFirst = batch.length === 0
      const hasRoom = batch.length < BATCH_OPS && bytes + sizeOf(operation) <= BATCH_BYTES
      const startsAlone = !isFirst && !mayJoin(batch[0]?.pending)
      if (isFirst || (canJoin && hasRoom && !startsAlone && !keys.has(operation.key))) {
        batch.push(waiting)
        keys.add(operation.key)
        bytes += sizeOf(operation)
      } else left.push(waiting)
    }
    this.waiting = left
    return batch
  }

  private async sendSingle(waiting: Waiting): Promise<void> {
    const { pending } = waiting
    const { operation } = pending
    const isWrite = operation.op !== 'get'
    if (isWrite && pending.numbers === null) this.number([waiting])
    waiting.unwatch()
    const timeoutMs = Math.max(1, waiting.deadlineAt - performance.now())
    const limits = { timeoutMs, ...(waiting.signal && { signal: waiting.signal }) }
    const answer = await this.exchange(singleRequest(operation), isWrite ? pending : null, limits)
    if (answer.type === 'failed') waiting.settle(answer)
    else this.give(waiting, singleAnswer(operation, answer))
  }

  private async sendBatch(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) waiting.isSent = true
    const operations = batch.map(waiting => waiting.pending.operation)
    const isWrite = operations.some(operation => operation.op !== 'get')
    if (isWrite) this.number(batch)
    const first = batch[0]?.pending ?? null
    const limits = { timeoutMs: this.options.attemptTimeoutMs }
    const answer = await this.exchange(batchRequest(operations), isWrite ? first : null, limits)
    if (answer.type === 'answer' && answer.status === 200) {
      const answers = batchAnswers(operations, answer.body)
      for (const [index, waiting] of batch.entries()) {
        this.give(waiting, answers?.[index] ?? null)
      }
      return
    }
    // Refused or failed as a whole: the same for each.
    for (const waiting of batch) {
      if (answer.type === 'failed') waiting.settle(answer)
      else this.give(waiting, singleAnswer(waiting.pending.operation, answer))
    }
  }

  private give(waiting: Waiting, answer: KvAnswer | null): void {
    if (answer?.type !== 'alone') {
      waiting.settle(answer ?? { type: 'notUnderstood' })
      return
    }
    waiting.pending.isAlone = true
    this.waiting.push(waiting)
  }

  private number(batch: readonly Waiting[]): void {
    const numbers = this.options.numbering.take(batch.length)
    for (const [index, waiting] of batch.entries()) {
      waiting.pending.numbers = numbers
      waiting.pending.number = numbers.first + index
    }
  }

  private exchange(
    request: Exchange,
    numbered: Pending | null,
    limits: ExchangeLimits,
  ): Promise<Answer> {
    const { base, connections, headers, numbering } = this.options
    const session: Record<string, string> = {}
    if (numbered?.numbers) {
      session['idempotency-key'] = `${numbered.numbers.client}/${numbered.number}`
      session['shardglass-acked'] = String(numbering.acked(numbered.numbers))
    }
    const all = { ...headers, ...request.headers, ...session }
    return connections.exchange(base, { ...request, headers: all }, limits)
  }
}

/**
 * Whether it may share a request. One that was numbered keeps its number and goes by itself; so do
 * operations on a key that is in the batch already, for a node runs those one after the other.
 */
function mayJoin(pending: Pending | undefined): boolean {
  if (pending === undefined || pending.numbers !== null || pending.isAlone) return false
  return isBatchable(pending.operation)
}

function sizeOf(operation: Operation): number {
  return operation.key.length + ('value' in operation ? operation.value.length : 0) + 64
}
