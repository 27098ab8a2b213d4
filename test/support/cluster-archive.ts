// A real archive as a process of its own, for a test cluster: its port is known before the nodes start,
// and it is started once their secrets are there.

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArchiveClient } from '../../ops/archive/client.ts'
import { TOKEN } from './cluster.ts'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')

export class ClusterArchive {
  readonly url: string
  readonly client: ArchiveClient
  private readonly port: number
  private child: ChildProcess | null = null

  private constructor(port: number) {
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.client = new ArchiveClient({ url: this.url, token: TOKEN })
  }

  /** Nothing runs yet. */
  static async plan(): Promise<ClusterArchive> {
    return new ClusterArchive(await freePort())
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  /** `folder`: of the cluster, whose secrets are in it. */
  start(folder: string): void {
    const args = [
      ...['--listen', `127.0.0.1:${this.port}`, '--data', join(folder, 'archive')],
      ...['--tokens-file', join(folder, 'tokens.json')],
      ...['--peer-token-file', join(folder, 'peer.token')],
    ]
    this.child = spawn(process.execPath, [join(ROOT, 'dist/ops/start-archive.js'), ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    process.once('exit', () => this.child?.kill('SIGKILL'))
  }

  /** Gone at once; it can be started again. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.client.close()
    await this.end('SIGTERM')
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    this.child = null
    if (child === null) return
    const ended = new Promise(done => child.once('exit', done))
    child.kill(signal)
    await ended
  }
}

function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => done(port))
    })
  })
}
