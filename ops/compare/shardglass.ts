// A Shardglass cluster as it is by default: three shardmasters, one group that owns all shards, and the
// archive, to which every replica sends the trace of every instance; and somebody who reads all metrics
// each second, as Prometheus would.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connections } from '../../server/client/connections.ts'
import { freePorts } from '../chaos/cluster.ts'
import { eventually } from '../chaos/command.ts'
import { Member } from '../chaos/member.ts'
import { nodeViews } from '../cluster-view.ts'
import { Program } from './program.ts'
import { removed, type System } from './system.ts'

export type ShardglassPlan = {
  readonly folder: string
  readonly replicas: number
  readonly shards: number
  /** False: no traces are made, and nobody reads metrics. */
  readonly isSeen: boolean
  /** Further variables of the environment of all nodes. */
  readonly env: Readonly<Record<string, string>>
}

const SHARDMASTERS = 3
const READY_MS = 60_000
const SCRAPE_MS = 1_000
const HERE = dirname(fileURLToPath(import.meta.url))

export class Shardglass implements System {
  readonly token = `compare-${randomBytes(24).toString('hex')}`
  private readonly members: Member[] = []
  private readonly connections = new Connections({ perNode: 1 })
  private readonly folder: string
  private archive: Program | null = null
  private scraper: NodeJS.Timeout | null = null

  private constructor(folder: string) {
    this.folder = mkdtempSync(join(folder, 'shardglass-'))
  }

  static async start(plan: ShardglassPlan): Promise<Shardglass> {
    const system = new Shardglass(plan.folder)
    try {
      await system.lay(plan)
      for (const member of system.members) member.start()
      await system.ready()
      if (plan.isSeen) system.scraper = setInterval(() => system.scrape(), SCRAPE_MS)
      return system
    } catch (error) {
      await system.stop()
      throw error
    }
  }

  /** Shardmasters, which are idle, and the archive are counted all the same. */
  get pids(): readonly number[] {
    const archive = this.archive === null ? [] : [this.archive.pid]
    return [...this.members.map(({ pid }) => pid), ...archive]
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
    if (this.scraper !== null) clearInterval(this.scraper)
    await this.connections.close()
    const stops = this.members.map(member => ({ stop: () => member.kill() }))
    await removed(this.archive === null ? stops : [...stops, this.archive], this.folder)
  }

  private scrape(): void {
    const headers = { authorization: `Bearer ${this.token}` }
    const request = { method: 'GET', path: '/metrics', headers } as const
    for (const { url, isRunning } of this.members) {
      if (isRunning) void this.connections.exchange(url, request, { timeoutMs: SCRAPE_MS })
    }
  }

  private async lay({ replicas, shards, isSeen, env }: ShardglassPlan): Promise<void> {
    const ports = await freePorts(SHARDMASTERS + replicas + 1)
    const archivePort = ports.pop() ?? 0
    const urls = ports.map(port => `http://127.0.0.1:${port}`)
    const masters = urls.slice(0, SHARDMASTERS)
    const common = [...this.commonFlags(), ...this.traceFlags(isSeen, archivePort)]
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
          : ['--gid', '1', '--shardmasters', masters.join(','), '--auto-join']
      const args = [...own, '--advertise', url, '--peers', peers, '--data', folder, ...kind]
      const fields = { name, gid, replica, url, folder, disk: null, prefix: [], env }
      this.members.push(new Member({ ...fields, args: [...args, ...common] }, () => undefined))
    }
  }

  private traceFlags(isSeen: boolean, port: number): readonly string[] {
    if (!isSeen) return ['--traces', 'off']
    const built = HERE.includes('/dist/')
    const script = resolve(HERE, built ? '../start-archive.js' : '../../dist/ops/start-archive.js')
    const place = ['--listen', `127.0.0.1:${port}`, '--data', join(this.folder, 'archive')]
    this.archive = new Program(process.execPath, [script, ...place, ...this.secretFlags()])
    return ['--archive', `http://127.0.0.1:${port}`]
  }

  private commonFlags(): readonly string[] {
    const [, tokens = '', , peerToken = ''] = this.secretFlags()
    const hash = createHash('sha256').update(this.token).digest('hex')
    writeFileSync(tokens, JSON.stringify([{ name: 'compare', role: 'admin', hash }]), {
      mode: 0o600,
    })
    writeFileSync(peerToken, randomBytes(32).toString('hex'), { mode: 0o600 })
    return ['--cluster', 'compare', ...this.secretFlags()]
  }

  private secretFlags(): readonly string[] {
    const at = (name: string): string => join(this.folder, name)
    return ['--tokens-file', at('tokens.json'), '--peer-token-file', at('peer.token')]
  }
}

/** Number of the configuration that a replica has adopted; 0 before the group has joined. */
function configOf(machine: unknown): number {
  if (typeof machine !== 'object' || machine === null || !('config' in machine)) return 0
  return typeof machine.config === 'number' ? machine.config : 0
}
