// One client of the test cluster, whose every operation is kept for the checker with its times and
// outcome, all on this process's monotonic clock. An operation that may have happened or not stays
// open for ever, and its client goes on under another name.

import { type Clerk, ShardglassError } from '../../server/client/clerk.ts'
import { type Answer, Connections } from '../../server/client/connections.ts'
import {
  type Operation as ClientOperation,
  type Result,
  singleAnswer,
  singleRequest,
} from '../../server/client/operation.ts'
import type { Action, Operation, Outcome } from '../history/history.ts'
import type { Random } from '../history/random.ts'
import { pause } from './command.ts'

/** `refused`: it certainly had no effect. */
type Ended =
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'refused' | 'open' }

/** A way to run operations; each keeps one request number over all its attempts. */
export interface Way {
  run(operation: ClientOperation): Promise<Ended>
  close(): Promise<void>
}

export class RecordedClient {
  private readonly name: string
  private readonly way: Way
  private readonly history: Operation[]
  private life = 0

  constructor(name: string, way: Way, history: Operation[]) {
    this.name = name
    this.way = way
    this.history = history
  }

  /** Whether it was answered. */
  async run(key: string, action: Action): Promise<boolean> {
    const calledAt = performance.now()
    const ended = await this.way.run(clientOperation(key, action))
    const client = `${this.name}.${this.life}`
    const outcome = ended.type === 'done' ? outcomeOf(ended.result) : null
    if (outcome !== null) {
      const returnedAt = performance.now()
      this.history.push({ client, key, action, calledAt, returnedAt, outcome })
    } else if (ended.type === 'open' && action.op !== 'get') {
      const returnedAt = Number.POSITIVE_INFINITY
      this.history.push({ client, key, action, calledAt, returnedAt, outcome: null })
      this.life += 1
    }
    return outcome !== null
  }
}

function clientOperation(key: string, action: Action): ClientOperation {
  if (action.op === 'get') return { op: 'get', key }
  const condition = conditionOf(action)
  if (action.op === 'delete') return { op: 'delete', key, ...condition }
  return { op: action.op, key, value: action.value, ...condition }
}

function conditionOf({ condition }: Exclude<Action, { op: 'get' }>) {
  switch (condition.type) {
    case 'none':
      return {}
    case 'ifVersion':
      return { condition: { ifVersion: condition.version } }
    case 'ifAbsent':
      return { condition: { ifAbsent: true as const } }
    case 'ifPresent':
      return { condition: { ifPresent: true as const } }
  }
}

/** Null where the answer leaves out what the checker would have to know. */
function outcomeOf(result: Result): Outcome | null {
  switch (result.type) {
    case 'value':
      return { type: 'ok', value: result.value.toString(), version: result.version }
    case 'written':
      return { type: 'ok', value: '', version: result.version }
    case 'noSuchKey':
      return { type: 'noSuchKey' }
    case 'conditionFailed':
      return result.version === null ? null : { type: 'conditionFailed', version: result.version }
  }
}

export type HttpWayOptions = {
  readonly id: string
  readonly token: string
  /** Base URLs; each attempt goes to one of them by chance, but not to the one that just failed. */
  readonly nodes: () => readonly string[]
  readonly random: Random
  readonly attemptMs: number
  readonly timeoutMs: number
}

const PAUSE_MS = 20
/** Refusals that a client may meet where nothing is wrong: too slow, too late, too much. */
const AGAIN = new Set([408, 410, 429])

/** As curl with a loop around it: any node, the same number until there is a definite answer. */
export class HttpWay implements Way {
  private readonly options: HttpWayOptions
  private readonly connections = new Connections({ perNode: 1 })
  private number = 0

  constructor(options: HttpWayOptions) {
    this.options = options
  }

  async run(operation: ClientOperation): Promise<Ended> {
    const { id, token, nodes, random, attemptMs, timeoutMs } = this.options
    const request = singleRequest(operation)
    const headers: Record<string, string> = {
      ...request.headers,
      authorization: `Bearer ${token}`,
      'shardglass-timeout-ms': String(attemptMs),
    }
    if (operation.op !== 'get') headers['idempotency-key'] = `${id}/${++this.number}`
    const deadline = performance.now() + timeoutMs
    let mayHaveHappened = false
    let node = ''
    while (performance.now() < deadline) {
      const all = nodes()
      const others = all.filter(other => other !== node)
      node = random.pick(others.length > 0 ? others : all)
      const limits = { timeoutMs: attemptMs + 500 }
      const answer = await this.connections.exchange(node, { ...request, headers }, limits)
      const ended = judge(operation, answer)
      if (ended.type === 'done') return ended
      if (ended.type === 'open') mayHaveHappened = true
      await pause(PAUSE_MS)
    }
    return { type: mayHaveHappened ? 'open' : 'refused' }
  }

  close(): Promise<void> {
    return this.connections.close()
  }
}

function judge(operation: ClientOperation, answer: Answer): Ended {
  if (answer.type === 'failed') return { type: answer.isDefinite ? 'refused' : 'open' }
  const understood = singleAnswer(operation, answer)
  if (understood === null || understood.type === 'alone') {
    throw new Error(`an answer that is not understood: ${answer.status} ${answer.body}`)
  }
  if (understood.type === 'result') return { type: 'done', result: understood.result }
  const { status, problem } = understood
  if (problem.code === 'request-mismatch' || (status < 500 && !AGAIN.has(status))) {
    throw new Error(`an answer that must not come: ${status} ${problem.code} ${problem.detail}`)
  }
  return { type: problem.outcome === 'not_applied' ? 'refused' : 'open' }
}

/** By the client library, which finds the group itself. */
export class ClerkWay implements Way {
  private readonly clerk: Clerk

  constructor(clerk: Clerk) {
    this.clerk = clerk
  }

  async run(operation: ClientOperation): Promise<Ended> {
    const [result] = await this.clerk.batch([operation])
    if (result === undefined) throw new Error('the clerk gave no result')
    if (result.type !== 'failed') return { type: 'done', result }
    if (!(result.error instanceof ShardglassError)) throw result.error
    return { type: result.error.outcome === 'unknown' ? 'open' : 'refused' }
  }

  close(): Promise<void> {
    return Promise.resolve() // the cluster closes it
  }
}
