// The HTTP side of a shardkv node over a map: its app, and a server where one is needed.

import { connect, type Socket } from 'node:net'
import { type AppOptions, createShardkvApp, type HttpApp } from '../../server/http/app.ts'
import { createAuth, hashToken } from '../../server/http/auth.ts'
import { Deadlines } from '../../server/http/deadlines.ts'
import { createGateway } from '../../server/http/gateways.ts'
import type { KvRoutesOptions } from '../../server/http/kv-answer.ts'
import { Lanes } from '../../server/http/lanes.ts'
import { type HttpServer, startHttpServer } from '../../server/http/server.ts'
import { shardOf } from '../../server/shardmaster/config.ts'
import { KvBackend, Peers } from './kv-backend.ts'

export const TOKENS = {
  reader: 'reader-token-0123456789',
  writer: 'writer-token-0123456789',
  admin: 'admin-token-0123456789',
  prefixed: 'prefixed-token-0123456789',
  peer: 'peer-token-0123456789',
} as const

export const AUTH_OPTIONS = {
  tokens: [
    { name: 'r', role: 'reader', hash: hashToken(TOKENS.reader) },
    { name: 'w', role: 'writer', hash: hashToken(TOKENS.writer) },
    { name: 'boss', role: 'admin', hash: hashToken(TOKENS.admin) },
    { name: 'p', role: 'writer', hash: hashToken(TOKENS.prefixed), prefix: 'tenant/' },
  ],
  peerHash: hashToken(TOKENS.peer),
} as const

export const SERVERS = ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3']

export class KvNode {
  readonly backend = new KvBackend()
  readonly peers = new Peers()
  readonly faults: unknown[] = []
  readonly app: HttpApp
  readonly lanes = new Lanes()
  private readonly deadlines = new Deadlines()

  constructor(more: Partial<AppOptions> & Pick<KvRoutesOptions, 'trace'> = {}) {
    const onFault = (error: unknown) => this.faults.push(error)
    const { backend, peers, deadlines, lanes } = this
    const gateway = createGateway({
      backend,
      peers,
      self: { gid: 1, replica: 0 },
      replicas: [0, 1, 2],
      deadlines,
      onFault,
    })
    this.app = createShardkvApp({
      gateway,
      lanes,
      describe: key => ({
        config: 3,
        shard: shardOf(key, 'hash', 16),
        group: 1,
        servers: SERVERS,
      }),
      status: () => backend.status(),
      version: '0.1.0',
      auth: createAuth(AUTH_OPTIONS),
      onFault,
      ...more,
    })
  }

  /** Calls the app without a server. */
  request(method: string, path: string, init: RequestOptions = {}): Promise<Response> {
    const { token = TOKENS.admin, headers = {}, body } = init
    const authorization: Record<string, string> =
      token === null ? {} : { authorization: `Bearer ${token}` }
    const request = { method, headers: { ...authorization, ...headers } }
    const full = body === undefined ? request : { ...request, body }
    return Promise.resolve(this.app.hono.request(path, full))
  }
}

export type RequestOptions = {
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

type ServerOptions = Partial<Parameters<typeof startHttpServer>[0]>

/** Runs `work` on a server at a free port, and closes it whatever happens. */
export async function withServer(
  app: HttpApp,
  work: (server: HttpServer) => Promise<void>,
  more: ServerOptions = {},
): Promise<void> {
  const onUpgrade = (_: unknown, socket: { destroy(): void }) => socket.destroy()
  const onPeerPost = () => Promise.resolve({ status: 204, body: '' })
  const place = { host: '127.0.0.1', port: 0 }
  const server = await startHttpServer({ app, ...place, onUpgrade, onPeerPost, ...more })
  try {
    await work(server)
  } finally {
    await server.close({ graceMs: 200 })
  }
}

/** Sends bytes as they are and collects what comes back until the server closes, or `isEnough`. */
export function rawExchange(
  port: number,
  bytes: string | Uint8Array,
  isEnough: (received: string) => boolean = () => false,
): Promise<string> {
  return new Promise(resolve => {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let received = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      received += chunk
      if (isEnough(received)) socket.destroy()
    })
    socket.on('error', () => {}) // a reset after an answer: `close` follows
    socket.on('close', () => resolve(received))
  })
}
