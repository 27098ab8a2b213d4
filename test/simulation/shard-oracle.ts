// What must hold between groups: a shard is served by one group at a time, arrives as it left, and
// configurations are numbered without gaps, the same everywhere, and even.

import { fnv1a, fnv1aBytes } from '../../server/bytes.ts'
import type { Event, Message } from '../../server/contract.ts'
import {
  relativeKey,
  SHARD_RECORDS,
  shardOfRecordKey,
  shardRangeAfter,
} from '../../server/shardkv/keyspace.ts'
import { decodeShard } from '../../server/shardkv/shard.ts'
import type { Config } from '../../server/shardmaster/config.ts'
import type { StoreReader } from '../../server/store.ts'
import type { AnyNode } from './node.ts'
import { Violation, type World } from './world.ts'

type Seen = {
  readonly type: 'frozen' | 'installed'
  readonly config: number
  readonly shard: number
}

export class ShardOracle {
  /** shard → gid of the group that serves it. */
  readonly serving = new Map<number, number>()
  /** All configurations seen, by number. */
  readonly configs = new Map<number, Config>()
  private readonly world: World
  private readonly known = new WeakSet<Config>()
  /** gid → the newest slot whose shard records were looked at. */
  private readonly looked = new Map<number, number>()
  /** shard and config → hash of what the giver froze. */
  private readonly frozen = new Map<string, number>()
  /** gid → config → slot. */
  private readonly adopted = new Map<number, Map<number, number>>()
  private seen: Seen[] = []
  private seenSlot = 0

  constructor(world: World) {
    this.world = world
  }

  /** I8. */
  onConfig(config: Config): void {
    if (this.known.has(config)) return
    this.known.add(config)
    const other = this.configs.get(config.num)
    if (other !== undefined) {
      const isSame = JSON.stringify(other) === JSON.stringify(config)
      return this.check(isSame, `I8: one configuration ${config.num}`)
    }
    this.configs.set(config.num, config)
    this.world.count('configuration')
    const counts = new Map(Object.keys(config.groups).map(gid => [Number(gid), 0]))
    for (const gid of config.shards) {
      const count = counts.get(gid)
      this.check(
        count !== undefined || (gid === 0 && counts.size === 0),
        `config ${config.num} gives shards to groups that are in it`,
      )
      if (count !== undefined) counts.set(gid, count + 1)
    }
    if (config.cause.op === 'move' || counts.size === 0) return
    const spread = Math.max(...counts.values()) - Math.min(...counts.values())
    this.check(spread <= 1, `I8: config ${config.num} is even after a ${config.cause.op}`)
    const before = this.configs.get(config.num - 1)
    if (before !== undefined) this.checkMoves(before, config, counts)
  }

  /** I8: no more shards move than an even share for each group takes. */
  private checkMoves(before: Config, after: Config, counts: ReadonlyMap<number, number>): void {
    const had = new Map([...counts.keys()].map(gid => [gid, 0]))
    let moves = 0
    let needed = 0
    for (const [shard, gid] of before.shards.entries()) {
      const owned = had.get(gid)
      if (owned === undefined) needed += 1
      else had.set(gid, owned + 1)
      if (after.shards[shard] !== gid) moves += 1
    }
    for (const [gid, count] of counts) needed += Math.max(0, (had.get(gid) ?? 0) - count)
    this.check(moves <= needed, `I8: config ${after.num} moves ${needed} shards and not ${moves}`)
  }

  onSend(message: Message): void {
    if (message.type === 'configs') for (const config of message.configs) this.onConfig(config)
  }

  onEvent(node: AnyNode, event: Event): void {
    if (event.type === 'handoffFrozen') {
      this.note({ type: 'frozen', config: event.config, shard: event.shard }, event.slot)
    }
    if (event.type === 'handoffInstalled') {
      this.note({ type: 'installed', config: event.config, shard: event.shard }, event.slot)
      if (!event.isFirst) this.world.count('handoff: installed with data', event.keys > 0 ? 1 : 0)
    }
    if (event.type === 'configAdopted') {
      this.seenSlot = event.slot
      this.checkAdoption(node.address.gid, event.config, event.slot)
    }
  }

  /** After a step in which shards changed hands, on the first replica that came so far. */
  onStep(node: AnyNode): void {
    if (this.seenSlot === 0) return
    const { gid } = node.address
    const slot = node.store.applied()
    const { seen, seenSlot } = this
    this.seen = []
    this.seenSlot = 0
    if (slot <= (this.looked.get(gid) ?? 0)) return
    this.looked.set(gid, slot)
    this.compareOwners(gid, node.store)
    // Writes of later slots in the same step would be counted with what was frozen or installed.
    if (seenSlot !== slot) return
    for (const one of seen) this.compareContent(one, node.store)
  }

  /** How many configurations the group that is furthest behind has still to adopt. */
  backlog(): number {
    const newest = Math.max(0, ...this.configs.keys())
    const adopted = [...this.adopted.values()].map(slots => Math.max(...slots.keys()))
    return newest - Math.min(newest, ...adopted)
  }

  /** I8, H10: a group adopts configurations one by one, each in one slot, on all its replicas. */
  private checkAdoption(gid: number, config: number, slot: number): void {
    const slots = this.adopted.get(gid) ?? new Map<number, number>()
    this.adopted.set(gid, slots)
    const known = slots.get(config)
    this.check(known === undefined || known === slot, `I8: ${gid} adopts ${config} once`)
    if (known !== undefined) return
    const before = slots.get(config - 1)
    this.check(
      config === 0 || (before !== undefined && before <= slot),
      `I8: ${gid} adopts ${config} after ${config - 1}`,
    )
    slots.set(config, slot)
  }

  private note(seen: Seen, slot: number): void {
    if (slot !== this.seenSlot) this.seen = []
    this.seen.push(seen)
    this.seenSlot = slot
  }

  /** I5. */
  private compareOwners(gid: number, store: StoreReader): void {
    const now = new Set<number>()
    for (const [key, value] of store.range(SHARD_RECORDS)) {
      if (decodeShard(value).phase === 'serving') now.add(shardOfRecordKey(key))
    }
    for (const [shard, owner] of this.serving) {
      if (owner === gid && !now.has(shard)) this.serving.delete(shard)
    }
    for (const shard of now) {
      const owner = this.serving.get(shard) ?? gid
      this.check(owner === gid, `I5: shard ${shard} is served by ${owner} and not also by ${gid}`)
      this.serving.set(shard, gid)
    }
  }

  /** I10: data and sessions arrive as they left. */
  private compareContent({ type, config, shard }: Seen, store: StoreReader): void {
    const key = `${shard} ${config}`
    let hash = 0
    for (const [entry, value] of store.range(shardRangeAfter(shard, ''))) {
      hash = (hash + Math.imul(fnv1aBytes(value, fnv1a(relativeKey(entry))), 0x9e3779b1)) >>> 0
    }
    const frozen = this.frozen.get(key)
    if (type === 'frozen') this.frozen.set(key, hash)
    else if (frozen !== undefined) {
      this.world.count('handoff: content compared')
      this.check(frozen === hash, `I10: shard ${shard} of config ${config} arrives as it left`)
    }
  }

  private check(condition: boolean, claim: string): void {
    if (!condition) throw new Violation(`${claim} (${this.world.now} µs)`)
  }
}
