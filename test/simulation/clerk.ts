// A client in a closed loop: one operation after the other, each repeated under its number until its
// outcome is known or it gives up. Notes what it saw for the linearizability check.

import type { Action, Condition, Operation, Outcome } from '../../ops/history/history.ts'
import type { ShardkvRequest, Write } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { shardOf } from '../../server/shardmaster/config.ts'
import type { Random } from '../support/random.ts'
import type { World } from './world.ts'

/** How clerks reach replicas. `done(null)`: refused, certainly without effect. */
export type CallGroup = (
  from: number,
  target: { readonly gid: number; readonly replica: number },
  request: ShardkvRequest,
  done: (reply: ShardkvReply | null) => void,
) => void

export type ClerkOptions = {
  readonly world: World
  readonly random: Random
  readonly name: string
  /** Its place in the network. */
  readonly place: number
  readonly call: CallGroup
  readonly gids: readonly number[]
  readonly replicas: number
  readonly shardCount: number
  readonly history: Operation[]
  /** µs for one attempt, and for all of them together. */
  readonly attemptTimeout: number
  readonly giveUpAfter: number
  /** Share of attempts at any replica, whoever is believed to lead. */
  readonly stray: number
}

type Attempted = {
  readonly number: number
  readonly key: string
  readonly action: Action
  readonly calledAt: number
  readonly done: (outcome: Outcome | null) => void
  attempts: number
  /** An attempt may have had an effect, or may have it yet. */
  isIndefinite: boolean
  isOver: boolean
}

const NONE: Condition = { type: 'none' }

export class Clerk {
  readonly name: string
  readonly place: number
  /** Longest time that one operation took, µs. */
  longest = 0
  private readonly options: ClerkOptions
  private readonly leaders = new Map<number, number>()
  private readonly owners = new Map<number, { readonly gid: number; readonly config: number }>()
  private number = 0
  private turn = 0
  private current: Attempted | null = null

  constructor(options: ClerkOptions) {
    this.options = options
    this.name = options.name
    this.place = options.place
  }

  get isBusy(): boolean {
    return this.current !== null
  }

  /** Calls `done` with the outcome, null when it could not be learned. */
  run(key: string, action: Action, done: (outcome: Outcome | null) => void): void {
    const { world } = this.options
    this.number += 1
    const calledAt = world.now
    const operation = { number: this.number, key, action, calledAt, done }
    const attempted = { ...operation, attempts: 0, isIndefinite: false, isOver: false }
    this.current = attempted
    this.attempt(attempted)
  }

  private attempt(operation: Attempted): void {
    const { world, random, giveUpAfter } = this.options
    if (operation.isOver) return
    if (world.now - operation.calledAt >= giveUpAfter) return this.finish(operation, null)
    operation.attempts += 1
    const attempt = operation.attempts
    const target = this.target(operation)
    const isWrite = operation.action.op !== 'get'
    world.trace?.(
      `${world.now} ${this.name} → ${target.gid}/${target.replica} ${operation.action.op} ` +
        `${operation.number} of ${operation.key}`,
    )
    world.after(this.options.attemptTimeout + random.between(0, 20_000), () => {
      if (operation.isOver || operation.attempts !== attempt) return
      if (isWrite) operation.isIndefinite = true
      this.askNext(target)
      this.owners.delete(this.shardOf(operation.key))
      this.attempt(operation)
    })
    this.options.call(this.place, target, this.request(operation), reply => {
      if (operation.isOver) return
      this.onReply(operation, attempt, target, reply)
    })
  }

  private onReply(
    operation: Attempted,
    attempt: number,
    target: { readonly gid: number; readonly replica: number },
    reply: ShardkvReply | null,
  ): void {
    const { world, random } = this.options
    world.trace?.(
      `${world.now} ${this.name} ← ${target.gid}/${target.replica} ${reply?.type} for ${operation.number} of ${operation.key}`,
    )
    if (reply !== null && isOutcome(reply)) return this.finish(operation, outcomeOf(reply))
    if (reply?.type === 'unknown') operation.isIndefinite = true
    if (reply?.type === 'sessionExpired' || reply?.type === 'requestMismatch') {
      world.count(`clerk: ${reply.type}`)
      operation.isIndefinite = true
      return this.finish(operation, null)
    }
    if (operation.attempts !== attempt) return
    const isNamed = reply?.type === 'notLeader' && reply.leader !== null
    if (isNamed) this.leaders.set(target.gid, reply.leader)
    else if (reply?.type !== 'shardMoving' && reply?.type !== 'overloaded') this.askNext(target)
    if (reply?.type === 'wrongGroup') this.learnOwner(operation.key, reply)
    const longest = isNamed ? 5_000 : 20_000 + Math.min(100_000, attempt * 4_000)
    world.after(random.between(1_000, longest), () => {
      if (operation.attempts === attempt) this.attempt(operation)
    })
  }

  /**
   * Whoever was silent may be named by others for a while yet: all get their turn, as in the course.
   * Not the one after it: two that are cut off, of which one names the other, would be asked for ever.
   */
  private askNext({ gid }: { readonly gid: number }): void {
    this.turn += 1
    this.leaders.set(gid, this.turn % this.options.replicas)
  }

  private learnOwner(key: string, hint: { readonly config: number; readonly gid: number }): void {
    const shard = this.shardOf(key)
    if ((this.owners.get(shard)?.config ?? -1) > hint.config) return
    this.owners.set(shard, { gid: hint.gid, config: hint.config })
  }

  private finish(operation: Attempted, outcome: Outcome | null): void {
    const { world, history } = this.options
    operation.isOver = true
    this.current = null
    this.longest = Math.max(this.longest, world.now - operation.calledAt)
    const { key, action, calledAt } = operation
    const isKnown = outcome !== null
    world.count(isKnown ? 'clerk: outcome known' : 'clerk: outcome unknown')
    if (isKnown || operation.isIndefinite) {
      const returnedAt = isKnown ? world.now : Number.POSITIVE_INFINITY
      history.push({ client: this.name, key, action, calledAt, returnedAt, outcome })
    }
    operation.done(outcome)
  }

  private target(operation: Attempted): { gid: number; replica: number } {
    const { random, gids, replicas } = this.options
    const gid = this.owners.get(this.shardOf(operation.key))?.gid ?? random.pick(gids)
    const any = random.between(0, replicas - 1)
    // Now and then not the leader: perhaps one that was deposed and does not know it.
    const isStray = random.chance(this.options.stray)
    return { gid, replica: isStray ? any : (this.leaders.get(gid) ?? any) }
  }

  private shardOf(key: string): number {
    return shardOf(key, 'first-byte', this.options.shardCount)
  }

  private request({ key, action, number }: Attempted): ShardkvRequest {
    if (action.op === 'get') return { type: 'get', key, consistency: 'linearizable' }
    // In a closed loop everything before this number is over: it is never repeated.
    const session = { client: this.name, number, acked: number - 1 }
    return { type: 'write', key, write: writeOf(action), condition: action.condition, session }
  }
}

function writeOf(action: Exclude<Action, { op: 'get' }>): Write {
  if (action.op === 'delete') return { op: 'delete' }
  return { op: action.op, value: Buffer.from(action.value, 'latin1') }
}

type RunReply = Extract<ShardkvReply, { type: 'ok' | 'noSuchKey' | 'conditionFailed' }>

function isOutcome(reply: ShardkvReply): reply is RunReply {
  return reply.type === 'ok' || reply.type === 'noSuchKey' || reply.type === 'conditionFailed'
}

function outcomeOf(reply: RunReply): Outcome {
  if (reply.type === 'noSuchKey') return { type: 'noSuchKey' }
  if (reply.type === 'conditionFailed') return { type: 'conditionFailed', version: reply.version }
  const value = Buffer.from(reply.value).toString('latin1')
  return { type: 'ok', value, version: reply.version }
}

/** What a clerk of the random workload does next. */
export function randomAction(
  random: Random,
  options: { readonly value: string; readonly version: number },
): Action {
  const { value, version } = options
  const drawn = random.next()
  if (drawn < 0.42) return { op: 'get' }
  if (drawn < 0.6) return { op: 'put', value, condition: NONE }
  if (drawn < 0.82) return { op: 'puthash', value, condition: NONE }
  if (drawn < 0.88) return { op: 'delete', condition: NONE }
  const condition: Condition = random.pick<Condition>([
    { type: 'ifAbsent' },
    { type: 'ifPresent' },
    { type: 'ifVersion', version },
    { type: 'ifVersion', version },
  ])
  if (random.chance(0.2) && condition.type !== 'ifAbsent') return { op: 'delete', condition }
  return { op: random.chance(0.5) ? 'put' : 'puthash', value, condition }
}
