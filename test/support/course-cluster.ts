// The course's cluster of real processes: shardmasters and groups with 10 shards and the first-byte
// partitioner, whose every request to another node, and every client's, goes through a network that
// can fail (faulty-proxy.ts). Groups join when a test says so.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Clerk, type ConfigView, ShardmasterClient } from '../../server/client/clerk.ts'
import { Connections } from '../../server/client/connections.ts'
import { freePorts, TOKEN, until } from './cluster.ts'
import { FaultyNetwork, nodeName } from './faulty-proxy.ts'

export const SHARDS = 10

export type CourseOptions = {
  readonly shardmasters: number
  /** Replicas of groups 1, 2, … */
  readonly groups: readonly number[]
  readonly seed: number
}

export type CourseNode = {
  readonly name: string
  readonly gid: number
  readonly replica: number
  /** Of its proxy: what configurations and clients use. */
  readonly url: string
  /** Its own, past the network. */
  readonly directUrl: string
}

type Member = CourseNode & { readonly args: string[]; child: ChildProcess | null; output: string }

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
const PEER_TOKEN = 'peer-token-0123456789abcdef0123456789abcdef'

/** What is said of a machine in `/v1/status`: nothing on its way, and the configuration adopted. */
function isSettled(machine: unknown, num: number): boolean {
  const { config = -1, phases = {} } = (machine ?? {}) as {
    config?: number | null
    phases?: Record<string, number>
  }
  const { awaited = 0, leaving = 0, releasing = 0 } = phases
  return (config ?? -1) >= num && awaited + leaving + releasing === 0
}

export class CourseCluster {
  readonly network: FaultyNetwork
  private readonly folder = mkdtempSync(join(tmpdir(), 'shardglass-course-'))
  private readonly members: Member[] = []
  private readonly connections = new Connections({ perNode: 2 })
  private readonly clients: { close(): Promise<void> }[] = []

  private constructor(seed: number) {
    this.network = new FaultyNetwork(seed)
  }

  /** Starts all nodes and waits until each is ready. */
  static async start(options: CourseOptions): Promise<CourseCluster> {
    const cluster = new CourseCluster(options.seed)
    try {
      await cluster.plan(options)
      for (const member of cluster.members) cluster.spawn(member)
      await cluster.ready()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** Nodes of a group; 0: the shardmasters. */
  group(gid: number): readonly CourseNode[] {
    return this.members.filter(member => member.gid === gid)
  }

  urls(gid: number): readonly string[] {
    return this.group(gid).map(({ url }) => url)
  }

  names(gid: number): readonly string[] {
    return this.group(gid).map(({ name }) => name)
  }

  get allNames(): readonly string[] {
    return this.members.map(({ name }) => name)
  }

  /** By configuration, or through certain nodes alone, which pass requests on. */
  clerk(options: { endpoints?: readonly string[]; timeoutMs?: number } = {}): Clerk {
    const { endpoints, timeoutMs = 20_000 } = options
    const way = endpoints === undefined ? { shardmasters: this.urls(0) } : { endpoints }
    const clerk = new Clerk({ ...way, token: TOKEN, timeoutMs })
    this.clients.push(clerk)
    return clerk
  }

  /** Of all shardmasters, or of certain ones alone. */
  shardmaster(urls: readonly string[] = this.urls(0), timeoutMs = 20_000): ShardmasterClient {
    const client = new ShardmasterClient({ shardmasters: urls, token: TOKEN, timeoutMs })
    this.clients.push(client)
    return client
  }

  /** The group joins, under its proxies' URLs. */
  async join(gid: number): Promise<ConfigView> {
    return this.shardmaster().join(gid, this.urls(gid))
  }

  /** Waits until a configuration's moves are over in the groups named, whoever else is there. */
  async settled(num: number, gids: readonly number[], timeoutMs?: number): Promise<void> {
    await until(
      `configuration ${num} settled`,
      async () => {
        for (const gid of gids) {
          const { name } = await this.leader(gid)
          if (!isSettled((await this.status(name))?.machine, num)) return false
        }
        return true
      },
      timeoutMs,
    )
  }

  /** Past the network; null when it does not answer. */
  async status(name: string): Promise<Readonly<Record<string, unknown>> | null> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const request = { method: 'GET', path: '/v1/status', headers } as const
    const { directUrl } = this.member(name)
    const answer = await this.connections.exchange(directUrl, request, { timeoutMs: 1_000 })
    if (answer.type === 'failed' || answer.status !== 200) return null
    return JSON.parse(answer.body.toString()) as Record<string, unknown>
  }

  /** The replica that leads a group, among those named. */
  async leader(gid: number, among: readonly string[] = this.names(gid)): Promise<CourseNode> {
    let found: CourseNode | null = null
    await until(`a leader of group ${gid}`, async () => {
      for (const name of among) {
        if ((await this.status(name))?.role === 'leader') found = this.member(name)
      }
      return found !== null
    })
    if (found === null) throw new Error('no leader')
    return found
  }

  /** kill -9; resolves when the process is gone. */
  async kill(name: string): Promise<void> {
    const { child } = this.member(name)
    if (child === null) return
    await new Promise<void>(done => {
      child.once('close', () => done())
      child.kill('SIGKILL')
    })
  }

  /** Starts a node that was killed, on its data, and does not wait. */
  restart(name: string): void {
    this.spawn(this.member(name))
  }

  /** Waits until all, or those named, are ready; or only answer at all (`/healthz`). */
  async ready(
    names: readonly string[] = this.allNames,
    path: '/readyz' | '/healthz' = '/readyz',
  ): Promise<void> {
    await until(`${names.join(', ')}: ${path}`, async () => {
      for (const name of names) {
        const { child, directUrl, output } = this.member(name)
        if (child === null) throw new Error(`${name} ended:\n${output}`)
        const request = { method: 'GET', path, headers: {} } as const
        const answer = await this.connections.exchange(directUrl, request, { timeoutMs: 1_000 })
        if (answer.type === 'failed' || answer.status !== 200) return false
      }
      return true
    })
  }

  /** The nodes' own words of what must never happen; empty if nothing did. */
  get errors(): readonly string[] {
    return this.members.flatMap(({ output }) => output.match(/^\S+ \S+ error .*$/gm) ?? [])
  }

  /** Ends all processes and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.clients.map(client => client.close()))
    await Promise.all(this.members.map(({ name }) => this.kill(name)))
    await this.connections.close()
    await this.network.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private member(name: string): Member {
    const member = this.members.find(candidate => candidate.name === name)
    if (member === undefined) throw new Error(`no node ${name}`)
    return member
  }

  private async plan({ shardmasters, groups }: CourseOptions): Promise<void> {
    const sizes = [shardmasters, ...groups]
    const ports = await freePorts(sizes.reduce((sum, size) => sum + size, 0))
    const secrets = this.secretFlags()
    for (const [gid, size] of sizes.entries()) {
      for (let replica = 0; replica < size; replica++) {
        const name = nodeName(gid, replica)
        const port = ports.pop() ?? 0
        const url = await this.network.open({ name, port })
        const listen = `127.0.0.1:${port}`
        const directUrl = `http://${listen}`
        const place = ['--name', name, '--replica', String(replica), '--listen', listen]
        const args = [...place, '--advertise', url, '--peer-transport', 'post', ...secrets]
        args.push('--data', join(this.folder, name))
        this.members.push({ name, gid, replica, url, directUrl, args, child: null, output: '' })
      }
    }
    for (const member of this.members) member.args.push(...this.groupFlags(member.gid))
  }

  /** Proxies are named here, the node's own included, so that nothing goes past the network. */
  private groupFlags(gid: number): readonly string[] {
    const peers = this.urls(gid).map((url, replica) => `${replica}=${url}`)
    const own =
      gid === 0
        ? ['--shards', String(SHARDS), '--partitioner', 'first-byte']
        : ['--gid', String(gid), '--shardmasters', this.urls(0).join(',')]
    return ['--peers', peers.join(','), ...own]
  }

  private secretFlags(): readonly string[] {
    const tokens = join(this.folder, 'tokens.json')
    const peerToken = join(this.folder, 'peer.token')
    const hash = createHash('sha256').update(TOKEN).digest('hex')
    const records = [{ name: 'course', role: 'admin', hash }]
    writeFileSync(tokens, JSON.stringify(records), { mode: 0o600 })
    writeFileSync(peerToken, PEER_TOKEN, { mode: 0o600 })
    return ['--cluster', 'course', '--tokens-file', tokens, '--peer-token-file', peerToken]
  }

  private spawn(member: Member): void {
    if (member.child !== null) throw new Error(`${member.name} runs already`)
    const script = member.gid === 0 ? 'start-shardmaster.js' : 'start-shardkv.js'
    const child = spawn(process.execPath, [join(ROOT, 'dist/ops', script), ...member.args], {
      // Ends by itself when this process is gone, however that happened.
      env: { ...process.env, SHARDGLASS_SUPERVISOR: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    member.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        member.output += chunk.toString()
      })
    }
    child.on('close', () => {
      member.child = null
    })
  }
}
