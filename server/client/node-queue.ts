// Operations for one node. What concurrent callers ask for leaves together as one batch: at once
// while few requests are under way, else with the next one that may go. So a lone caller never waits,
// and many callers cost few HTTP requests. Each operation keeps its own number, deadline, signal and
// outcome; writes of a batch that failed as a whole are repeated as a batch.

import { BATCH_REQUEST_BYTES_MAX, BATCH_REQUEST_OPS_MAX } from '../limits.ts'
import type { Answer, Connections, Exchange, ExchangeLimits } from './connections.ts'
import { DeadlineList, type Timed } from './deadline-list.ts'
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

/** An operation from its asking to its one answer. */
class Waiting implements Timed {
  readonly pending: Pending
  readonly deadlineAt: number
  readonly signal: AbortSignal | undefined
  before: Timed | null = null
  after: Timed | null = null
  isTimed = false
  /** In a batch that may be on its way. */
  isSent = false
  isOver = false
  isTaken = false
  private readonly deadlines: DeadlineList
  private readonly resolve: (answer: NodeAnswer) => void
  private readonly onAbort: (() => void) | null

  constructor(
    pending: Pending,
    terms: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
    deadlines: DeadlineList,
    resolve: (answer: NodeAnswer) => void,
  ) {
    this.pending = pending
    this.deadlineAt = performance.now() + terms.timeoutMs
    this.signal = terms.signal
    this.deadlines = deadlines
    this.resolve = resolve
    this.onAbort =
      terms.signal === undefined ? null : () => this.giveUp('aborted', 'aborted by the caller')
    if (this.onAbort !== null) this.signal?.addEventListener('abort', this.onAbort, { once: true })
    deadlines.add(this)
  }

  onDeadline(): void {
    this.giveUp('timeout', 'no answer in time')
  }

  settle(answer: NodeAnswer): void {
    if (this.isOver) return
    this.isOver = true
    this.unwatch()
    this.resolve(answer)
  }

  /** From here on its request alone watches over time and signal: it knows whether it was sent. */
  unwatch(): void {
    this.deadlines.remove(this)
    if (this.onAbort !== null) this.signal?.removeEventListener('abort', this.onAbort)
  }

  private giveUp(reason: 'timeout' | 'aborted', text: string): void {
    this.settle({ type: 'failed', isDefinite: !this.isSent, reason, cause: new Error(text) })
  }
}

/** Enough to hide a round trip; more would only make the batches smaller. */
const REQUESTS_MAX = 4
/** So few leave as one; more are spread over the requests that may go now. */
const OPS_SPREAD = 64
/** Leaves room for JSON's escapes and base64. */
const BATCH_BYTES = BATCH_REQUEST_BYTES_MAX / 8
/** Refusals of a whole batch for which one of its operations may be to blame. */
const ONE_TO_BLAME = new Set([400, 403, 413])

export type NodeQueueOptions = {
  readonly base: string
  readonly connections: Connections
  readonly numbering: Numbering
  readonly headers: Readonly<Record<string, string>>
  readonly attemptTimeoutMs: number
}

export class NodeQueue {
  private readonly options: NodeQueueOptions
  private readonly deadlines = new DeadlineList()
  private waiting: Waiting[] = []
  private underWay = 0
  private isScheduled = false

  constructor(options: NodeQueueOptions) {
    this.options = options
  }

  /** Resolves once, at `timeoutMs` at the latest. */
  send(pending: Pending, timeoutMs: number, signal?: AbortSignal): Promise<NodeAnswer> {
    return new Promise(resolve => {
      this.waiting.push(new Waiting(pending, { timeoutMs, signal }, this.deadlines, resolve))
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

  /** The oldest operation alone, or with others that can go with it; writes before reads. */
  private takeBatch(): Waiting[] {
    const live = this.waiting.filter(waiting => !waiting.isOver)
    this.waiting = live
    const [first] = live
    if (first === undefined) return []
    const free = REQUESTS_MAX - this.underWay
    const spread = Math.max(OPS_SPREAD, Math.ceil(live.length / free))
    const draft = new Draft(Math.min(BATCH_REQUEST_OPS_MAX, spread))
    if (!mayShare(first)) draft.add(first)
    else {
      const isRepeat = first.pending.numbers !== null
      // A batch's numbers follow each other: the first that has no room ends the run.
      if (isRepeat) for (const waiting of runOf(first, live)) if (!draft.add(waiting)) break
      for (const waiting of live) {
        if (draft.isFull) break
        const isFree = isRead(waiting) || (!isRepeat && waiting.pending.numbers === null)
        if (isFree && mayShare(waiting)) draft.add(waiting)
      }
    }
    this.waiting = live.filter(waiting => !waiting.isTaken)
    return [...draft.writes, ...draft.reads]
  }

  private async sendSingle(waiting: Waiting): Promise<void> {
    const { pending } = waiting
    const { operation } = pending
    const isWrite = !isRead(waiting)
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
    const writes = batch.filter(waiting => !isRead(waiting))
    const [first] = writes
    if (first?.pending.numbers === null) this.number(writes)
    const limits = { timeoutMs: this.options.attemptTimeoutMs }
    const answer = await this.exchange(batchRequest(operations), first?.pending ?? null, limits)
    if (answer.type === 'answer' && answer.status === 200) {
      const answers = batchAnswers(operations, answer.body)
      for (const [index, waiting] of batch.entries()) {
        this.give(waiting, answers?.[index] ?? null)
      }
      return
    }
    // Refused or failed as a whole: the same for each, unless it may be one operation's fault.
    const isOnes = answer.type === 'answer' && ONE_TO_BLAME.has(answer.status)
    for (const waiting of batch) {
      if (answer.type === 'failed') waiting.settle(answer)
      else if (isOnes) this.give(waiting, { type: 'alone' })
      else this.give(waiting, singleAnswer(waiting.pending.operation, answer))
    }
  }

  private give(waiting: Waiting, answer: KvAnswer | null): void {
    if (answer?.type !== 'alone') {
      waiting.settle(answer ?? { type: 'notUnderstood' })
      return
    }
    waiting.pending.isAlone = true
    waiting.isTaken = false
    this.waiting.push(waiting)
  }

  private number(writes: readonly Waiting[]): void {
    const numbers = this.options.numbering.take(writes.length)
    for (const [index, waiting] of writes.entries()) {
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

/** What leaves in one request. Keys are distinct: a node runs those on one key one after the other. */
class Draft {
  readonly writes: Waiting[] = []
  readonly reads: Waiting[] = []
  private readonly opsMax: number
  private readonly keys = new Set<string>()
  private bytes = 0

  constructor(opsMax: number) {
    this.opsMax = opsMax
  }

  get isFull(): boolean {
    return this.keys.size >= this.opsMax
  }

  /** False when it has to go another time. The first one always fits. */
  add(waiting: Waiting): boolean {
    if (waiting.isTaken) return false
    const { operation } = waiting.pending
    const size = sizeOf(operation)
    const isOver = this.isFull || this.bytes + size > BATCH_BYTES || this.keys.has(operation.key)
    if (isOver && this.keys.size > 0) return false
    this.keys.add(operation.key)
    this.bytes += size
    waiting.isTaken = true
    if (isRead(waiting)) this.reads.push(waiting)
    else this.writes.push(waiting)
    return true
  }
}

/** From this write on, those that wait too and whose numbers, given out together, follow its own. */
function runOf(first: Waiting, live: readonly Waiting[]): readonly Waiting[] {
  const together = new Map<number, Waiting>()
  for (const waiting of live) {
    const { numbers, number } = waiting.pending
    if (numbers === first.pending.numbers && mayShare(waiting)) together.set(number, waiting)
  }
  const run: Waiting[] = []
  for (let { number } = first.pending; ; number += 1) {
    const next = together.get(number)
    if (next === undefined) return run
    run.push(next)
  }
}

function mayShare({ pending }: Waiting): boolean {
  return !pending.isAlone && isBatchable(pending.operation)
}

function isRead({ pending }: Waiting): boolean {
  return pending.operation.op === 'get'
}

function sizeOf(operation: Operation): number {
  return operation.key.length + ('value' in operation ? operation.value.length : 0) + 64
}
