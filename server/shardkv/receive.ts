// The taking side of handoffs: parts of a shard come in, and each goes through this group's log
// before it is acknowledged. Keyed by (shard, config): a late or doubled part changes nothing.

import { assert } from '../assert.ts'
import type { Address, Sender } from '../contract.ts'
import type { Applied, MachineContext } from '../machine.ts'
import type { StoreTransaction } from '../store.ts'
import { type Command, encodeCommand } from './command.ts'
import { isData, shardPrefix } from './keyspace.ts'
import type { ReceiveResult, ShardkvMessage } from './message.ts'
import type { ShardkvReply } from './reply.ts'
import type { GroupState } from './state.ts'

type Part = Extract<ShardkvMessage, { type: 'receiveShard' }>
type ReceiveCommand = Extract<Command, { type: 'receive' }>

export class Receiver {
  private readonly state: GroupState
  /** Who waits for the part of this shard that is in the log's queue. */
  private readonly asking = new Map<number, { readonly from: Address; readonly config: number }>()
  private readonly applied = new Set<number>()

  constructor(state: GroupState) {
    this.state = state
  }

  clear(): void {
    this.asking.clear()
    this.applied.clear()
  }

  onPart(from: Sender, part: Part, context: MachineContext<ShardkvReply>): void {
    if (!context.isLeader) {
      return answer(from, part, { type: 'notLeader', leader: context.leader }, context)
    }
    const state = this.state.shard(part.shard)
    if (state.installed >= part.config) return answer(from, part, { type: 'installed' }, context)
    if (state.phase !== 'awaited' || state.config !== part.config || state.gid !== from.gid) {
      const config = this.state.config?.num ?? 0
      return answer(from, part, { type: 'notReady', config }, context)
    }
    if (part.after !== state.cursor) {
      return answer(from, part, { type: 'progress', cursor: state.cursor }, context)
    }
    const isQueued = this.asking.has(part.shard)
    this.asking.set(part.shard, { from, config: part.config })
    if (isQueued) return
    const { config, shard, after, entries, total } = part
    const command = encodeCommand({ type: 'receive', config, shard, after, entries, total })
    if (context.propose(command, null) !== 'taken') this.asking.delete(part.shard)
  }

  apply(
    command: ReceiveCommand,
    place: Applied,
    transaction: StoreTransaction,
    context: MachineContext<ShardkvReply>,
  ): void {
    const { config, shard, after, entries, total } = command
    this.applied.add(shard)
    const state = this.state.shard(shard)
    if (state.phase !== 'awaited' || state.config !== config || state.cursor !== after) return
    const prefix = shardPrefix(shard)
    let { keys, bytes } = state
    const before = keys
    for (const [key, value] of entries) {
      transaction.put(prefix + key, value)
      if (!isData(key)) continue
      keys += 1
      bytes += key.length - 1 + valueLength(value)
    }
    this.state.sessions.add(shard, entries.length - (keys - before))
    const cursor = entries.at(-1)?.[0] ?? state.cursor
    const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    context.event({
      type: 'handoffChunk',
      config,
      shard,
      direction: 'in',
      peer: state.gid,
      keys: entries.length,
      bytes: size,
      isLeader: context.isLeader,
    })
    if (total === null) {
      return this.state.setShard(shard, { ...state, cursor, keys, bytes })
    }
    assert(keys === total.keys && bytes === total.bytes, `shard ${shard} came in whole`)
    const { version } = total
    this.state.setShard(shard, {
      ...state,
      phase: 'serving',
      gid: 0,
      cursor: '',
      installed: config,
      keys,
      bytes,
      version,
    })
    const { isLeader } = context
    const { slot, wallMs: loggedMs } = place
    const held = { from: state.gid, keys, bytes, slot, loggedMs, isFirst: false }
    context.event({ type: 'handoffInstalled', config, shard, ...held, isLeader })
  }

  /** Tells the givers how far the log is now. */
  onApplied(context: MachineContext<ShardkvReply>): void {
    for (const shard of this.applied) {
      const asking = this.asking.get(shard)
      if (asking === undefined) continue
      this.asking.delete(shard)
      const { installed, cursor } = this.state.shard(shard)
      const { from, config } = asking
      const isDone = installed >= config
      const result: ReceiveResult = isDone ? { type: 'installed' } : { type: 'progress', cursor }
      answer(from, { config, shard }, result, context)
    }
    this.applied.clear()
  }
}

/** Of a stored value, without its version (one byte for each seven bits). */
function valueLength(stored: Uint8Array): number {
  let head = 0
  while ((stored[head] ?? 0) >= 128) head += 1
  return stored.length - head - 1
}

function answer(
  to: Address,
  part: { config: number; shard: number },
  result: ReceiveResult,
  context: MachineContext<ShardkvReply>,
): void {
  const { config, shard } = part
  const address = { gid: to.gid, replica: to.replica }
  context.send([address], { type: 'receiveShardReply', config, shard, result })
}
