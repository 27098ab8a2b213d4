// A group's replicated state, as held in memory: the adopted configuration, where groups are, and
// each shard's record. The store holds the same; it is written in the transaction that changes it.

import { unreachable } from '../assert.ts'
import { ByteReader, type ByteString, ByteWriter, DecodeError } from '../bytes.ts'
import { type Config, shardOf } from '../shardmaster/config.ts'
import { decodeConfig, encodeConfig } from '../shardmaster/decode.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import {
  CONFIG_KEY,
  GROUPS_KEY,
  SHARD_RECORDS,
  shardOfRecordKey,
  shardRecordKey,
} from './keyspace.ts'
import type { RefusedReply } from './reply.ts'
import { SessionCounts } from './session-counts.ts'
import { DEFAULT_SHARDKV_SETTINGS, type ShardkvSettings } from './settings.ts'
import { ABSENT, decodeShard, encodeShard, type ShardState } from './shard.ts'

export class GroupState {
  readonly gid: number
  readonly settings: ShardkvSettings
  /** The adopted configuration; null before the first. */
  config: Config | null = null
  /** gid → base URLs, for every group ever in a configuration: some still hand shards over. */
  readonly servers = new Map<number, readonly string[]>()
  /** Only shards that this group has or once had. */
  readonly shards = new Map<number, ShardState>()
  /**
   * Of these, the ones that are neither served nor gone: awaited, leaving or releasing. Those that
   * an older configuration moves come first: a receiver may need them to follow the newer ones.
   */
  readonly moving = new Set<number>()
  readonly sessions = new SessionCounts()
  private readonly dirty = new Set<number>()

  constructor(gid: number, settings = DEFAULT_SHARDKV_SETTINGS) {
    this.gid = gid
    this.settings = settings
  }

  load(store: StoreReader): void {
    this.shards.clear()
    this.servers.clear()
    this.moving.clear()
    this.dirty.clear()
    const config = store.get(CONFIG_KEY)
    this.config = config === undefined ? null : decodeConfig(config)
    const records: [number, ShardState][] = []
    for (const [key, value] of store.range(SHARD_RECORDS)) {
      records.push([shardOfRecordKey(key), decodeShard(value)])
    }
    records.sort(([, a], [, b]) => a.config - b.config)
    for (const [shard, state] of records) this.keep(shard, state)
    const held = records.filter(([, { phase }]) => phase !== 'absent')
    this.sessions.load(
      store,
      held.map(([shard]) => shard),
    )
    const groups = store.get(GROUPS_KEY)
    if (groups !== undefined) readGroups(groups, this.servers)
  }

  shard(shard: number): ShardState {
    return this.shards.get(shard) ?? ABSENT
  }

  /** Written to the store at the end of the transaction. */
  setShard(shard: number, state: ShardState): void {
    this.keep(shard, state)
    this.dirty.add(shard)
  }

  /** The counters in the shard's record were changed in place. */
  countChanged(shard: number): void {
    this.dirty.add(shard)
  }

  private keep(shard: number, state: ShardState): void {
    const isMovedAgain = this.shards.get(shard)?.config !== state.config
    this.shards.set(shard, state)
    if (isMovedAgain) this.moving.delete(shard)
    if (state.phase === 'serving' || state.phase === 'absent') this.moving.delete(shard)
    else this.moving.add(shard)
  }

  setConfig(config: Config, transaction: StoreTransaction): void {
    this.config = config
    transaction.put(CONFIG_KEY, encodeConfig(config))
    let isGrown = false
    for (const [gid, servers] of Object.entries(config.groups)) {
      if (this.servers.has(Number(gid))) continue
      this.servers.set(Number(gid), servers)
      isGrown = true
    }
    if (isGrown) transaction.put(GROUPS_KEY, writeGroups(this.servers))
  }

  writeDirty(transaction: StoreTransaction): void {
    for (const shard of this.dirty)
      transaction.put(shardRecordKey(shard), encodeShard(this.shard(shard)))
    this.dirty.clear()
  }

  /** The key's shard; null while no configuration is known. */
  shardOfKey(key: ByteString): number | null {
    const { config } = this
    return config === null ? null : shardOf(key, config.partitioner, config.shards.length)
  }

  /** Why a request for the shard is not run here; null when it is. */
  refusal(shard: number | null): RefusedReply | null {
    if (shard === null || this.config === null) return { type: 'noGroup', config: 0 }
    const { phase } = this.shard(shard)
    if (phase === 'serving') return null
    const { num, shards, groups } = this.config
    const gid = shards[shard] ?? 0
    if (gid === 0) return { type: 'noGroup', config: num }
    switch (phase) {
      case 'absent':
      case 'awaited':
      case 'leaving':
      case 'releasing':
        if (gid === this.gid) return { type: 'shardMoving', config: num }
        return { type: 'wrongGroup', config: num, gid, servers: groups[String(gid)] ?? [] }
      default:
        return unreachable(phase)
    }
  }
}

function writeGroups(servers: ReadonlyMap<number, readonly string[]>): Uint8Array {
  return new ByteWriter().json([...servers]).done()
}

function readGroups(bytes: Uint8Array, into: Map<number, readonly string[]>): void {
  const value = new ByteReader(bytes).json()
  if (!Array.isArray(value)) throw new DecodeError('groups')
  for (const [gid, urls] of value) {
    if (typeof gid !== 'number' || !Array.isArray(urls)) throw new DecodeError('groups')
    into.set(gid, urls.map(String))
  }
}
