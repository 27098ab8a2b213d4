// Opens a channel: an HTTP request with `Upgrade: shardglass-peer`, after which the connection
// carries frames. One deadline covers connecting, TLS and the answer.

import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import type { Address, Sender } from '../contract.ts'
import { PEER_CONNECT_MS } from '../limits.ts'
import type { PeerFailure } from './peer-counters.ts'
import { checkAnswerer, type PeerIdentity, peerHeaders } from './peer-identity.ts'

export const CHANNEL_PROTOCOL = 'shardglass-peer'
export const CHANNEL_PATH = '/peer/channel'

/** For `https:` URLs: whom to trust, and this replica's own certificate. */
export type PeerTls = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>

export type Dialled =
  | {
      readonly type: 'open'
      readonly peer: Sender
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
  const { identity } = options
  const headers = {
    ...peerHeaders(identity, options.target),
    connection: 'Upgrade',
    upgrade: CHANNEL_PROTOCOL,
  }
  const request = requestFor(target)(target, { ...options.tls, agent: false, headers })
  let isOver = false
  const finish = (dialled: Dialled) => {
    if (isOver) return
    isOver = true
    clearTimeout(deadline)
    if (dialled.type === 'failed') request.destroy()
    done(dialled)
  }
  const fail = (failure: PeerFailure) => finish({ type: 'failed', failure })
  const deadline = setTimeout(() => fail('timeout'), PEER_CONNECT_MS)
  request.on('upgrade', (response, socket, head) => {
    const peer = checkAnswerer(identity, response.headers, options.target)
    if (isOver || peer === null) socket.destroy()
    if (peer === null) fail('stranger')
    else finish({ type: 'open', peer, socket, head })
  })
  request.on('response', () => fail('status'))
  request.on('error', () => fail('refused'))
  request.end()
  return () => {
    isOver = true
    clearTimeout(deadline)
    request.destroy()
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
