// The systems of a comparison: started when a row needs them, stopped when the next one does not, so
// that nothing idle runs beside what is measured but the other side of the pair.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { STORE_FLUSH_MS } from '../../server/limits.ts'
import { pause } from '../chaos/command.ts'
import { drive } from './drive.ts'
import { startBareHono, startEtcd, startRedis } from './peers.ts'
import { FILLED_KEYS, FILLED_VALUE_BYTES, type SystemName } from './rows.ts'
import { Shardglass, type ShardglassPlan } from './shardglass.ts'
import type { System } from './system.ts'

const SHARDS = 64
const FILL_SECONDS_MAX = 3_600

export class Bench {
  readonly folder: string
  private readonly filledKeys: number
  private readonly running = new Map<SystemName, System>()

  constructor(parent = tmpdir(), filledKeys = FILLED_KEYS) {
    this.filledKeys = filledKeys
    this.folder = mkdtempSync(join(parent, 'shardglass-compare-'))
  }

  /** The systems of these names run when it resolves, and no others. */
  async have(names: readonly SystemName[]): Promise<void> {
    for (const [name, system] of this.running) {
      if (names.includes(name)) continue
      this.running.delete(name)
      await system.stop()
    }
    for (const name of names) {
      if (!this.running.has(name)) this.running.set(name, await this.start(name))
    }
  }

  system(name: SystemName): System {
    const system = this.running.get(name)
    if (system === undefined) throw new Error(`${name} does not run`)
    return system
  }

  async close(): Promise<void> {
    await this.have([])
    rmSync(this.folder, { recursive: true, force: true })
  }

  private start(name: SystemName): Promise<System> {
    switch (name) {
      case 'etcd':
        return startEtcd(this.folder)
      case 'redis':
        return startRedis(this.folder)
      case 'bare':
        return startBareHono(this.folder)
      case 'shardglass-5':
        return this.shardglass({ replicas: 5 })
      case 'shardglass-filled':
        return this.filled()
      case 'shardglass-unseen':
        return this.shardglass({ isSeen: false })
      default:
        return this.shardglass({})
    }
  }

  /** With many keys, put in order by large batches, and given the time to get to the disk. */
  private async filled(): Promise<System> {
    const system = await this.shardglass({})
    const batches = { target: 'shardglass', op: 'put', clients: 4, batch: 1_000 } as const
    const keys = {
      keys: this.filledKeys,
      count: this.filledKeys,
      distribution: 'sequential',
    } as const
    const load = { ...batches, ...keys, valueBytes: FILLED_VALUE_BYTES }
    await drive(system, load, { seconds: FILL_SECONDS_MAX, generator: 'load' })
    await pause(STORE_FLUSH_MS * 2)
    return system
  }

  private shardglass(plan: Partial<ShardglassPlan>): Promise<Shardglass> {
    const { folder } = this
    return Shardglass.start({ folder, replicas: 3, shards: SHARDS, isSeen: true, env: {}, ...plan })
  }
}
