// The HTTP server of a node: Node's own, with every bound set, the peers' door, and the app behind.
// What Node's parser refuses gets problem+json too, as long as no other answer is due before it.

import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import {
  BODY_TIMEOUT_MS,
  CONNECTIONS_CHECK_MS,
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MAX,
  HEADERS_TIMEOUT_MS,
} from '../limits.ts'
import type { HttpApp } from './app.ts'
import { KEEP_ALIVE_MS, PIPELINED_MAX } from './bounds.ts'
import { type ExchangeShared, type NodeObjects, newShared } from './exchange.ts'
import { NodeExchange } from './node-exchange.ts'
import {
  isChannelRequest,
  PEER_PREFIX,
  type PeerDoor,
  type PeerHandlers,
  servePeerPost,
  servePeerUpgrade,
} from './peer-door.ts'
import { type Problem, parserProblem, problem, problemAnswer, problemBytes } from './problem.ts'
import type { Traffic } from './traffic.ts'

export type HttpServerOptions = PeerHandlers & {
  readonly app: HttpApp
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Other bounds than those of limits.ts, for tests. */
  readonly bounds?: Partial<ServerBounds>
}

export type ServerBounds = {
  readonly headersTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly checkMs: number
  readonly connectionsMax: number
}

export type HttpServer = {
  readonly port: number
  /**
   * Stops accepting, ends event streams, lets requests under way finish, and cuts what is left
   * when the grace is over.
   */
  close(options: { readonly graceMs: number }): Promise<void>
}

/** Resolves once it listens; rejects when it cannot (the port is taken). */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { app, host, port } = options
  const { traffic } = app
  const shared = newShared({ traffic })
  const door: PeerDoor = { handlers: options, auth: app.auth, shared, onFault: app.onFault }
  const server = createServer(nodeOptions(options.bounds ?? {}))
  server.maxConnections = options.bounds?.connectionsMax ?? CONNECTIONS_MAX
  // One more than allowed: Node drops the rest silently, and we refuse what has this many.
  server.maxHeadersCount = HEADERS_MAX + 1
  const connections = new Connections(traffic)
  const serve = handlerOf(app, door, connections)
  server.on('request', serve)
  // The body is asked for when it is read: after the token and its length were looked at.
  server.on('checkContinue', serve)
  server.on('checkExpectation', (incoming, outgoing) => {
    const refusal = problem('expectation-failed', 'only 100-continue can be expected')
    refuse({ incoming, outgoing }, shared, refusal)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    connections.refuse(socket, parserProblem(error.code))
  })
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', ignored)
    if (!isChannelRequest(request)) return serveInPlace(request, socket, serve)
    upgraded.add(socket)
    socket.on('close', () => upgraded.delete(socket))
    servePeerUpgrade(door, request, socket, head)
  })
  await listening(server, host, port)
  const close = (grace: { graceMs: number }) => {
    shared.isClosing = true
    return closed(server, app, upgraded, grace.graceMs)
  }
  return { port: portOf(server), close }
}

/** Answers a request that does not come to the app. */
function refuse(objects: NodeObjects, shared: ExchangeShared, refusal: Problem): void {
  const exchange = new NodeExchange(objects, shared)
  exchange.begin('other')
  exchange.answer(problemAnswer(refusal, true))
}

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void

/** What becomes of a request that Node's parser took. */
function handlerOf(app: HttpApp, door: PeerDoor, connections: Connections): Handler {
  const { shared } = door
  const serveApp = getRequestListener(app.hono.fetch, {
    // Its own Response would be sent again after a HEAD that the app has answered already.
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    errorHandler: error => refusedByAdapter(error, app.onFault),
  })
  const serveOne: Handler = (incoming, outgoing) => {
    if (shared.isClosing) outgoing.shouldKeepAlive = false
    const refusal = headersProblem(incoming)
    if (refusal !== null) {
      refuse({ incoming, outgoing }, shared, refusal)
    } else if (incoming.url?.startsWith(PEER_PREFIX)) servePeerPost(door, incoming, outgoing)
    else if (!app.serveHot({ incoming, outgoing })) {
      serveApp(incoming, outgoing).catch(app.onFault)
    }
  }
  return (incoming, outgoing) => {
    connections.inTurn(incoming, outgoing, () => serveOne(incoming, outgoing))
  }
}

function nodeOptions(bounds: Partial<ServerBounds>) {
  return {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: bounds.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    requestTimeout: bounds.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    connectionsCheckingInterval: bounds.checkMs ?? CONNECTIONS_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    insecureHTTPParser: false,
    // Checked by the app, which answers with problem+json.
    requireHostHeader: false,
  }
}

/** RFC 9110 §7.2: a name or an address, with a port or none. */
const HOST = /^(?:[\w.~%!$&'()*+,;=-]*|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i

function headersProblem(incoming: IncomingMessage): Problem | null {
  const { host } = incoming.headers
  if (host === undefined) return problem('bad-request', 'the Host header is missing')
  if (!HOST.test(host)) return problem('bad-request', 'the Host header is not valid')
  if (incoming.rawHeaders.length > 2 * HEADERS_MAX) {
    return problem('headers-too-large', `more than ${HEADERS_MAX} headers`)
  }
  return null
}

/** What the adapter between Node and the app refuses: a target or Host that is no URL. */
function refusedByAdapter(error: unknown, onFault: (error: unknown) => void): Response {
  const isRefusal = error instanceof RequestError
  if (!isRefusal) onFault(error)
  const found = isRefusal
    ? problem('bad-request', 'the request target or the Host header is not valid')
    : problem('internal', 'an unexpected error', { outcome: 'unknown' })
  const { status, headers, body } = problemAnswer(found, true)
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < headers.length; index += 2) {
    pairs.push([headers[index] ?? '', headers[index + 1] ?? ''])
  }
  return new Response(body, { status, headers: pairs })
}

/** Upgrades to anything but our channel are ignored: the request is answered as it stands. */
function serveInPlace(request: IncomingMessage, socket: Duplex, serve: Handler): void {
  const { headers } = request
  const length = headers['content-length']
  const hasBody = headers['transfer-encoding'] !== undefined || Number(length ?? 0) > 0
  if (hasBody || request.socket !== socket) {
    // Node does not parse the body of such a request.
    socket.end(problemBytes(problem('bad-request', 'upgrade with a body is not supported')))
    return
  }
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(request.socket)
  response.on('finish', () => socket.end())
  serve(request, response)
}

/**
 * What is due on each connection: requests sent without waiting (pipelined) run one by one, and a
 * parser's error is never taken for the answer of an earlier one.
 */
class Connections {
  private readonly latest = new WeakMap<Duplex, Latest>()
  private readonly traffic: Traffic

  constructor(traffic: Traffic) {
    this.traffic = traffic
  }

  /** Runs `work` when the request before it on the same connection is answered. */
  inTurn(incoming: IncomingMessage, outgoing: ServerResponse, work: () => void): void {
    const { socket } = incoming
    const before = this.latest.get(socket)
    if (before === undefined) {
      this.latest.set(socket, { incoming, outgoing, waiting: 0 })
      return work()
    }
    const last = before.outgoing
    before.incoming = incoming
    before.outgoing = outgoing
    if (last.writableEnded) return work()
    before.waiting += 1
    if (before.waiting > PIPELINED_MAX) {
      socket.destroy()
      return
    }
    last.on('close', () => {
      before.waiting -= 1
      if (!socket.destroyed) work()
    })
  }

  refuse(socket: Duplex, found: Problem): void {
    const latest = this.latest.get(socket)
    if (!socket.writable || (latest !== undefined && mustBeSilent(latest))) {
      socket.destroy()
      return
    }
    // The request whose body failed gets this instead of its answer; it is counted already.
    if (latest === undefined || latest.incoming.complete) this.traffic.refused(found.code)
    socket.end(problemBytes(found), () => socket.destroy())
  }
}

type Latest = {
  incoming: IncomingMessage
  outgoing: ServerResponse
  /** Requests on the connection whose turn has not come. */
  waiting: number
}

/** An answer is due, or has begun, that the client would mistake the error for. */
function mustBeSilent({ incoming, outgoing, waiting }: Latest): boolean {
  if (outgoing.writableEnded) return !outgoing.writableFinished
  return waiting > 0 || outgoing.headersSent || incoming.complete
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address()
  return address === null || typeof address === 'string' ? 0 : address.port
}

/** Node watches a socket's errors no more once it is upgraded; `close` follows them. */
function ignored(): void {}

const IDLE_CHECK_MS = 25

function closed(
  server: Server,
  app: HttpApp,
  upgraded: ReadonlySet<Duplex>,
  graceMs: number,
): Promise<void> {
  return new Promise(resolve => {
    const cut = (): void => {
      server.closeAllConnections()
      for (const socket of upgraded) socket.destroy()
    }
    const idle = setInterval(() => {
      server.closeIdleConnections()
      // Channels never end by themselves; they stay for as long as requests may need them.
      server.getConnections((_, count) => {
        if (count <= upgraded.size) cut()
      })
    }, IDLE_CHECK_MS)
    const grace = setTimeout(cut, graceMs)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(grace)
      for (const socket of upgraded) socket.destroy()
      resolve()
    })
    app.endStreams()
    server.closeIdleConnections()
  })
}
