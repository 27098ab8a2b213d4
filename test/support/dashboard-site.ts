// A real cluster with its archive and its dashboard, each a process of its own, for browsers.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connections } from '../../server/client/connections.ts'
import { freePorts, TestCluster, TOKEN, until } from './cluster.ts'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')

export class DashboardSite {
  readonly cluster: TestCluster
  readonly url: string
  readonly archiveUrl: string
  output = ''
  private readonly folder: string
  private readonly children = new Map<string, ChildProcess>()
  private readonly connections = new Connections({ perNode: 2 })

  /** Groups 1 and 2 have joined, group 3 runs as a spare. */
  static async start(): Promise<DashboardSite> {
    const [archive = 0, dashboard = 0] = await freePorts(2, 12_000)
    const cluster = await TestCluster.start({
      groups: [3, 3, 3],
      joining: [1, 2],
      // Spans wait in the nodes until it is up.
      flags: ['--archive', `http://127.0.0.1:${archive}`],
    })
    const site = new DashboardSite(cluster, archive, dashboard)
    try {
      site.run('archive', site.archiveArgs(archive))
      site.run('dashboard', site.dashboardArgs(dashboard))
      const isUp = async (url: string) => (await site.ask(url, 'GET', '/healthz')) === 200
      await until(
        'archive and dashboard up',
        async () => (await isUp(site.archiveUrl)) && isUp(site.url),
      )
      await until(
        'both groups joined',
        async () => (await cluster.shardmasters().query()).num === 2,
      )
      return site
    } catch (error) {
      await site.stop()
      throw error
    }
  }

  private constructor(cluster: TestCluster, archive: number, dashboard: number) {
    this.cluster = cluster
    this.folder = cluster.folder
    this.archiveUrl = `http://127.0.0.1:${archive}`
    this.url = `http://127.0.0.1:${dashboard}`
  }

  /** The link that logs in once. */
  get loginLink(): string {
    return readFileSync(join(this.folder, 'dashboard', 'login.link'), 'utf8').trim()
  }

  get token(): string {
    return TOKEN
  }

  /** Of the process of that name. */
  pidOf(name: 'archive' | 'dashboard'): number {
    return this.children.get(name)?.pid ?? 0
  }

  /** The cookie of a new session. */
  async login(): Promise<string> {
    const body = new URLSearchParams({ token: this.token })
    const headers = { origin: this.url }
    const init = { method: 'POST', body, headers, redirect: 'manual' } as const
    const response = await fetch(`${this.url}/login`, init)
    return response.headers.get('set-cookie')?.split(';')[0] ?? ''
  }

  async endArchive(): Promise<void> {
    const child = this.children.get('archive')
    this.children.delete('archive')
    await ended(child)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.children.values()].map(ended))
    await this.connections.close()
    await this.cluster.stop()
  }

  private run(name: string, args: readonly string[]): void {
    const child = spawn(process.execPath, [...args], {
      env: { ...process.env, SHARDGLASS_SUPERVISOR: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
    this.children.set(name, child)
  }

  private archiveArgs(port: number): readonly string[] {
    return [
      join(ROOT, 'dist/ops/start-archive.js'),
      ...['--listen', `127.0.0.1:${port}`, '--data', join(this.folder, 'archive')],
      ...['--tokens-file', join(this.folder, 'tokens.json')],
      ...['--peer-token-file', join(this.folder, 'peer.token')],
    ]
  }

  private dashboardArgs(port: number): readonly string[] {
    const nodes = this.cluster.nodes.map(({ name, url }) => `${name}=${url}`)
    return [
      join(ROOT, 'dist/dashboard/start.js'),
      ...['--listen', `127.0.0.1:${port}`, '--data', join(this.folder, 'dashboard')],
      ...['--shardmasters', this.cluster.shardmasterUrls.join(','), '--nodes', nodes.join(',')],
      ...['--archive', this.archiveUrl, '--tokens-file', join(this.folder, 'tokens.json')],
      ...['--link-token-file', this.tokenFile()],
    ]
  }

  private tokenFile(): string {
    const path = join(this.folder, 'admin.token')
    writeFileSync(path, TOKEN, { mode: 0o600 })
    return path
  }

  private async ask(url: string, method: 'GET', path: string): Promise<number | null> {
    const answer = await this.connections.exchange(
      url,
      { method, path, headers: {} },
      { timeoutMs: 1_000 },
    )
    return answer.type === 'answer' ? answer.status : null
  }
}

function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve()
  return new Promise(done => {
    child.once('close', () => done())
    child.kill('SIGKILL')
  })
}
