// What goes through a node's HTTP side, counted in plain numbers that are read when metrics are asked
// for. On the path of every request: no object, no name is looked up for an answer that is well.

import { LATENCY_SECONDS, MarkedTally } from '../tally.ts'
import type { Answer } from './exchange.ts'
import { PROBLEM_CODES } from './problem.ts'

/** What a request asks for; `other` is all that no route has a name for, and what does not exist. */
export const REQUEST_OPS = [
  ...(['get', 'put', 'puthash', 'delete', 'batch'] as const),
  ...(['config', 'history', 'watch', 'join', 'leave', 'move', 'other'] as const),
] as const
export type RequestOp = (typeof REQUEST_OPS)[number]

export const BATCH_OPS = ['get', 'put', 'puthash', 'delete', 'cas'] as const
export type BatchOpName = (typeof BATCH_OPS)[number]

/** `ok`, or the problem's code. */
export const ANSWER_CODES: readonly string[] = ['ok', ...PROBLEM_CODES]
const CODE_PLACES = new Map(ANSWER_CODES.map((code, place) => [code, place]))
const INTERNAL = CODE_PLACES.get('internal') ?? 0
/** Outcomes of an operation that was run: their time is that of the operation. */
const RUN = new Set([undefined, 'no-such-key', 'condition-failed'])

/** One request on its way, as the exchange keeps it. */
export type Passing = { readonly op: RequestOp; readonly startedMs: number }

export class Traffic {
  /** Requests that got in, and those that ended in whatever way. */
  begun = 0
  ended = 0
  bytesIn = 0
  bytesOut = 0
  /** Key operations that were run for this node's clients. */
  reads = 0
  writes = 0
  /** Of the reads, those that ask for no safety. */
  staleReads = 0
  /** op → duration in seconds, each marked with the slot that decided it where this group did. */
  readonly durations: ReadonlyMap<RequestOp, MarkedTally>
  /** shard → reads and writes. */
  readonly shardOps = new Counts()
  private readonly gid: number
  private readonly outcomes = new Outcomes(REQUEST_OPS)
  private readonly batched = new Outcomes(BATCH_OPS)

  /** `gid`: the group whose slots mark durations. */
  constructor(gid = -1) {
    this.gid = gid
    this.durations = new Map(REQUEST_OPS.map(op => [op, new MarkedTally(LATENCY_SECONDS)]))
  }

  begin(op: RequestOp): Passing {
    this.begun += 1
    return { op, startedMs: performance.now() }
  }

  end({ op, startedMs }: Passing, answer: Answer, bytes: { in: number; out: number }): void {
    this.ended += 1
    this.bytesIn += bytes.in
    this.bytesOut += bytes.out
    this.outcomes.add(op, answer.problem)
    if (!RUN.has(answer.problem)) return
    const seconds = (performance.now() - startedMs) / 1000
    const { slot, group } = answer
    const tally = this.durations.get(op)
    if (slot === undefined || group !== this.gid) tally?.add(seconds)
    else tally?.addMarked(seconds, slot, Date.now())
  }

  /** The client went away before its request was complete: there is no answer. */
  leave(): void {
    this.ended += 1
  }

  /** A request that no handler saw: Node's parser refused it. */
  refused(code: string): void {
    this.begun += 1
    this.ended += 1
    this.outcomes.add('other', code)
  }

  /** A key operation that was run, whether asked for alone or in a batch. */
  ran(shard: number, isRead: boolean, isStale: boolean): void {
    this.shardOps.add(shard)
    if (!isRead) this.writes += 1
    else {
      this.reads += 1
      if (isStale) this.staleReads += 1
    }
  }

  /** One operation of a batch request. */
  batchOp(op: BatchOpName, code: string | undefined): void {
    this.batched.add(op, code)
  }

  /** Pairs of op and code that came up. */
  answered(): Iterable<Answered> {
    return this.outcomes.entries()
  }

  batchOps(): Iterable<Answered> {
    return this.batched.entries()
  }
}

export type Answered = { readonly op: string; readonly code: string; readonly count: number }

/** Numbers by place, as many places as come up. */
export class Counts {
  private counts = new Float64Array(64)

  add(place: number): void {
    if (place >= this.counts.length) this.grow(place)
    this.counts[place] = (this.counts[place] ?? 0) + 1
  }

  /** Places with a count, and it. */
  *entries(): Iterable<readonly [number, number]> {
    for (const [place, count] of this.counts.entries()) if (count > 0) yield [place, count]
  }

  private grow(place: number): void {
    const larger = new Float64Array(2 ** Math.ceil(Math.log2(place + 1)))
    larger.set(this.counts)
    this.counts = larger
  }
}

/** An array for each op, so that a name finds its own without a search. */
class Outcomes<Op extends string> {
  private readonly counts: ReadonlyMap<Op, Counts>

  constructor(ops: readonly Op[]) {
    this.counts = new Map(ops.map(op => [op, new Counts()]))
  }

  add(op: Op, code: string | undefined): void {
    this.counts.get(op)?.add(code === undefined ? 0 : (CODE_PLACES.get(code) ?? INTERNAL))
  }

  *entries(): Iterable<Answered> {
    for (const [op, counts] of this.counts) {
      for (const [place, count] of counts.entries()) {
        yield { op, code: ANSWER_CODES[place] ?? '', count }
      }
    }
  }
}
