// A Shardglass cluster: three shardmasters and one group that owns all shards, with the defaults of a
// node unless flags say otherwise.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../chaos/cluster.ts'
import { eventually } from '../chaos/command.ts'
import { Member } from '../chaos/member.ts'
import { nodeViews } from '../cluster-view.ts'
import { removed, type System } from './system.ts'

export type ShardglassPlan = {
  readonly folder: string
  readonly replicas: number
  readonly shards: number
  /** Further flags for every replica of the group. */
  readonly flags: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const SHARDMASTERS = 3
const READY_MS = 60_000

export class Shardglass implements System {
  readonly token = `compare-${randomBytes(24).toString('hex')}`
  private readonly members: Member[] = []
  private readonly folder: string

  private constructor(folder: string) {
    this.folder = mkdtempSync(join(folder, 'shardglass-'))
  }

  static async start(plan: ShardglassPlan): Promise<Shardglass> {
    const system = new Shardglass(plan.folder)
    try {
      await system.lay(plan)
      for (const member of system.members) member.start()
      await system.ready()
      return system
    } catch (error) {
      await system.stop()
      throw error
    }
  }

  /** Shardmasters too: they are idle, and counted all the same. */
  get pids(): readonly number[] {
    return this.members.map(({ pid }) => pid)
  }

  get clientUrls(): readonly string[] {
    return this.members.filter(({ gid }) => gid === 0).map(({ url }) => url)
  }

  get replicas(): readonly Member[] {
    return this.members.filter(({ gid }) => gid === 1)
  }

  async leaderUrl(): Promise<string> {
    return (await this.leader()).url
  }

  async leader(): Promise<Member> {
    let found: Member | undefined
    await eventually(async () => {
      const views = await nodeViews(
        this.replicas.map(({ url }) => url),
        this.token,
      )
      found = this.replicas[views.findIndex(({ status }) => status?.role === 'leader')]
      return found !== undefined
    }, READY_MS)
    if (found === undefined) throw new Error('the group has no leader')
    return found
  }

  /** All replicas are ready and lead or follow with all shards served. */
  async ready(): Promise<void> {
    const isReady = await eventually(async () => {
      for (const member of this.members) void member.pid
      const views = await nodeViews(
        this.replicas.map(({ url }) => url),
        this.token,
      )
      return views.every(({ status }) => {
        return status?.isReady === true && configOf(status.machine) > 0
      })
    }, READY_MS)
    if (isReady) return
    throw new Error(`not ready: ${this.members.map(({ output }) => output.slice(-300)).join('\n')}`)
  }

  async stop(): Promise<void> {
    const stops = this.members.map(member => ({ stop: () => member.kill() }))
    await removed(stops, this.folder)
  }

  private async lay({ replicas, shards, flags, env }: ShardglassPlan): Promise<void> {
    const ports = await freePorts(SHARDMASTERS + replicas)
    const urls = ports.map(port => `http://127.0.0.1:${port}`)
    const masters = urls.slice(0, SHARDMASTERS)
    const common = this.commonFlags()
    for (const [index, url] of urls.entries()) {
      const gid = index < SHARDMASTERS ? 0 : 1
      const replica = gid === 0 ? index : index - SHARDMASTERS
      const group = gid === 0 ? masters : urls.slice(SHARDMASTERS)
      const name = gid === 0 ? `sm${replica}` : `kv1-${replica}`
      const folder = join(this.folder, name)
      const peers = group.map((peer, id) => `${id}=${peer}`).join(',')
      const own = ['--name', name, '--replica', String(replica), '--listen', new URL(url).host]
      const kind =
        gid === 0
          ? ['--shards', String(shards)]
          : ['--gid', '1', '--shardmasters', masters.join(','), '--auto-join', ...flags]
      const args = [...own, '--advertise', url, '--peers', peers, '--data', folder, ...kind]
      const fields = { name, gid, replica, url, folder, disk: null, prefix: [], env }
      this.members.push(new Member({ ...fields, args: [...args, ...common] }, () => undefined))
    }
  }

  private commonFlags(): readonly string[] {
    const tokens = join(this.folder, 'tokens.json')
    const peerToken = join(this.folder, 'peer.token')
    const hash = createHash('sha256').update(this.token).digest('hex')
    writeFileSync(tokens, JSON.stringify([{ name: 'compare', role: 'admin', hash }]), {
      mode: 0o600,
    })
    writeFileSync(peerToken, randomBytes(32).toString('hex'), { mode: 0o600 })
    return ['--cluster', 'compare', '--tokens-file', tokens, '--peer-token-file', peerToken]
  }
}

/** Number of the configuration that a replica has adopted; 0 before the group has joined. */
function configOf(machine: unknown): number {
  if (typeof machine !== 'object' || machine === null || !('config' in machine)) return 0
  return typeof machine.config === 'number' ? machine.config : 0
}
