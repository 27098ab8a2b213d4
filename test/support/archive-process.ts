// A real archive in a folder of its own: started, killed, started again, and spoken to over HTTP.

import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArchiveClient } from '../../ops/archive/client.ts'
import { type Answer, Connections } from '../../server/client/connections.ts'
import { hashToken } from '../../server/http/auth.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/ops/start-archive.js', import.meta.url))
const START_MS_MAX = 20_000
export const READER = 'reader-reader-reader-reader'
export const PEER = 'peer-peer-peer-peer-peer'

export type Posted = { readonly type: 'json' | 'protobuf'; readonly isGzip?: boolean }

export class ArchiveProcess {
  readonly connections = new Connections({ perNode: 8 })
  client: ArchiveClient
  output = ''
  private readonly folder: string
  private readonly flags: readonly string[]
  private readonly runner: readonly string[]
  private child: ChildProcess | null = null
  url = ''

  /** `runner`: words before the program, such as `taskset -c 0`. `data`: elsewhere than in the folder. */
  constructor(
    folder: string,
    options: { flags?: readonly string[]; runner?: readonly string[]; data?: string } = {},
  ) {
    this.folder = folder
    this.runner = options.runner ?? []
    const secrets = { mode: 0o600 }
    const records = [{ name: 'reader', role: 'reader', hash: hashToken(READER) }]
    writeFileSync(join(folder, 'tokens.json'), JSON.stringify(records), secrets)
    writeFileSync(join(folder, 'peer.token'), PEER, secrets)
    const files = ['--tokens-file', this.file('tokens.json'), '--peer-token-file']
    this.flags = [
      ...['--data', options.data ?? this.file('data'), '--listen', '127.0.0.1:0'],
      ...[...files, this.file('peer.token'), ...(options.flags ?? [])],
    ]
    this.client = new ArchiveClient({ url: 'http://127.0.0.1:1', token: READER })
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  /** Resolves when it serves; rejects with what it said when it does not. */
  async start(): Promise<void> {
    const [command = process.execPath, ...words] = [...this.runner, process.execPath]
    const child = spawn(command, [...words, PROGRAM, ...this.flags], {
      // It ends when this process is gone, however that ended.
      env: { ...process.env, SHARDGLASS_STARTER: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    const port = await new Promise<string>((resolve, reject) => {
      const fail = (): void => reject(new Error(`the archive does not start: ${this.output}`))
      const timer = setTimeout(fail, START_MS_MAX)
      let said = ''
      const listen = (chunk: Buffer): void => {
        said += chunk.toString()
        this.output += chunk.toString()
        const found = /serving port=(\d+)/.exec(said)?.[1]
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      }
      child.stdout.on('data', listen)
      child.stderr.on('data', listen)
      child.once('exit', fail)
    })
    this.url = `http://127.0.0.1:${port}`
    await this.client.close()
    this.client = new ArchiveClient({ url: this.url, token: READER, timeoutMs: 20_000 })
  }

  /** Ends it, and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }

  async close(): Promise<void> {
    await this.end('SIGKILL')
    await this.client.close()
    await this.connections.close()
  }

  post(body: Buffer, { type, isGzip = false }: Posted): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${PEER}`,
      'content-type': type === 'json' ? 'application/json' : 'application/x-protobuf',
      ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
    }
    const request = { method: 'POST', path: '/v1/traces', headers, body } as const
    return this.connections.exchange(this.url, request, { timeoutMs: 20_000 })
  }

  private file(name: string): string {
    return join(this.folder, name)
  }
}
