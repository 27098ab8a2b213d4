// A replica's transport on a bare HTTP server, for tests: keeps what arrived, answers if told to.

import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Address, Message, Sender } from '../../server/contract.ts'
import { shardkvCalls } from '../../server/host/call-schema.ts'
import { createTransport, type Transport, type TransportMode } from '../../server/host/transport.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'

export type PeerNode = {
  readonly transport: Transport<ShardkvRequest, ShardkvReply>
  readonly self: Sender
  readonly port: number
  readonly url: string
  readonly received: { readonly from: Sender; readonly message: Message }[]
  readonly requests: ShardkvRequest[]
  /** `gid/replica` → base URL. */
  readonly urls: Map<string, string>
  /** What to do with a message that came, besides keeping it. */
  onMessage: (from: Sender, message: Message) => void
  onCall: (request: ShardkvRequest, done: (reply: ShardkvReply) => void) => void
  /** Connections end at once; messages to it are lost. */
  kill(): Promise<void>
  close(): Promise<void>
}

export type PeerNodeOptions = {
  readonly gid?: number
  readonly replica: number
  readonly mode?: TransportMode
  readonly token?: string
  readonly cluster?: string
  readonly incarnation?: string
  readonly port?: number
  readonly onRoundTrip?: (peer: Address, micros: number) => void
  readonly start?: string
  readonly onTwin?: (peer: Sender | null) => void
}

export async function startPeer(options: PeerNodeOptions): Promise<PeerNode> {
  const { gid = 1, replica, mode = 'channel', incarnation = 'aa', ...more } = options
  const { token, cluster, port: wantedPort, ...rest } = more
  const urls = new Map<string, string>()
  const received: PeerNode['received'] = []
  const requests: ShardkvRequest[] = []
  const self = { gid, replica, incarnation }
  const transport = createTransport({
    self,
    cluster: cluster ?? 'test',
    peerToken: token ?? 'secret',
    mode,
    calls: shardkvCalls,
    resolve: address => urls.get(`${address.gid}/${address.replica}`) ?? null,
    onMessage(from, message) {
      received.push({ from, message })
      node.onMessage(from, message)
    },
    onCall(request, done) {
      requests.push(request)
      node.onCall(request, done)
    },
    ...rest,
  })
  const server = createServer()
  const sockets = keepSockets(server)
  route(server, transport)
  const port = await listen(server, wantedPort ?? 0)
  const shut = () => shutDown(server, sockets)
  const node: PeerNode = {
    transport,
    self,
    port,
    url: `http://127.0.0.1:${port}`,
    received,
    requests,
    urls,
    onMessage: () => {},
    onCall: () => {},
    async kill() {
      await shut()
      transport.close()
    },
    async close() {
      transport.close()
      await shut()
    },
  }
  return node
}

async function shutDown(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => server.close(resolve))
}

/** Tells each of the nodes where the others are. */
export function introduce(...nodes: readonly PeerNode[]): void {
  for (const node of nodes) {
    for (const { self, url } of nodes) node.urls.set(`${self.gid}/${self.replica}`, url)
  }
}

export function keepSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  return sockets
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Waits until it holds; 5 s at most. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

function route(server: Server, transport: Transport<ShardkvRequest, ShardkvReply>): void {
  server.on('upgrade', (request, socket, head) => transport.handleUpgrade(request, socket, head))
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      const type = (request.url ?? '').replace('/peer/', '')
      const answer = await transport.handlePost(type, request.headers, Buffer.concat(chunks))
      response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
}
