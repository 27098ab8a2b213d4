// A real cluster of real processes in a folder of its own on free ports: for tests that kill, pause
// and restart nodes. Everything ends with `stop`, and with the test's own process at the latest.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localCluster } from '../../ops/local.ts'
import { Clerk, ShardmasterClient } from '../../server/client/clerk.ts'
import { Connections } from '../../server/client/connections.ts'

export type ClusterOptions = {
  /** Replicas per group, by gid from 1; default one group of 3. */
  readonly groups?: readonly number[]
  readonly shardmasters?: number
  readonly storage?: 'disk' | 'memory'
  /** Groups that join by themselves; default all. */
  readonly joining?: readonly number[]
  /** Further flags for every node, and for shardmasters alone. */
  readonly flags?: readonly string[]
  readonly shardmasterFlags?: readonly string[]
}

export type ClusterNode = {
  /** `sm0`, `kv1-0` … */
  readonly name: string
  readonly gid: number
  readonly replica: number
  readonly url: string
  readonly folder: string
  readonly pid: number | undefined
  readonly isRunning: boolean
  /** What it printed. */
  readonly output: string
  /** Code or signal of its last end; null while it runs. */
  readonly ended: string | null
}

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
const READY_MS_MAX = 30_000
export const TOKEN = 'test-token-0123456789abcdef0123456789abcdef'
const PEER_TOKEN = 'peer-token-0123456789abcdef0123456789abcdef'

export class TestCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'shardglass-'))
  private readonly members: Member[] = []
  private readonly connections = new Connections({ perNode: 2 })
  private readonly clients: { close(): Promise<void> }[] = []

  /** Starts all nodes and waits until each is ready. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster()
    try {
      await cluster.plan(options)
      for (const member of cluster.members) member.start()
      await cluster.ready()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  get nodes(): readonly ClusterNode[] {
    return this.members
  }

  get shardmasterUrls(): readonly string[] {
    return this.group(0).map(({ url }) => url)
  }

  /** Nodes of a group; 0: the shardmasters. */
  group(gid: number): readonly ClusterNode[] {
    return this.members.filter(member => member.gid === gid)
  }

  node(name: string): ClusterNode {
    return this.member(name)
  }

  /** SIGKILL, or another signal; resolves when the process is gone. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.member(name).kill(signal)
  }

  /** Starts a node that has ended, and does not wait until it is ready. */
  restart(name: string): void {
    this.member(name).start()
  }

  /** Starts a node that has ended with further flags, and waits until it ends again. */
  startWith(name: string, flags: readonly string[]): Promise<{ code: number; output: string }> {
    return this.member(name).runToEnd(flags)
  }

  /** Waits until all running nodes, or those named, are ready. */
  async ready(names: readonly string[] = this.members.map(({ name }) => name)): Promise<void> {
    const waiting = this.members.filter(({ name }) => names.includes(name))
    await until(`${names.join(', ')} ready`, async () => {
      for (const member of waiting) {
        if (!member.isRunning) throw new Error(`${member.name} ended:\n${member.output}`)
        if (!(await this.isReady(member))) return false
      }
      return true
    })
  }

  async status(name: string): Promise<Record<string, unknown> | null> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const request = { method: 'GET', path: '/v1/status', headers } as const
    const { url } = this.member(name)
    const answer = await this.connections.exchange(url, request, { timeoutMs: 1_000 })
    if (answer.type === 'failed' || answer.status !== 200) return null
    return JSON.parse(answer.body.toString()) as Record<string, unknown>
  }

  /** The node that leads a group. */
  async leader(gid: number): Promise<ClusterNode> {
    let found: ClusterNode | null = null
    await until(`a leader of group ${gid}`, async () => {
      for (const member of this.group(gid)) {
        if (!member.isRunning) continue
        if ((await this.status(member.name))?.role === 'leader') found = member
      }
      return found !== null
    })
    if (found === null) throw new Error('no leader')
    return found
  }

  clerk(timeoutMs = 10_000): Clerk {
    const clerk = new Clerk({ shardmasters: this.shardmasterUrls, token: TOKEN, timeoutMs })
    this.clients.push(clerk)
    return clerk
  }

  shardmasters(timeoutMs = 10_000): ShardmasterClient {
    const { shardmasterUrls: shardmasters } = this
    const client = new ShardmasterClient({ shardmasters, token: TOKEN, timeoutMs })
    this.clients.push(client)
    return client
  }

  /** Environment with which shardctl finds this cluster. */
  get shardctlEnv(): Record<string, string> {
    return { SHARDGLASS_SHARDMASTERS: this.shardmasterUrls.join(','), SHARDGLASS_TOKEN: TOKEN }
  }

  /** Ends all processes and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.clients.map(client => client.close()))
    await Promise.all(this.members.map(member => member.kill('SIGKILL')))
    await this.connections.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async isReady({ url }: Member): Promise<boolean> {
    const request = { method: 'GET', path: '/readyz', headers: {} } as const
    const answer = await this.connections.exchange(url, request, { timeoutMs: 1_000 })
    return answer.type === 'answer' && answer.status === 200
  }

  private member(name: string): Member {
    const member = this.members.find(candidate => candidate.name === name)
    if (member === undefined) throw new Error(`no node ${name}`)
    return member
  }

  private async plan(options: ClusterOptions): Promise<void> {
    const { groups = [3], shardmasters = 3, storage = 'disk', flags = [] } = options
    const sizes = [shardmasters, ...groups]
    const ports = await freePorts(sizes.reduce((sum, size) => sum + size, 0))
    const common = [...this.secretFlags(), '--storage', storage, ...flags]
    const urls = sizes.map(size =>
      Array.from({ length: size }, () => `http://127.0.0.1:${ports.pop()}`),
    )
    const masters = (urls[0] ?? []).join(',')
    const joining = options.joining ?? groups.map((_, index) => index + 1)
    for (const [gid, group] of urls.entries()) {
      const peers = group.map((url, replica) => `${replica}=${url}`).join(',')
      const join = joining.includes(gid) ? ['--auto-join'] : []
      const own =
        gid === 0
          ? (options.shardmasterFlags ?? [])
          : ['--gid', String(gid), '--shardmasters', masters, ...join]
      for (const [replica, url] of group.entries()) {
        const name = gid === 0 ? `sm${replica}` : `kv${gid}-${replica}`
        const place = ['--name', name, '--replica', String(replica), '--listen', new URL(url).host]
        const args = [...place, '--peers', peers, ...own, ...common]
        this.members.push(new Member({ name, gid, replica, url, folder: this.folder, args }))
      }
    }
  }

  private secretFlags(): readonly string[] {
    const tokens = join(this.folder, 'tokens.json')
    const peerToken = join(this.folder, 'peer.token')
    const hash = createHash('sha256').update(TOKEN).digest('hex')
    const records = [{ name: 'test', role: 'admin', hash }]
    writeFileSync(tokens, JSON.stringify(records), { mode: 0o600 })
    writeFileSync(peerToken, PEER_TOKEN, { mode: 0o600 })
    return ['--cluster', 'test', '--tokens-file', tokens, '--peer-token-file', peerToken]
  }
}

type MemberFields = {
  readonly name: string
  readonly gid: number
  readonly replica: number
  readonly url: string
  /** The cluster's. */
  readonly folder: string
  readonly args: readonly string[]
}

class Member implements ClusterNode {
  readonly name: string
  readonly gid: number
  readonly replica: number
  readonly url: string
  readonly folder: string
  output = ''
  ended: string | null = null
  private readonly args: readonly string[]
  private child: ChildProcess | null = null

  constructor(fields: MemberFields) {
    this.name = fields.name
    this.gid = fields.gid
    this.replica = fields.replica
    this.url = fields.url
    this.folder = join(fields.folder, fields.name)
    this.args = [...fields.args, '--data', this.folder]
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  get isRunning(): boolean {
    return this.child !== null
  }

  start(): void {
    if (this.child !== null) throw new Error(`${this.name} runs already`)
    const child = this.spawn([])
    this.child = child
    this.ended = null
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
    child.on('close', (code, signal) => {
      this.child = null
      this.ended = signal ?? `code ${code}`
    })
  }

  /** In the place of the node's own life; later flags win. */
  runToEnd(flags: readonly string[]): Promise<{ code: number; output: string }> {
    const child = this.spawn(flags)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    return new Promise(done => child.on('close', code => done({ code: code ?? -1, output })))
  }

  private spawn(flags: readonly string[]): ChildProcess {
    const script = this.gid === 0 ? 'start-shardmaster.js' : 'start-shardkv.js'
    const args = [join(ROOT, 'dist/ops', script), ...this.args, ...flags]
    return spawn(process.execPath, args, {
      // Ends by itself when this process is gone, however that happened.
      env: { ...process.env, SHARDGLASS_SUPERVISOR: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === null) return Promise.resolve()
    return new Promise(done => {
      child.once('close', () => done())
      child.kill(signal)
    })
  }
}

/** Waits for a condition, not for a time; throws with its name when it does not come true. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = READY_MS_MAX,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not in ${timeoutMs} ms: ${what}`)
    await new Promise(done => setTimeout(done, 30))
  }
}

/**
 * Ports that are free, below those that the system gives to outgoing connections: one of these
 * could otherwise take the port of a node while that is down.
 */
export async function freePorts(count: number, from = 20_000): Promise<number[]> {
  const ports: number[] = []
  for (let port = from + Math.floor(Math.random() * 7_000); ports.length < count; port++) {
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

/** A base port whose local cluster finds all its ports free. */
export async function freeBase(): Promise<number> {
  for (;;) {
    const base = 12_000 + Math.floor(Math.random() * 7_000)
    const { nodes, ports } = localCluster({ SHARDGLASS_BASE_PORT: String(base) })
    const all = [...nodes.map(({ port }) => port), ...Object.values(ports)]
    const free = await Promise.all(all.map(isFree))
    if (free.every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(done => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
}
