// The systems of a comparison: started when a row needs them, stopped when the next one does not, so
// that nothing idle runs beside what is measured but the other side of the pair.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBareHono, startEtcd, startRedis } from './peers.ts'
import type { SystemName } from './rows.ts'
import { Shardglass, type ShardglassPlan } from './shardglass.ts'
import type { System } from './system.ts'

const SHARDS = 64
/** Neither traces nor metrics of anything. */
const UNSEEN: Pick<ShardglassPlan, 'flags' | 'env'> = { flags: ['--telemetry', 'off'], env: {} }

export class Bench {
  readonly folder: string
  private readonly running = new Map<SystemName, System>()

  constructor(parent = tmpdir()) {
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
      case 'shardglass-unseen':
        return this.shardglass(UNSEEN)
      default:
        return this.shardglass({})
    }
  }

  private shardglass(plan: Partial<ShardglassPlan>): Promise<System> {
    const { folder } = this
    return Shardglass.start({ folder, replicas: 3, shards: SHARDS, flags: [], env: {}, ...plan })
  }
}
