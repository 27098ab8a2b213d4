// The shardmaster as a state machine on its group's log: changes and session expiry are commands,
// the latest configuration is read with a quorum's confirmation (H10 of the pitfalls: a deposed
// leader never answers an old one as the latest), a numbered one is answered by any replica that
// has applied it, since it never changes.

import { assert, unreachable } from '../assert.ts'
import type { Message, Sender } from '../contract.ts'
import {
  ACTOR_LENGTH_MAX,
  CLIENT_ID_LENGTH_MAX,
  HISTORY_MAX,
  REASON_LENGTH_MAX,
  SHARDS_MAX,
} from '../limits.ts'
import type { Applied, Machine, MachineContext, Taken } from '../machine.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import { Audience } from './audience.ts'
import { problemOf } from './change.ts'
import { decodeCommand, encodeCommand } from './command.ts'
import type { Config, Partitioner } from './config.ts'
import { isReadRequest, type ReadRequest } from './decode.ts'
import { Duties } from './duties.ts'
import type { ShardmasterReply, ShardmasterRequest } from './operation.ts'
import { planChange } from './plan.ts'
import { ReportedSizes } from './sizes.ts'
import { ShardmasterState } from './state.ts'

/** What configuration 0 is made with. Once there is one, the log's word counts and not these. */
export type ShardmasterOptions = {
  /** 1 … SHARDS_MAX. */
  readonly shardCount: number
  readonly partitioner: Partitioner
}

type Context = MachineContext<ShardmasterReply>
type ChangeRequest = Extract<ShardmasterRequest, { type: 'change' }>

const CLIENT = new RegExp(`^[A-Za-z0-9._-]{1,${CLIENT_ID_LENGTH_MAX}}$`)

/** The state machine of one shardmaster replica. */
export function createShardmasterMachine(options: ShardmasterOptions): ShardmasterMachine {
  const { shardCount } = options
  const isCount = Number.isInteger(shardCount) && shardCount >= 1 && shardCount <= SHARDS_MAX
  assert(isCount, `the number of shards is from 1 to ${SHARDS_MAX}`)
  return new ShardmasterMachine(options)
}

export class ShardmasterMachine implements Machine<ShardmasterRequest, ShardmasterReply> {
  private readonly state = new ShardmasterState()
  private readonly audience = new Audience(this.state.history)
  private readonly sizes = new ReportedSizes()
  private readonly duties: Duties

  constructor(options: ShardmasterOptions) {
    this.duties = new Duties(this.state, options)
  }

  load(store: StoreReader): void {
    this.state.load(store)
  }

  onRequest(id: number, request: ShardmasterRequest, context: Context): void {
    switch (request.type) {
      case 'change':
        this.onChange(id, request, context)
        break
      case 'watch':
        this.audience.onWatch(id, request.after, context)
        break
      case 'query':
        this.onQuery(id, request, context)
        break
      case 'plan':
      case 'history':
        this.onRead(id, request, context)
        break
      default:
        unreachable(request)
    }
  }

  onReadable(id: number, request: unknown, context: Context): void {
    assert(isReadRequest(request), 'only reads wait for a confirmation')
    const { latest } = this.state.history
    assert(latest !== null, 'reads are taken only once there is a configuration')
    context.reply(id, this.answer(request, latest, context.store))
  }

  apply(
    command: Uint8Array,
    applied: Applied,
    transaction: StoreTransaction,
    context: Context,
  ): ShardmasterReply | null {
    const { isLeader } = context
    const place = { applied, transaction, isLeader, tell: context.event.bind(context) }
    return this.state.apply(decodeCommand(command), place)
  }

  onApplied(context: Context): void {
    this.audience.tellNews(context)
  }

  onMessage(from: Sender, message: Message, context: Context): void {
    if (message.type !== 'configPoll') return
    this.sizes.take(message.sizes, this.state.history.latest?.shards.length ?? 0)
    // Passed on by another replica of this group, which answers it itself.
    if (from.gid === context.self.gid) return
    const { leader, self } = context
    if (!context.isLeader && leader !== null && message.sizes.length > 0) {
      // A group asks any replica; the one that plans and refuses is the leader.
      context.send([{ gid: self.gid, replica: leader }], message)
    }
    this.audience.onPoll({ gid: from.gid, replica: from.replica }, message.after, context)
  }

  onLeadership(context: Context): void {
    this.duties.onLeadership(context)
  }

  onTick(context: Context): void {
    this.audience.tellNews(context)
    this.audience.tellLate(context)
    this.duties.onTick(context)
  }

  wakeAt(): number {
    return Math.min(this.audience.wakeAt, this.duties.wakeAt)
  }

  /** Groups are answered at the address that they wrote from. */
  urlOf(): string | null {
    return null
  }

  /** The latest configuration; null before the first. */
  config(): Config | null {
    return this.state.history.latest
  }

  status() {
    const { latest } = this.state.history
    return {
      config: latest?.num ?? null,
      groups: latest === null ? 0 : Object.keys(latest.groups).length,
      shards: latest?.shards.length ?? 0,
      partitioner: latest?.partitioner ?? null,
      sessions: this.state.sessionCount,
      ...this.audience.counts,
    }
  }

  private onChange(id: number, request: ChangeRequest, context: Context): void {
    const { latest } = this.state.history
    if (!context.isLeader || latest === null) {
      refuseAsFollower(id, context)
      return
    }
    const detail = problemOf(request.change, latest.shards.length) ?? problemOfAsking(request)
    if (detail !== null) {
      context.reply(id, { type: 'refused', kind: 'bad-request', detail, latest: latest.num })
      return
    }
    const lastLeaveKeys = request.change.op === 'leave' ? this.sizes.keys() : null
    const taken = context.propose(encodeCommand({ ...request, lastLeaveKeys }), id)
    refuseUnlessTaken(id, taken, context)
  }

  private onQuery(
    id: number,
    request: Extract<ShardmasterRequest, { type: 'query' }>,
    context: Context,
  ): void {
    const config = this.state.history.read(context.store, request.num)
    if (config === null) this.onRead(id, request, context)
    else context.reply(id, { type: 'config', config, isNew: false })
  }

  private onRead(id: number, request: ReadRequest, context: Context): void {
    const isKnown = this.state.history.latest !== null
    if (!context.isLeader || !isKnown) refuseAsFollower(id, context)
    else refuseUnlessTaken(id, context.read(id, request), context)
  }

  private answer(request: ReadRequest, latest: Config, store: StoreReader): ShardmasterReply {
    const { history } = this.state
    switch (request.type) {
      case 'query': {
        const config = history.read(store, request.num) ?? latest
        return { type: 'config', config, isNew: false }
      }
      case 'history': {
        const limit = Math.min(request.limit, HISTORY_MAX)
        return { type: 'history', configs: history.newestFirst(store, limit) }
      }
      case 'plan': {
        const plan = planChange(latest, request.change, {
          wasUsed: gid => history.wasUsed(store, gid),
          lastLeaveKeys: this.sizes.keys(),
          sizeOf: shard => this.sizes.of(shard),
        })
        return 'type' in plan ? { ...plan, latest: latest.num } : { type: 'plan', plan }
      }
      default:
        return unreachable(request)
    }
  }
}

/** Definite: nothing was done. A leader without a configuration has not begun its work. */
function refuseAsFollower(id: number, context: Context): void {
  const leader = context.isLeader ? null : context.leader
  context.reply(id, { type: 'notLeader', leader })
}

function refuseUnlessTaken(id: number, taken: Taken, context: Context): void {
  if (taken === 'overloaded') context.reply(id, { type: 'overloaded' })
  if (taken === 'notLeader') refuseAsFollower(id, context)
}

/** What is wrong with who asks and how, in words; the log could not hold it. */
function problemOfAsking({ session, ifConfig, actor, reason }: ChangeRequest): string | null {
  if (!CLIENT.test(session.client)) {
    return `client must be 1 to ${CLIENT_ID_LENGTH_MAX} of A-Za-z0-9._-`
  }
  if (!isCounting(session.number) || session.number < 1) return 'request number must be from 1 on'
  if (!isCounting(session.acked)) return 'acknowledged number must be from 0 on'
  if (ifConfig !== null && !isCounting(ifConfig)) return 'no number of a configuration: If-Match'
  if (actor.length > ACTOR_LENGTH_MAX) return `actor: at most ${ACTOR_LENGTH_MAX} characters`
  const isTooLong = reason.length > REASON_LENGTH_MAX
  return isTooLong ? `reason: at most ${REASON_LENGTH_MAX} characters` : null
}

/** One less than the largest: the log writes some numbers one higher. */
function isCounting(value: number): boolean {
  return Number.isSafeInteger(value + 1) && Number.isInteger(value) && value >= 0
}
