// Opens a channel: an HTTP request with `Upgrade: shardglass-peer`, after which the connection
// carries frames. One deadline covers connecting, TLS and the answer; further attempts are begun beside
// the first, since a cut can begin between any two packets, and the first that is answered counts.

import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import type { Address, Sender } from '../contract.ts'
import { PEER_CONNECT_AGAIN_MS, PEER_CONNECT_MS } from '../limits.ts'
import type { PeerFailure } from './peer-counters.ts'
import { checkAnswerer, type PeerIdentity, peerHeaders, TWIN_STATUS } from './peer-identity.ts'

export const CHANNEL_PROTOCOL = 'shardglass-peer'
export const CHANNEL_PATH = '/peer/channel'

/** For `https:` URLs: whom to trust, and this replica's own certificate. */
export type PeerTls = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>

export type Dialled =
  | {
      readonly type: 'open'
      readonly peer: Sender
      /** The id of its process. */
      readonly start: string
      readonly socket: Duplex
      readonly head: Buffer
    }
  | { readonly type: 'failed'; readonly failure: PeerFailure }

export type DialOptions = {
  /** Base URL of the peer. */
  readonly url: string
  /** Who must answer there; null: any replica of the cluster. */
  readonly target: Address | null
  readonly identity: PeerIdentity
  readonly tls: PeerTls | null
}

/** Calls `done` once. Returns what gives the attempt up; `done` is then not called any more. */
export function dial(options: DialOptions, done: (dialled: Dialled) => void): () => void {
  const target = parseUrl(options.url, CHANNEL_PATH)
  if (target === null) {
    const timer = setImmediate(() => done({ type: 'failed', failure: 'refused' }))
    return () => clearImmediate(timer)
  }
  const dialling = new Dialling(options, target, done)
  return () => dialling.end()
}

class Dialling {
  private readonly options: DialOptions
  private readonly target: URL
  private readonly done: (dialled: Dialled) => void
  private readonly attempts = new Set<ClientRequest>()
  private readonly deadline = setTimeout(() => this.fail('timeout'), PEER_CONNECT_MS)
  private readonly again = setInterval(() => this.attempt(), PEER_CONNECT_AGAIN_MS)
  private isOver = false

  constructor(options: DialOptions, target: URL, done: (dialled: Dialled) => void) {
    this.options = options
    this.target = target
    this.done = done
    this.attempt()
  }

  /** Gives up what is under way, and says nothing any more. */
  end(): void {
    this.isOver = true
    clearTimeout(this.deadline)
    clearInterval(this.again)
    for (const request of this.attempts) request.destroy()
    this.attempts.clear()
  }

  private attempt(): void {
    const { options, target, attempts } = this
    const { identity, tls } = options
    const headers = {
      ...peerHeaders(identity, options.target),
      connection: 'Upgrade',
      upgrade: CHANNEL_PROTOCOL,
    }
    const request = requestFor(target)(target, { ...tls, agent: false, headers })
    attempts.add(request)
    request.on('upgrade', (response, socket, head) => {
      attempts.delete(request)
      const answerer = checkAnswerer(identity, response.headers, options.target)
      if (this.isOver || answerer === null) socket.destroy()
      if (answerer === null) return this.fail('stranger')
      const { from: peer, start } = answerer
      this.finish({ type: 'open', peer, start, socket, head })
    })
    request.on('response', ({ statusCode }) => {
      this.fail(statusCode === TWIN_STATUS ? 'twin' : 'status')
    })
    request.on('error', () => this.fail('refused'))
    request.end()
  }

  private fail(failure: PeerFailure): void {
    this.finish({ type: 'failed', failure })
  }

  private finish(dialled: Dialled): void {
    if (this.isOver) return
    this.end()
    this.done(dialled)
  }
}

/** node:http or node:https by the URL's scheme. */
export function requestFor(
  target: URL,
): (url: URL, options: RequestOptions & PeerTls) => ReturnType<typeof httpRequest> {
  return target.protocol === 'https:' ? httpsRequest : httpRequest
}

/** Null when it is no http or https URL. */
export function parseUrl(base: string, path: string): URL | null {
  if (!URL.canParse(base + path)) return null
  const url = new URL(base + path)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : null
}
