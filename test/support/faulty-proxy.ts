// A network between real processes that loses requests and replies, cuts pairs and makes nodes deaf.
// Each node is known to all others, and to clients, by the URL of a proxy of its own in here; who
// asks is told by the headers with which peers say so. What is lost is lost as in the course: the
// connection ends without an answer, before the request arrived or after it was carried out.

import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Random } from './random.ts'

/** The course's unreliable server: 10 % of requests are lost, and 18 % of all replies. */
export const COURSE_LOSS: Loss = { request: 0.1, reply: 0.2 }
const NO_LOSS: Loss = { request: 0, reply: 0 }

/** Probabilities; `reply` is of those requests that arrive. */
export type Loss = { readonly request: number; readonly reply: number }

/** Clients all have this name. */
export const CLIENT = 'client'

type Target = { readonly name: string; readonly port: number }

export class FaultyNetwork {
  /** Requests carried, and requests and replies lost, for tests that must have had faults. */
  readonly counts = { carried: 0, lostRequests: 0, lostReplies: 0, blocked: 0 }
  private readonly random: Random
  private readonly agent = new HttpAgent({ keepAlive: true, maxFreeSockets: 64 })
  private readonly servers: Server[] = []
  private readonly sockets = new Set<Socket>()
  /** Connections whose request gets no answer until the network heals. */
  private readonly hung = new Set<Socket>()
  private loss = NO_LOSS
  private isBlocked: (from: string, to: string) => boolean = () => false
  private blockedHow: 'refused' | 'hung' = 'refused'

  constructor(seed: number) {
    this.random = new Random(seed, 'network')
  }

  /** Opens the proxy of a node. Returns the base URL that others are to use. */
  async open(target: Target): Promise<string> {
    const server = createServer({ keepAliveTimeout: 120_000 }, (incoming, outgoing) =>
      this.carry(target, incoming, outgoing),
    )
    server.on('connection', socket => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
    this.servers.push(server)
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    return `http://127.0.0.1:${port}`
  }

  /** All traffic, that of clients too. */
  lose(loss: Loss): void {
    this.loss = loss
  }

  /** Only nodes of one part reach each other; nodes in no part, and clients, reach everyone. */
  partition(...parts: readonly (readonly string[])[]): void {
    const partOf = new Map(parts.flatMap((part, index) => part.map(name => [name, index])))
    this.block((from, to) => {
      const [left, right] = [partOf.get(from), partOf.get(to)]
      return left !== undefined && right !== undefined && left !== right
    })
  }

  /** Nobody's requests arrive, `clients` included or not; its own do, and their replies. */
  deafen(names: readonly string[], options: { clients: boolean; how?: 'refused' | 'hung' }): void {
    this.block((from, to) => names.includes(to) && (options.clients || from !== CLIENT))
    this.blockedHow = options.how ?? 'refused'
  }

  /** Nothing gets to these nodes, and nothing from them anywhere. */
  isolate(names: readonly string[]): void {
    this.block((from, to) => names.includes(to) || names.includes(from))
  }

  /** All arrives again, and nothing is lost. */
  heal(): void {
    this.loss = NO_LOSS
    this.block(() => false)
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.agent.destroy()
    await Promise.all(this.servers.map(server => new Promise(done => server.close(done))))
  }

  private block(isBlocked: (from: string, to: string) => boolean): void {
    this.isBlocked = isBlocked
    this.blockedHow = 'refused'
    for (const socket of this.hung) socket.destroy()
    this.hung.clear()
  }

  private carry(target: Target, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const from = senderOf(incoming.headers)
    const { socket } = incoming
    if (this.isBlocked(from, target.name)) {
      this.counts.blocked += 1
      if (this.blockedHow === 'hung') this.hung.add(socket)
      else socket.destroy()
      return
    }
    if (this.random.chance(this.loss.request)) {
      this.counts.lostRequests += 1
      socket.destroy()
      return
    }
    const { method, url: path, headers } = incoming
    const { port } = target
    const options = { agent: this.agent, host: '127.0.0.1', port, method, path, headers }
    const forwarded = httpRequest(options, answer => {
      this.answer({ from, to: target.name }, answer, outgoing)
    })
    forwarded.on('error', () => socket.destroy())
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) forwarded.destroy()
    })
    incoming.pipe(forwarded)
  }

  /** A reply that comes when its way is cut is lost too. */
  private answer(
    link: { readonly from: string; readonly to: string },
    answer: IncomingMessage,
    outgoing: ServerResponse,
  ): void {
    const isCut = this.isBlocked(link.from, link.to)
    if (isCut || this.random.chance(this.loss.reply)) {
      this.counts.lostReplies += 1
      answer.resume()
      answer.on('end', () => outgoing.destroy())
      answer.on('error', () => outgoing.destroy())
      return
    }
    this.counts.carried += 1
    answer.on('error', () => outgoing.destroy())
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.pipe(outgoing)
  }
}

/** `sm0`, `kv1-0` … of a peer, else CLIENT. */
function senderOf(headers: IncomingHttpHeaders): string {
  const gid = headers['shardglass-gid']
  const replica = headers['shardglass-replica']
  if (gid === undefined || replica === undefined) return CLIENT
  return nodeName(Number(gid), Number(replica))
}

/** gid 0: the shardmasters. */
export function nodeName(gid: number, replica: number): string {
  return gid === 0 ? `sm${replica}` : `kv${gid}-${replica}`
}
