// The smallest state machine that clerks can use: one shard, always served, with the real rules for
// writes and sessions. It puts one group's Paxos and replica under test without configurations.

import { ByteReader, ByteWriter } from '../../server/bytes.ts'
import type { Applied, GroupReply, Machine, MachineContext } from '../../server/machine.ts'
import { dataKey, decodeVersioned, storedValue } from '../../server/shardkv/keyspace.ts'
import { OpenSessions } from '../../server/shardkv/open-sessions.ts'
import {
  readWriteRequest,
  type ShardkvRequest,
  writeWriteRequest,
} from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { DEFAULT_SHARDKV_SETTINGS, type ShardkvSettings } from '../../server/shardkv/settings.ts'
import { ABSENT, decodeShard, encodeShard, type ShardState } from '../../server/shardkv/shard.ts'
import { runWrite } from '../../server/shardkv/write.ts'
import type { StoreReader, StoreTransaction } from '../../server/store.ts'

type Context = MachineContext<ShardkvReply>

const STATE_KEY = 'state'
const SHARD = 0

export class RegisterMachine implements Machine<ShardkvRequest, ShardkvReply> {
  private state: ShardState = ABSENT
  private readonly settings: ShardkvSettings
  private readonly sessions = new OpenSessions()

  constructor(settings = DEFAULT_SHARDKV_SETTINGS) {
    this.settings = settings
  }

  load(store: StoreReader): void {
    this.sessions.clear()
    const stored = store.get(STATE_KEY)
    this.state = stored === undefined ? { ...ABSENT, phase: 'serving' } : decodeShard(stored)
  }

  onRequest(id: number, request: ShardkvRequest, context: Context): void {
    const taken =
      request.type === 'get'
        ? context.read(id, request)
        : context.propose(writeWriteRequest(new ByteWriter(), request).done(), id)
    if (taken === 'notLeader') context.reply(id, { type: 'notLeader', leader: context.leader })
    if (taken === 'overloaded') context.reply(id, { type: 'overloaded' })
  }

  onReadable(id: number, request: unknown, context: Context): void {
    const key =
      typeof request === 'object' && request !== null && 'key' in request ? request.key : ''
    const stored = context.store.get(dataKey(SHARD, String(key)))
    const slot = 0
    if (stored === undefined) return context.reply(id, { type: 'noSuchKey', slot })
    const versioned = decodeVersioned(stored)
    const { version } = versioned
    context.reply(id, { type: 'ok', version, value: storedValue(versioned), slot })
  }

  apply(
    command: Uint8Array,
    applied: Applied,
    transaction: StoreTransaction,
  ): ShardkvReply | GroupReply {
    const request = readWriteRequest(new ByteReader(command))
    const { reply } = runWrite(request, this.state, {
      shard: SHARD,
      applied,
      transaction,
      sessions: this.sessions,
      bounds: this.settings.session,
    })
    transaction.put(STATE_KEY, encodeShard(this.state))
    return reply
  }

  finish(transaction: StoreTransaction): void {
    this.sessions.write(transaction)
  }

  onApplied(): void {}
  onMessage(): void {}
  onLeadership(): void {}
  onTick(): void {}

  wakeAt(): number {
    return Number.POSITIVE_INFINITY
  }

  urlOf(): null {
    return null
  }

  status(): Readonly<Record<string, unknown>> {
    return {}
  }
}
