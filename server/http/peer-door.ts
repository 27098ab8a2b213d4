// The door for other replicas, beside the app: `POST /peer/{type}` and the upgrade to a channel.
// Only the peers' own credential opens it. What lies behind is the transport's (host/).

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { MESSAGE_BYTES_MAX } from '../limits.ts'
import type { Auth } from './auth.ts'
import type { ExchangeShared } from './exchange.ts'
import { NodeExchange } from './node-exchange.ts'
import { type Problem, problem, problemAnswer, problemBytes } from './problem.ts'

/** A message and room for its JSON form's escapes. */
const PEER_BODY_BYTES_MAX = MESSAGE_BYTES_MAX + 64 * 1024
export const PEER_PREFIX = '/peer/'
const CHANNEL_PATH = '/peer/channel'
const CHANNEL_PROTOCOL = 'shardglass-peer'
const TYPE = /^[A-Za-z]{1,40}$/

export type PeerAnswer = { readonly status: number; readonly body: string | Uint8Array }

export type PeerHandlers = {
  readonly onPeerPost: (
    type: string,
    headers: IncomingHttpHeaders,
    body: Buffer,
  ) => Promise<PeerAnswer>
  /** Gets the socket with all its duties, closing it included. */
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

export type PeerDoor = {
  readonly handlers: PeerHandlers
  readonly auth: Auth
  readonly shared: ExchangeShared
  readonly onFault: (error: unknown) => void
}

export function isChannelRequest(request: IncomingMessage): boolean {
  const protocol = request.headers.upgrade?.toLowerCase()
  return request.url === CHANNEL_PATH && protocol === CHANNEL_PROTOCOL
}

/** Null when the credential is right. */
export function peerProblem(auth: Auth, request: IncomingMessage): Problem | null {
  return auth.peerProblem({
    authorization: request.headers.authorization,
    remoteAddress: request.socket.remoteAddress ?? '',
    connection: null,
  })
}

export function servePeerPost(
  door: PeerDoor,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const exchange = new NodeExchange({ incoming, outgoing }, door.shared)
  const refuse = (found: Problem): void => exchange.answer(problemAnswer(found, true))
  const refusal = peerProblem(door.auth, incoming)
  if (refusal !== null) return refuse(refusal)
  const type = exchange.target.slice(PEER_PREFIX.length)
  if (!TYPE.test(type)) return refuse(problem('not-found', 'there is no such message'))
  if (exchange.method !== 'POST') {
    return refuse(problem('method-not-allowed', 'peers POST', { headers: ['Allow', 'POST'] }))
  }
  exchange.readBody(PEER_BODY_BYTES_MAX, body => {
    if (!Buffer.isBuffer(body)) return refuse(body)
    passOn(door, { type, headers: incoming.headers, body }).then(
      answer => exchange.answer(peerAnswer(answer)),
      error => {
        door.onFault(error)
        refuse(problem('internal', 'an unexpected error', { outcome: 'unknown' }))
      },
    )
  })
}

type PeerMessage = {
  readonly type: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Async, so that whatever the transport throws comes back as a rejection. */
async function passOn(door: PeerDoor, { type, headers, body }: PeerMessage): Promise<PeerAnswer> {
  return door.handlers.onPeerPost(type, headers, body)
}

/** Hands the socket over, or answers on it and closes it. */
export function servePeerUpgrade(
  door: PeerDoor,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const refusal = peerProblem(door.auth, request)
  if (refusal !== null) {
    socket.end(problemBytes(refusal))
    return
  }
  try {
    door.handlers.onUpgrade(request, socket, head)
  } catch (error) {
    door.onFault(error)
    socket.destroy()
  }
}

function peerAnswer({ status, body }: PeerAnswer) {
  const isEmpty = status === 204 || body.length === 0
  const headers = isEmpty ? [] : ['Content-Type', 'application/json']
  return { status, headers, body: isEmpty ? null : body }
}
