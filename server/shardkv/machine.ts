// A shardkv group's state machine: runs writes, follows configurations, hands shards over. Ownership
// is decided where a command is applied: what a leader believed when a request came in only saves
// a useless proposal.

import { unreachable } from '../assert.ts'
import type { ByteString } from '../bytes.ts'
import type { Address, Message, Sender } from '../contract.ts'
import type { Applied, GroupReply, Machine, MachineContext } from '../machine.ts'
import type { Config } from '../shardmaster/config.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import { readApplied } from '../store-meta.ts'
import { type Command, decodeCommand, encodeCommand } from './command.ts'
import type { ShardkvEvent } from './event.ts'
import { Expiry } from './expiry.ts'
import { canAdopt, Follow } from './follow.ts'
import { Handoff } from './handoff.ts'
import {
  dataKey,
  decodeVersioned,
  isData,
  relativeKey,
  shardRangeAfter,
  storedValue,
} from './keyspace.ts'
import { OpenSessions } from './open-sessions.ts'
import type { ShardkvRequest } from './operation.ts'
import { Receiver } from './receive.ts'
import type { ShardkvReply } from './reply.ts'
import type { ShardkvSettings } from './settings.ts'
import { ABSENT, type Change, change, changeOf, isStranded, type ShardState } from './shard.ts'
import { GroupState } from './state.ts'
import { type ShardkvStatus, statusOf } from './status.ts'
import { replyOfRun, runWrite } from './write.ts'

type Context = MachineContext<ShardkvReply>
type Get = Extract<ShardkvRequest, { type: 'get' }>

export type ShardkvMachineOptions = {
  readonly gid: number
  /** How many shardmasters there are: their replica ids are 0 … n − 1, their group is 0. */
  readonly shardmasters: number
  readonly settings?: ShardkvSettings
}

export function createShardkvMachine(options: ShardkvMachineOptions): ShardkvMachine {
  return new ShardkvMachine(options)
}

export class ShardkvMachine implements Machine<ShardkvRequest, ShardkvReply> {
  private readonly state: GroupState
  private readonly follow: Follow
  private readonly handoff: Handoff
  private readonly receiver: Receiver
  private readonly expiry: Expiry
  private readonly sessions = new OpenSessions()
  private appliedSlot = 0
  private settled = -1

  constructor({ gid, shardmasters, settings }: ShardkvMachineOptions) {
    this.state = new GroupState(gid, settings)
    this.follow = new Follow(this.state, shardmasters)
    this.handoff = new Handoff(this.state)
    this.receiver = new Receiver(this.state)
    this.expiry = new Expiry(this.state)
  }

  load(store: StoreReader): void {
    this.state.load(store)
    this.sessions.clear()
    this.appliedSlot = readApplied(store)
  }

  /** The adopted configuration; null before the first. */
  config(): Config | null {
    return this.state.config
  }

  /** Where a key belongs, as far as this group knows. */
  describe(key: ByteString): { config: number; shard: number; gid: number } | null {
    const { config } = this.state
    const shard = this.state.shardOfKey(key)
    if (config === null || shard === null) return null
    return { config: config.num, shard, gid: config.shards[shard] ?? 0 }
  }

  onRequest(id: number, request: ShardkvRequest, context: Context): void {
    const refusal = this.state.refusal(this.state.shardOfKey(request.key))
    if (refusal !== null) return context.reply(id, this.refuse(refusal, request, context))
    if (request.type === 'get' && request.consistency === 'stale') {
      const staleMicros = context.leaderSilentMicros
      return context.reply(id, { ...this.read(request, context), staleMicros })
    }
    const taken =
      request.type === 'get'
        ? context.read(id, request)
        : context.propose(encodeCommand({ type: 'write', request }), id)
    if (taken === 'taken') return
    if (taken === 'overloaded') context.reply(id, { type: taken })
    else context.reply(id, this.replyOfRun(request, context) ?? notLeader(context))
  }

  /** A follower may know the outcome of a write whose answer was lost: it needs no leader for that. */
  private replyOfRun(request: ShardkvRequest, context: Context): ShardkvReply | null {
    const shard = this.state.shardOfKey(request.key)
    if (request.type !== 'write' || shard === null) return null
    return replyOfRun(request, shard, context.store)
  }

  /** Whether a shard is on its way is the leader's word: others may have missed that it came. */
  private refuse(
    refusal: ShardkvReply,
    request: ShardkvRequest,
    context: Context,
  ): ShardkvReply | GroupReply {
    const isStale = request.type === 'get' && request.consistency === 'stale'
    const isLeadersWord = refusal.type === 'shardMoving' && !isStale
    return isLeadersWord && !context.isLeader ? notLeader(context) : refusal
  }

  onReadable(id: number, request: unknown, context: Context): void {
    if (isGet(request)) context.reply(id, this.read(request, context))
  }

  /** From the store as it is: the shard may have left since the read was asked for. */
  private read({ key }: Get, context: Context): ShardkvReply {
    const shard = this.state.shardOfKey(key)
    const refusal = this.state.refusal(shard)
    if (refusal !== null || shard === null) return refusal ?? { type: 'noGroup', config: 0 }
    const slot = this.appliedSlot
    const stored = context.store.get(dataKey(shard, key))
    if (stored === undefined) return { type: 'noSuchKey', slot }
    const versioned = decodeVersioned(stored)
    return { type: 'ok', version: versioned.version, value: storedValue(versioned), slot }
  }

  apply(
    bytes: Uint8Array,
    applied: Applied,
    transaction: StoreTransaction,
    context: Context,
  ): ShardkvReply | null {
    this.appliedSlot = applied.slot
    const command = decodeCommand(bytes)
    // All others may read or delete what writes before them in this transaction have changed.
    if (command.type !== 'write') this.sessions.write(transaction)
    switch (command.type) {
      case 'write':
        return this.applyWrite(command, applied, transaction, context)
      case 'config':
        this.adopt(command.config, applied, transaction, context)
        return null
      case 'receive':
        this.receiver.apply(command, applied, transaction, context)
        return null
      case 'release':
        this.release(command, applied, context)
        return null
      case 'sweep':
        this.sweep(command.shard, applied, transaction, context)
        return null
      case 'expire':
        this.expiry.apply(command, applied.wallMs, transaction, context)
        return null
      default:
        return unreachable(command)
    }
  }

  private applyWrite(
    { request }: Extract<Command, { type: 'write' }>,
    applied: Applied,
    transaction: StoreTransaction,
    context: Context,
  ): ShardkvReply {
    const shard = this.state.shardOfKey(request.key)
    const refusal = this.state.refusal(shard)
    if (refusal !== null || shard === null) return refusal ?? { type: 'noGroup', config: 0 }
    const result = runWrite(request, this.state.shard(shard), {
      shard,
      applied,
      transaction,
      sessions: this.sessions,
      bounds: this.state.settings.session,
    })
    if (result.isRepeated) context.event({ type: 'requestRepeated', shard })
    if (result.isNewSession) this.state.sessions.add(shard, 1)
    if (result.isChanged) this.state.countChanged(shard)
    return result.reply
  }

  /** The next configuration, if it may be: the same decision on every replica. */
  private adopt(
    next: Config,
    { slot, wallMs: loggedMs }: Applied,
    transaction: StoreTransaction,
    context: Context,
  ): void {
    const { gid, config: before } = this.state
    const { isLeader } = context
    if (!canAdopt(this.state, next)) return
    let gained = 0
    let lost = 0
    for (let shard = 0; before !== null && shard < next.shards.length; shard++) {
      const kind = changeOf(gid, shard, before, next)
      if (kind === 'none') continue
      const from = before.shards[shard] || before.holders[shard] || 0
      const to = next.shards[shard] ?? 0
      const config = next.num
      this.state.setShard(shard, change(this.state.shard(shard), kind, { config, from, to }))
      if (kind === 'leave' || kind === 'strand') {
        lost += 1
      } else gained += 1
      const told = eventOf(kind, this.state.shard(shard), {
        config,
        shard,
        from,
        to,
        slot,
        loggedMs,
        isLeader,
      })
      if (told !== null) context.event(told)
    }
    this.state.setConfig(next, transaction)
    const config = next.num
    context.event({ type: 'configAdopted', config, slot, loggedMs, gained, lost, isLeader })
  }

  private release(
    { config, shard }: Extract<Command, { type: 'release' }>,
    { slot, wallMs: loggedMs }: Applied,
    context: Context,
  ): void {
    const state = this.state.shard(shard)
    if (state.phase !== 'leaving' || state.config !== config) return
    this.state.setShard(shard, { ...state, phase: 'releasing' })
    const { gid: to } = state
    const { isLeader } = context
    context.event({ type: 'handoffReleased', config, shard, to, slot, loggedMs, isLeader })
  }

  private sweep(
    shard: number,
    { slot, wallMs: loggedMs }: Applied,
    transaction: StoreTransaction,
    context: Context,
  ): void {
    this.handoff.onSwept(shard)
    const state = this.state.shard(shard)
    if (state.phase !== 'releasing') return
    const { sweepKeys } = this.state.settings
    const keys: ByteString[] = []
    for (const [key] of transaction.range(shardRangeAfter(shard, ''))) {
      keys.push(key)
      if (keys.length >= sweepKeys) break
    }
    for (const key of keys) transaction.delete(key)
    const sessions = keys.filter(key => !isData(relativeKey(key))).length
    this.state.sessions.add(shard, -sessions)
    if (keys.length >= sweepKeys) return
    const { config, installed } = state
    this.state.setShard(shard, { ...ABSENT, config, installed })
    const { isLeader } = context
    context.event({ type: 'shardSwept', config, shard, slot, loggedMs, isLeader })
  }

  finish(transaction: StoreTransaction): void {
    this.sessions.write(transaction)
    this.state.writeDirty(transaction)
  }

  onApplied(context: Context): void {
    this.noteSettled(context)
    if (!context.isLeader) return
    this.receiver.onApplied(context)
    this.handoff.on(context)
    this.follow.on(context)
  }

  /** All shards of the adopted configuration are where they belong, seen from here. */
  private noteSettled(context: Context): void {
    const num = this.state.config?.num ?? -1
    if (num <= this.settled) return
    for (const shard of this.state.moving) if (!isStranded(this.state.shard(shard))) return
    this.settled = num
    context.event({ type: 'configSettled', config: num, isLeader: context.isLeader })
  }

  onMessage(from: Sender, message: Message, context: Context): void {
    if (message.type === 'receiveShard') return this.receiver.onPart(from, message, context)
    if (!context.isLeader) return
    if (message.type === 'receiveShardReply') this.handoff.onReply(from, message, context)
    if (message.type === 'configs') this.follow.onConfigs(from, message, context)
  }

  onLeadership(context: Context): void {
    this.follow.clear()
    this.handoff.clear()
    this.receiver.clear()
    this.expiry.clear()
    if (context.isLeader) this.onTick(context)
  }

  onTick(context: Context): void {
    if (!context.isLeader) return
    this.follow.on(context)
    this.handoff.on(context)
    this.expiry.on(context)
  }

  wakeAt(): number {
    return Math.min(this.follow.wakeAt(), this.handoff.wakeAt(), this.expiry.wakeAt())
  }

  urlOf({ gid, replica }: Address): string | null {
    return this.state.servers.get(gid)?.[replica] ?? null
  }

  status(): ShardkvStatus {
    return statusOf(this.state, {
      handoffs: this.handoff.progress(),
      shardmasterSilentMicros: this.follow.silentMicros,
    })
  }
}

/** What a configuration's change of one shard is for those who watch. */
function eventOf(
  kind: Change,
  { keys, bytes }: ShardState,
  place: {
    readonly config: number
    readonly shard: number
    readonly from: number
    readonly to: number
    readonly slot: number
    readonly loggedMs: number
    readonly isLeader: boolean
  },
): ShardkvEvent | null {
  const { from, to, ...common } = place
  switch (kind) {
    case 'none':
      return null
    case 'leave':
    case 'strand':
      return { type: 'handoffFrozen', ...common, to, keys, bytes }
    case 'await':
      return { type: 'handoffAwaited', ...common, from }
    case 'begin':
    case 'resume':
      return { type: 'handoffInstalled', ...common, from, keys, bytes, isFirst: kind === 'begin' }
    default:
      return unreachable(kind)
  }
}

function notLeader(context: Context): GroupReply {
  return { type: 'notLeader', leader: context.leader }
}

function isGet(request: unknown): request is Get {
  return (
    typeof request === 'object' && request !== null && 'type' in request && request.type === 'get'
  )
}
