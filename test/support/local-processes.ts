// The processes of the local cluster, as the Procfile names them, on ports and in a folder of a test,
// without the supervisors that would start them again: the test decides who lives.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArchiveClient } from '../../ops/archive/client.ts'
import { haveAdopted, nodeViews, progressOf } from '../../ops/cluster-view.ts'
import { type LocalCluster, localCluster } from '../../ops/local.ts'
import { unreadyNodes } from '../../ops/ports.ts'
import { ensureSecrets, readSecret } from '../../ops/secrets.ts'
import { ShardmasterClient } from '../../server/client/clerk.ts'
import { Connections } from '../../server/client/connections.ts'
import { freeBase, until } from './cluster.ts'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')

export class LocalProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), 'observed-'))
  readonly clusterId: string
  readonly cluster: LocalCluster
  readonly adminToken: string
  readonly connections = new Connections({ perNode: 8 })
  readonly shardmasters: ShardmasterClient
  private readonly children = new Map<string, ChildProcess>()
  private readonly env: NodeJS.ProcessEnv
  private output = ''

  private constructor(basePort: number) {
    this.env = {
      ...process.env,
      SHARDGLASS_BASE_PORT: String(basePort),
      SHARDGLASS_DATA: join(this.folder, 'data'),
      SHARDGLASS_SUPERVISOR: String(process.pid),
    }
    this.cluster = localCluster(this.env)
    this.clusterId = ensureSecrets(this.cluster)
    this.adminToken = readSecret(this.cluster.files.adminToken)
    const { shardmasters } = this.cluster
    this.shardmasters = new ShardmasterClient({ shardmasters, token: this.adminToken })
  }

  /** All nodes and the archive; resolves when groups 1 and 2 serve. */
  static async start(): Promise<LocalProcesses> {
    const base = await freeBase()
    const processes = new LocalProcesses(base)
    try {
      processes.run('archive')
      for (const { name } of processes.cluster.nodes) processes.run(name)
      await processes.settled([1, 2])
      return processes
    } catch (error) {
      await processes.stop()
      throw new Error(processes.output.slice(-3_000), { cause: error })
    }
  }

  run(name: string): void {
    const script =
      name === 'archive' ? 'archive' : name.startsWith('sm') ? 'shardmaster' : 'shardkv'
    const args = [join(ROOT, `dist/ops/start-${script}.js`), '--local', name]
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    const child = spawn(process.execPath, args, { cwd: ROOT, env: this.env, stdio: [...stdio] })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
    this.children.set(name, child)
  }

  pid(name: string): number {
    const pid = this.children.get(name)?.pid
    if (pid === undefined) throw new Error(`${name} does not run`)
    return pid
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(name), signal)
  }

  /** Resolves when it is gone. */
  kill(name: string): Promise<void> {
    const child = this.children.get(name)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return Promise.resolve()
    }
    return new Promise(done => {
      child.once('close', () => done())
      child.kill('SIGKILL')
    })
  }

  /** Every node is ready, these groups have joined, and no shard is on its way. */
  async settled(gids: readonly number[]): Promise<void> {
    await until(
      `groups ${gids.join(', ')} serve`,
      async () => {
        if ((await unreadyNodes(this.cluster.nodes)).length > 0) return false
        const config = await this.shardmasters.query(-1, { timeoutMs: 2_000 }).catch(() => null)
        if (config === null || !gids.every(gid => config.groups[String(gid)])) return false
        const urls = gids.flatMap(gid => this.group(gid)).map(({ url }) => url)
        const views = await nodeViews(urls, this.adminToken)
        return haveAdopted(views, config.num) && progressOf(views, gids)?.moving === 0
      },
      60_000,
    )
  }

  group(gid: number): LocalCluster['nodes'] {
    return this.cluster.nodes.filter(node => node.gid === gid)
  }

  /** The name of the node that leads a group. */
  async leader(gid: number, among = this.group(gid)): Promise<string> {
    let found = ''
    await until(`a leader of group ${gid}`, async () => {
      for (const { name, url } of among) {
        const headers = { authorization: `Bearer ${this.adminToken}` }
        const request = { method: 'GET', path: '/v1/status', headers } as const
        const answer = await this.connections.exchange(url, request, { timeoutMs: 1_000 })
        if (answer.type === 'failed' || answer.status !== 200) continue
        if (JSON.parse(answer.body.toString()).role === 'leader') found = name
      }
      return found !== ''
    })
    return found
  }

  archive(): ArchiveClient {
    return new ArchiveClient({ url: this.cluster.archive.url, token: this.adminToken })
  }

  /** The leader gives its leadership to another replica. */
  async stepDown(gid: number): Promise<void> {
    const name = await this.leader(gid)
    const url = this.group(gid).find(node => node.name === name)?.url ?? ''
    const headers = { authorization: `Bearer ${this.adminToken}` }
    const request = { method: 'POST', path: '/v1/leader/step-down', headers, body: '' } as const
    const answer = await this.connections.exchange(url, request, { timeoutMs: 5_000 })
    if (answer.type === 'failed' || answer.status !== 200) throw new Error(`${name} still leads`)
    await until('another leader', async () => (await this.leader(gid)) !== name)
  }

  async stop(): Promise<void> {
    await this.shardmasters.close()
    for (const child of this.children.values()) child.kill('SIGCONT')
    await Promise.all([...this.children.keys()].map(name => this.kill(name)))
    await this.connections.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
