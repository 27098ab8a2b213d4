// The shardmaster's replicated state and what each command of the log does to it. A change is run
// at most once per request number; its outcome, refusals included, is kept with the session, so a
// late duplicate cannot succeed after its client was told that it failed.

import { assert, unreachable } from '../assert.ts'
import type { Applied } from '../machine.ts'
import { lookUp, remember } from '../session.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import { applyChange } from './change.ts'
import {
  type ChangeCommand,
  type Command,
  decodeOutcome,
  type ExpireCommand,
  encodeOutcome,
  fingerprintOf,
  type Outcome,
} from './command.ts'
import { type Config, initialConfig } from './config.ts'
import type { ShardmasterEvent } from './event.ts'
import { ConfigHistory } from './history.ts'
import type { ShardmasterReply } from './operation.ts'
import { countMoves } from './rebalance.ts'
import { countSessions, expireSessions, readSession, writeSession } from './sessions.ts'

/** Where a command stands and what it may write to and tell. */
export type Place = {
  readonly applied: Applied
  readonly transaction: StoreTransaction
  readonly isLeader: boolean
  readonly tell: (event: ShardmasterEvent) => void
}

export class ShardmasterState {
  readonly history = new ConfigHistory()
  private sessions = 0

  get sessionCount(): number {
    return this.sessions
  }

  load(store: StoreReader): void {
    this.history.load(store)
    this.sessions = countSessions(store)
  }

  /** What its waiter is to be told; null for commands that nobody waits for. */
  apply(command: Command, place: Place): ShardmasterReply | null {
    switch (command.type) {
      case 'init':
        this.init(initialConfig(command.shardCount, command.partitioner), place)
        return null
      case 'change':
        return this.change(command, place)
      case 'expire':
        this.expire(command, place)
        return null
      default:
        return unreachable(command)
    }
  }

  /** Two leaders may each have proposed it, with different options: the first one counts. */
  private init(config: Config, place: Place): void {
    if (this.history.latest === null) this.append(config, place)
  }

  private change(command: ChangeCommand, place: Place): ShardmasterReply {
    const latest = this.history.latest
    // The first leader proposes configuration 0 before it takes any change.
    if (latest === null) return { type: 'notLeader', leader: null }
    const { transaction, applied } = place
    const { session: id } = command
    const session = readSession(transaction, id.client)
    const fingerprint = fingerprintOf(command)
    const found = lookUp(session, id, fingerprint)
    if (found.type === 'mismatch') return { type: 'requestMismatch' }
    if (found.type === 'expired') return { type: 'sessionExpired' }
    if (found.type === 'repeated') return this.replyOf(decodeOutcome(found.reply), transaction)
    const outcome = this.run(command, latest, place)
    if (session === null) this.sessions += 1
    const reply = encodeOutcome(outcome)
    const next = remember(session, { id, fingerprint, reply, at: applied.wallMs })
    writeSession(transaction, id.client, next)
    return this.replyOf(outcome, transaction)
  }

  private run(command: ChangeCommand, latest: Config, place: Place): Outcome {
    const { change, actor, reason, ifConfig, lastLeaveKeys } = command
    if (ifConfig !== null && ifConfig !== latest.num) {
      tellRefused(command, 'condition-failed', latest, place)
      return { type: 'conditionFailed', latest: latest.num }
    }
    const wasUsed = (gid: number) => this.history.wasUsed(place.transaction, gid)
    const at = place.applied.wallMs
    const result = applyChange(latest, change, { actor, reason, at, wasUsed, lastLeaveKeys })
    if (result.type === 'refused') {
      tellRefused(command, result.kind, latest, place)
      return { ...result, latest: latest.num }
    }
    if (result.type === 'config') this.append(result.config, place)
    return { type: 'config', num: result.config.num, isNew: result.type === 'config' }
  }

  private append(config: Config, { transaction, applied, isLeader, tell }: Place): void {
    const before = this.history.latest
    this.history.append(transaction, config)
    const movedShards = before === null ? 0 : countMoves(before.shards, config.shards)
    const { num, cause } = config
    const groups = Object.keys(config.groups).length
    const { slot, wallMs: loggedMs } = applied
    tell({ type: 'configDecided', num, slot, loggedMs, cause, movedShards, groups, isLeader })
  }

  private expire(command: ExpireCommand, { transaction, applied }: Place): void {
    this.sessions -= expireSessions(transaction, command, applied.wallMs)
  }

  private replyOf(outcome: Outcome, store: StoreReader): ShardmasterReply {
    if (outcome.type !== 'config') return outcome
    const config = this.history.read(store, outcome.num)
    assert(config !== null, 'a session names only configurations that were decided')
    return { type: 'config', config, isNew: outcome.isNew }
  }
}

function tellRefused(
  { change, actor, reason }: ChangeCommand,
  kind: string,
  latest: Config,
  { tell, applied, isLeader }: Place,
): void {
  const { slot, wallMs: loggedMs } = applied
  const config = latest.num
  const by = { actor, reason, isLeader }
  tell({ type: 'changeRefused', op: change.op, kind, config, slot, loggedMs, ...by })
}
