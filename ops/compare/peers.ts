// The systems that Shardglass is compared with, each as its makers ship it: etcd, Redis, and a web
// server that does nothing.

import { mkdirSync, mkdtempSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connections } from '../../server/client/connections.ts'
import { freePorts } from '../chaos/cluster.ts'
import { eventually } from '../chaos/command.ts'
import { Program } from './program.ts'
import { removed, type System } from './system.ts'

const READY_MS = 30_000
const ETCD_QUOTA_BYTES = 8 * 2 ** 30

/** `extra`: what differs between the kinds. */
class Peer implements System {
  readonly token = null
  readonly clientUrls: readonly string[]
  private readonly programs: readonly Program[]
  private readonly folder: string
  private readonly leader: () => Promise<string | null>

  constructor(
    programs: readonly Program[],
    urls: readonly string[],
    options: { readonly folder: string; readonly leader: () => Promise<string | null> },
  ) {
    this.programs = programs
    this.clientUrls = urls
    this.folder = options.folder
    this.leader = options.leader
  }

  get pids(): readonly number[] {
    return this.programs.map(({ pid }) => pid)
  }

  async leaderUrl(): Promise<string> {
    let found: string | null = null
    await eventually(async () => {
      found = await this.leader()
      return found !== null
    }, READY_MS)
    if (found !== null) return found
    const said = this.programs.map(({ output }) => output.slice(-500)).join('\n')
    await this.stop()
    throw new Error(`no leader: ${said}`)
  }

  stop(): Promise<void> {
    return removed(this.programs, this.folder)
  }
}

/** Three members with the defaults of the package, but for a quota that a long run does not reach. */
export async function startEtcd(parent: string): Promise<System> {
  const folder = mkdtempSync(join(parent, 'etcd-'))
  const ports = await freePorts(6)
  const names = [0, 1, 2]
  const clientUrl = (id: number): string => `http://127.0.0.1:${ports[id]}`
  const peerUrl = (id: number): string => `http://127.0.0.1:${ports[3 + id]}`
  const cluster = names.map(id => `m${id}=${peerUrl(id)}`).join(',')
  const programs = names.map(id => {
    const urls = ['--listen-client-urls', clientUrl(id), '--advertise-client-urls', clientUrl(id)]
    const peers = ['--listen-peer-urls', peerUrl(id), '--initial-advertise-peer-urls', peerUrl(id)]
    const first = ['--initial-cluster', cluster, '--initial-cluster-state', 'new']
    const own = ['--name', `m${id}`, '--data-dir', join(folder, `m${id}`), '--log-level', 'error']
    const quota = ['--quota-backend-bytes', String(ETCD_QUOTA_BYTES)]
    return new Program('etcd', [...own, ...urls, ...peers, ...first, ...quota])
  })
  const urls = names.map(clientUrl)
  return new Peer(programs, urls, { folder, leader: () => etcdLeader(urls) })
}

async function etcdLeader(urls: readonly string[]): Promise<string | null> {
  const connections = new Connections({ perNode: 1 })
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', path: '/v3/maintenance/status', headers, body: '{}' } as const
  try {
    for (const url of urls) {
      const answer = await connections.exchange(url, request, { timeoutMs: 1_000 })
      if (answer.type !== 'answer' || answer.status !== 200) continue
      const { leader, header } = JSON.parse(answer.body.toString())
      if (leader !== undefined && leader === header?.member_id) return url
    }
    return null
  } finally {
    await connections.close()
  }
}

/** One and two replicas of it, each syncing its file before it answers. */
export async function startRedis(parent: string): Promise<System> {
  const folder = mkdtempSync(join(parent, 'redis-'))
  const ports = await freePorts(3)
  const programs = ports.map((port, id) => {
    const dir = join(folder, `r${id}`)
    mkdirSync(dir)
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir]
    const follows = id === 0 ? [] : ['--replicaof', `127.0.0.1 ${ports[0]}`]
    return new Program('redis-server', [...place, ...durable, ...follows])
  })
  const url = `http://127.0.0.1:${ports[0]}`
  const leader = async (): Promise<string | null> =>
    (await redisSays(ports[0] ?? 0, 'INFO replication')).includes('connected_slaves:2') ? url : null
  return new Peer(programs, [url], { folder, leader })
}

function redisSays(port: number, command: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(`${command}\r\n`))
    const end = (text: string): void => {
      socket.destroy()
      resolve(text)
    }
    socket.once('data', chunk => end(chunk.toString()))
    socket.once('error', () => end(''))
  })
}

/** Hono on Node that reads the body and answers 204: nothing behind it. */
export async function startBareHono(parent: string): Promise<System> {
  const folder = mkdtempSync(join(parent, 'bare-'))
  const here = fileURLToPath(import.meta.url)
  const script = here.replace(/compare\/peers\.(ts|js)$/, 'load/start-bare.$1')
  const program = new Program(process.execPath, [...process.execArgv, script, 'hono'])
  const leader = async (): Promise<string | null> => /http:\S+/.exec(program.output)?.[0] ?? null
  return new Peer([program], [], { folder, leader })
}
