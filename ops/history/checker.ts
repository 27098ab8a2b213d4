// Is there one order of these operations, each between its call and its return, that a single copy
// could have run? Wing & Gong's search with Lowe's memoization (Testing for linearizability, 2017):
// a set of operations already placed together with the state that it led to is never tried twice.

import { ABSENT, type KeyState, type Operation, runOn, stateKey } from './history.ts'
import { Random } from './random.ts'
import { Witnesses } from './witnesses.ts'

/** `undecided`: too many orders were tried; to be treated as a failure. */
export type Verdict =
  | { readonly type: 'linearizable' }
  | { readonly type: 'illegal'; readonly key: string; readonly detail: string }
  | { readonly type: 'undecided'; readonly key: string; readonly detail: string }

const STEPS_MAX = 20_000_000
/** How many operations of unknown outcome may follow each other directly, in turn. */
const UNKNOWN_RUNS = [1, 2, 4] as const

type Bounds = { readonly stepsMax: number; readonly unknownRun: number }

/** Checks a history of any number of keys, each by itself. */
export function checkHistory(history: readonly Operation[], stepsMax = STEPS_MAX): Verdict {
  const byKey = new Map<string, Operation[]>()
  for (const operation of history) {
    const list = byKey.get(operation.key)
    if (list === undefined) byKey.set(operation.key, [operation])
    else list.push(operation)
  }
  for (const [key, operations] of byKey) {
    const verdict = checkKey(key, operations, stepsMax)
    if (verdict.type !== 'linearizable') return verdict
  }
  return { type: 'linearizable' }
}

/** Few orders need several unknown operations in a row: those with one are tried first. */
function checkKey(key: string, operations: readonly Operation[], stepsMax: number): Verdict {
  let detail = ''
  for (const unknownRun of UNKNOWN_RUNS) {
    const search = new Search(operations, { stepsMax, unknownRun })
    const found = search.run()
    if (found === 'linearizable') return { type: 'linearizable' }
    detail = search.explain()
    if (found === 'illegal') return { type: 'illegal', key, detail }
  }
  return { type: 'undecided', key, detail }
}

/** A call, or the return of one, in a doubly linked list in order of time. */
type Entry = {
  readonly id: number
  readonly operation: Operation
  readonly isCall: boolean
  /** The return of a call whose outcome is known. */
  match: Entry | null
  previous: Entry | null
  next: Entry | null
}

type Placed = {
  readonly entry: Entry
  readonly before: KeyState
  /** Operations of unknown outcome up to this one, without a known one between. */
  readonly unknownRun: number
}

/**
 * Known operations are tried in the order of their calls up to the first return, which none may
 * pass; unknown ones only where all of those fail, and only where the operation after them needs
 * them: else the same order without the unknown one is as good, and is tried anyhow.
 */
class Search {
  private readonly known: Entry
  private readonly unknown: Entry
  private readonly seen = new Set<string>()
  private readonly marks: { readonly high: number; readonly low: number }[] = []
  private readonly placed: Placed[] = []
  private readonly bounds: Bounds
  private wasCut = false
  private state = ABSENT
  private high = 0
  private low = 0
  /** When it is 0, the rest may be taken never to have happened. */
  private returnsLeft = 0
  /** Puthashes of unknown outcome that are not placed: they may use a value nobody else sees. */
  private hashesLeft = 0
  private readonly witnesses: Witnesses
  private deepest: Entry | null = null
  private deepestCount = -1

  constructor(operations: readonly Operation[], bounds: Bounds) {
    this.bounds = bounds
    this.witnesses = new Witnesses(operations)
    const random = new Random(operations.length, 'zobrist')
    const known: Entry[] = []
    const unknown: Entry[] = []
    for (const [id, operation] of operations.entries()) {
      this.marks.push({ high: random.word(), low: random.word() })
      const call = newEntry(id, operation, true)
      if (operation.outcome === null) {
        // A read of unknown outcome says nothing.
        if (operation.action.op === 'get') continue
        unknown.push(call)
        this.count(call, 1)
        continue
      }
      call.match = newEntry(id, operation, false)
      known.push(call, call.match)
      this.count(call, 1)
    }
    this.known = linked(known.sort(inTime), firstOf(operations))
    this.unknown = linked(unknown.sort(inTime), firstOf(operations))
  }

  run(): 'linearizable' | 'illegal' | 'undecided' {
    let entry = this.known.next
    for (let steps = 0; this.returnsLeft > 0; steps++) {
      if (steps > this.bounds.stepsMax) return 'undecided'
      if (entry !== null && this.isCandidate(entry)) {
        entry = this.place(entry) ? this.known.next : entry.next
        continue
      }
      if (entry !== null && !entry.isCall) {
        this.noteDepth(entry)
        entry = this.unknown.next
        continue
      }
      const back = this.unplace()
      if (back === null) return this.wasCut ? 'undecided' : 'illegal'
      entry = back.next
      if (entry === null && back.operation.outcome !== null) entry = this.unknown.next
    }
    return 'linearizable'
  }

  /** How far the search came. */
  explain(): string {
    const where = this.deepest === null ? 'nothing' : describe(this.deepest.operation)
    return `after ${this.deepestCount} operations nothing fits before the return of ${where}`
  }

  private isCandidate(entry: Entry): boolean {
    if (!entry.isCall) return false
    if (entry.operation.outcome !== null) return true
    return entry.operation.calledAt <= this.firstReturnAt()
  }

  private firstReturnAt(): number {
    let entry = this.known.next
    while (entry?.isCall) entry = entry.next
    return entry === null ? Number.POSITIVE_INFINITY : entry.operation.returnedAt
  }

  private place(entry: Entry): boolean {
    const next = runOn(this.state, entry.operation)
    if (next === null) return false
    const key = stateKey(next)
    const last = this.placed.at(-1)
    if (!this.isNeeded(entry, key, last)) return false
    const unknownRun = entry.operation.outcome === null ? (last?.unknownRun ?? 0) + 1 : 0
    if (unknownRun > 0 && !this.isWorthIt(entry, next, unknownRun)) return false
    const mark = this.marks[entry.id] ?? { high: 0, low: 0 }
    const high = (this.high ^ mark.high) >>> 0
    const low = (this.low ^ mark.low) >>> 0
    const seenKey = `${high} ${low} ${key}`
    if (this.seen.has(seenKey)) return false
    this.seen.add(seenKey)
    this.placed.push({ entry, before: this.state, unknownRun })
    this.state = next
    this.high = high
    this.low = low
    unlink(entry)
    if (entry.match !== null) unlink(entry.match)
    this.count(entry, -1)
    return true
  }

  /** False where the same order without the last, or this, unknown operation is as good. */
  private isNeeded(entry: Entry, key: string, last: Placed | undefined): boolean {
    if (entry.operation.outcome === null && key === stateKey(this.state)) return false
    if (last === undefined || last.entry.operation.outcome !== null) return true
    const without = runOn(last.before, entry.operation)
    return without === null || stateKey(without) !== key
  }

  /** Whether what an unknown operation leaves can be seen by one that is still to come. */
  private isWorthIt(entry: Entry, next: KeyState, unknownRun: number): boolean {
    const { unknownRun: unknownRunMax } = this.bounds
    const isSeen = this.state.value === null || this.witnesses.canSee(next.value)
    if (unknownRun <= unknownRunMax && isSeen) return true
    const others = this.hashesLeft - (entry.operation.action.op === 'puthash' ? 1 : 0)
    if (unknownRun < unknownRunMax && others > 0) return true
    if (others > 0 || isSeen) this.wasCut = true
    return false
  }

  private count(entry: Entry, by: 1 | -1): void {
    const { outcome, action } = entry.operation
    this.witnesses.count(entry.operation, by)
    if (outcome !== null) this.returnsLeft += by
    else if (action.op === 'puthash') this.hashesLeft += by
  }

  private unplace(): Entry | null {
    const top = this.placed.pop()
    if (top === undefined) return null
    const { entry } = top
    const mark = this.marks[entry.id] ?? { high: 0, low: 0 }
    this.state = top.before
    this.high = (this.high ^ mark.high) >>> 0
    this.low = (this.low ^ mark.low) >>> 0
    if (entry.match !== null) relink(entry.match)
    this.count(entry, 1)
    relink(entry)
    return entry
  }

  private noteDepth(entry: Entry): void {
    if (this.placed.length <= this.deepestCount) return
    this.deepestCount = this.placed.length
    this.deepest = entry
  }
}

function describe(operation: Operation): string {
  const { client, action, outcome, calledAt, returnedAt } = operation
  const did = `${JSON.stringify(action)} → ${JSON.stringify(outcome)}`
  return `${client} [${calledAt}, ${returnedAt}] ${did}`
}

function firstOf(operations: readonly Operation[]): Operation {
  const first = operations[0]
  if (first === undefined) throw new Error('an empty history')
  return first
}

function newEntry(id: number, operation: Operation, isCall: boolean): Entry {
  return { id, operation, isCall, match: null, previous: null, next: null }
}

/** The head of a list of `entries`. */
function linked(entries: readonly Entry[], any: Operation): Entry {
  const head = newEntry(-1, any, true)
  let last = head
  for (const entry of entries) {
    last.next = entry
    entry.previous = last
    last = entry
  }
  return head
}

/** At one time a call comes before a return: the two operations overlap then. */
function inTime(a: Entry, b: Entry): number {
  const timeA = a.isCall ? a.operation.calledAt : a.operation.returnedAt
  const timeB = b.isCall ? b.operation.calledAt : b.operation.returnedAt
  if (timeA !== timeB) return timeA - timeB
  if (a.isCall !== b.isCall) return a.isCall ? -1 : 1
  return a.id - b.id
}

function unlink(entry: Entry): void {
  if (entry.previous !== null) entry.previous.next = entry.next
  if (entry.next !== null) entry.next.previous = entry.previous
}

function relink(entry: Entry): void {
  if (entry.previous !== null) entry.previous.next = entry
  if (entry.next !== null) entry.next.previous = entry
}
