// All configurations for ever, in the store: an old one is answered exactly as it was decided.
// The newest are kept decoded, since they are what groups and clients ask for.
//
// Store: `c` + num (8 bytes, big-endian) → JSON of the configuration; `l` → the latest num;
// `g` + gid (4 bytes, big-endian) → the num in which that group joined, never deleted.

import { assert } from '../assert.ts'
import { ByteReader, type ByteString, ByteWriter } from '../bytes.ts'
import {
  CONFIG_CACHE_BYTES_MAX,
  CONFIG_CACHE_MAX,
  CONFIGS_PER_POLL,
  CONFIGS_REPLY_BYTES_MAX,
  HISTORY_BYTES_MAX,
} from '../limits.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'
import type { Config } from './config.ts'
import { decodeConfig, encodeConfig } from './decode.ts'

type Held = { readonly config: Config; readonly bytes: number }

const LATEST = 'l'

export class ConfigHistory {
  private newest: Config | null = null
  /** num → configuration, of the highest numbers. */
  private readonly cache = new Map<number, Held>()
  private cachedBytes = 0

  /** Null until the group's log has made configuration 0. */
  get latest(): Config | null {
    return this.newest
  }

  /** The latest's number, −1 when there is none. */
  get latestNum(): number {
    return this.newest?.num ?? -1
  }

  load(store: StoreReader): void {
    this.cache.clear()
    this.cachedBytes = 0
    this.newest = null
    const latest = store.get(LATEST)
    if (latest !== undefined) this.newest = this.held(store, new ByteReader(latest).uint()).config
  }

  append(transaction: StoreTransaction, config: Config): void {
    assert(config.num === this.latestNum + 1, 'configurations are numbered without gaps')
    const encoded = encodeConfig(config)
    transaction.put(configKey(config.num), encoded)
    transaction.put(LATEST, new ByteWriter(8).uint(config.num).done())
    if (config.cause.op === 'join') {
      transaction.put(groupKey(config.cause.gid), new ByteWriter(8).uint(config.num).done())
    }
    this.newest = config
    this.keep(config.num, { config, bytes: encoded.length })
  }

  /** Whether a group has joined in any configuration so far. */
  wasUsed(store: StoreReader, gid: number): boolean {
    return store.get(groupKey(gid)) !== undefined
  }

  /** A configuration that was decided; null for a number that there is not (yet). */
  read(store: StoreReader, num: number): Config | null {
    if (!(Number.isInteger(num) && num >= 0 && num <= this.latestNum)) return null
    return num === this.newest?.num ? this.newest : this.held(store, num).config
  }

  /** From `num` + 1 on without gaps: as many as one message may carry. */
  after(store: StoreReader, num: number): readonly Config[] {
    const configs: Config[] = []
    let bytes = 0
    for (let next = Math.max(num, -1) + 1; next <= this.latestNum; next++) {
      const held = this.held(store, next)
      bytes += held.bytes
      const isFull = bytes > CONFIGS_REPLY_BYTES_MAX || configs.length >= CONFIGS_PER_POLL
      if (isFull && configs.length > 0) break
      configs.push(held.config)
    }
    return configs
  }

  /** The newest first, up to `limit`; fewer where they are very large. */
  newestFirst(store: StoreReader, limit: number): readonly Config[] {
    const configs: Config[] = []
    let bytes = 0
    for (let num = this.latestNum; num >= 0 && configs.length < limit; num--) {
      const held = this.held(store, num)
      bytes += held.bytes
      if (bytes > HISTORY_BYTES_MAX && configs.length > 0) break
      configs.push(held.config)
    }
    return configs
  }

  private held(store: StoreReader, num: number): Held {
    const known = this.cache.get(num)
    if (known !== undefined) return known
    const encoded = store.get(configKey(num))
    assert(encoded !== undefined, 'no configuration is missing up to the latest')
    const held = { config: decodeConfig(encoded), bytes: encoded.length }
    assert(held.config.num === num, 'a configuration stands under its number')
    this.keep(num, held)
    return held
  }

  /** The highest numbers stay; the latest always does. */
  private keep(num: number, held: Held): void {
    this.cache.set(num, held)
    this.cachedBytes += held.bytes
    while (this.cachedBytes > CONFIG_CACHE_BYTES_MAX || this.cache.size > CONFIG_CACHE_MAX) {
      const lowest = Math.min(...this.cache.keys())
      if (lowest === this.latestNum) return
      this.cachedBytes -= this.cache.get(lowest)?.bytes ?? 0
      this.cache.delete(lowest)
    }
  }
}

function configKey(num: number): ByteString {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(num))
  return `c${bytes.toString('latin1')}`
}

function groupKey(gid: number): ByteString {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(gid)
  return `g${bytes.toString('latin1')}`
}
