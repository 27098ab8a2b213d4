// Carries messages and passed-on requests between replicas, over channels (peer-channels.ts) or as
// one POST each (peer-posts.ts). Every node accepts both at any time; `mode` says how this one
// sends. Best effort: what is lost is said again by the core, and nothing here throws to a sender.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PeerCaller, Unreachable } from '../backend.ts'
import type { Address, Message, Sender } from '../contract.ts'
import type { CallSchema } from './call-schema.ts'
import { PeerCalls } from './peer-calls.ts'
import { PeerChannels, type PeerState } from './peer-channels.ts'
import { createPeerCounters, type PeerCounters } from './peer-counters.ts'
import { CHANNEL_PATH, CHANNEL_PROTOCOL, type PeerTls } from './peer-dial.ts'
import { addressKey, answererHeaders, checkPeer, type PeerHeaders } from './peer-identity.ts'
import { PeerPosts } from './peer-posts.ts'
import { type PostAnswer, PostReceiver, refusal } from './peer-receiver.ts'

export type TransportMode = 'channel' | 'post'

export type TransportOptions<Request, Reply> = {
  readonly self: Sender
  /** Peers of another cluster are turned away. */
  readonly cluster: string
  readonly peerToken: string
  readonly mode: TransportMode
  /** What this kind of replica is asked: `shardkvCalls` or `shardmasterCalls`. */
  readonly calls: CallSchema<Request, Reply>
  readonly tls?: PeerTls | null
  /** Base URL of a replica, null when unknown. Asked at each send: cheap. */
  resolve(address: Address): string | null
  onMessage(from: Sender, message: Message): void
  /** A request that another replica passes on. `done` may be called late, or never. */
  onCall(request: Request, done: (reply: Reply) => void, from: Sender): void
  /** An answered ping or post, for histograms. */
  onRoundTrip?(peer: Address, micros: number): void
}

export interface Transport<Request, Reply> extends PeerCaller<Request, Reply> {
  /** Never throws. What is sent in one turn leaves together, at its end or at `flush`. */
  send(to: readonly Address[], message: Message): void
  flush(): void
  /** `Upgrade: shardglass-peer` on `/peer/channel`. Takes the socket over, or refuses and ends it. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** `POST /peer/{type}`. Never rejects. */
  handlePost(type: string, headers: PeerHeaders, body: Uint8Array): Promise<PostAnswer>
  /** Live figures; not to be changed. */
  readonly counters: PeerCounters
  /** The peers with which this side has a channel of its own. */
  peers(): readonly PeerState[]
  /** Sends what waits, then closes all connections; open calls end as unreachable. */
  close(): void
}

export function createTransport<Request, Reply>(
  options: TransportOptions<Request, Reply>,
): Transport<Request, Reply> {
  const { self, mode, resolve } = options
  const identity = { self, cluster: options.cluster, peerToken: options.peerToken }
  const counters = createPeerCounters()
  const calls = new PeerCalls<Reply>()
  const onRoundTrip = options.onRoundTrip ?? (() => {})
  const { onMessage, onCall } = options
  const common = { identity, tls: options.tls ?? null, schema: options.calls, counters }
  const channels = new PeerChannels({ ...common, calls, onMessage, onCall, onRoundTrip })
  const posts = new PeerPosts({ ...common, onMessage, onRoundTrip })
  const receiver = new PostReceiver({ ...common, onMessage, onCall })
  const ownKey = addressKey(self)
  const isSelf = (address: Address) => addressKey(address) === ownKey
  let isClosed = false

  return {
    counters,
    send(to, message) {
      if (isClosed) return
      const remote: Address[] = []
      for (const address of to) {
        if (isSelf(address)) onMessage(self, message)
        else if (!receiver.answer(address, message)) remote.push(address)
      }
      if (remote.length === 0) return
      if (mode === 'post') {
        const item = posts.encode(message)
        if (item === null) return
        for (const address of remote) posts.send(address, resolve(address), item)
        return
      }
      const item = channels.encode(message, null)
      if (item === null) return
      for (const address of remote) channels.send({ address, url: resolve(address) }, item)
    },
    flush: () => channels.flush(),
    call(target, request, timeoutMs) {
      if (isClosed) return Promise.resolve(never)
      const address = 'url' in target ? null : target
      if (address !== null && isSelf(address)) return callSelf(onCall, self, request, timeoutMs)
      const url = 'url' in target ? target.url : resolve(target)
      if (mode === 'post') {
        if (url !== null) return posts.call(address, url, request, timeoutMs)
        counters.failures.noRoute += 1
        return Promise.resolve(never)
      }
      return callByChannel({ channels, calls, counters }, { address, url }, request, timeoutMs)
    },
    handleUpgrade(request, socket, head) {
      const isChannel =
        request.url === CHANNEL_PATH && request.headers.upgrade?.toLowerCase() === CHANNEL_PROTOCOL
      const checked = checkPeer(identity, request.headers)
      if (isClosed || !isChannel || checked.type === 'refused') {
        counters.failures.stranger += 1
        const status = checked.type === 'refused' ? checked.status : isClosed ? 503 : 404
        refuseUpgrade(socket, status, checked.type === 'refused' ? checked.detail : 'no channel')
        return
      }
      socket.write(switchingProtocols(answererHeaders(identity)))
      channels.accept(checked.from, socket, head)
    },
    handlePost: (type, headers, body) => receiver.handle(type, headers, body),
    peers: () => channels.states(),
    close() {
      if (isClosed) return
      isClosed = true
      channels.close()
      posts.close()
      receiver.close()
      calls.close()
    },
  }
}

/** Certainly without effect. */
const never: Unreachable = { type: 'unreachable', isDefinite: true }

function callByChannel<Request, Reply>(
  peer: {
    readonly channels: PeerChannels<Request, Reply>
    readonly calls: PeerCalls<Reply>
    readonly counters: PeerCounters
  },
  to: { readonly address: Address | null; readonly url: string | null },
  request: Request,
  timeoutMs: number,
): Promise<Reply | Unreachable> {
  const { channels, calls, counters } = peer
  const destination =
    to.address !== null
      ? { address: to.address, url: to.url }
      : { address: null, url: to.url ?? '' }
  const start = (id: number) => {
    const item = channels.encode({ type: 'call', id, request }, id)
    if (item === null || !channels.send(destination, item)) calls.fail(id)
  }
  return calls.open(timeoutMs, start, () => {
    counters.failures.timeout += 1
  })
}

function callSelf<Request, Reply>(
  onCall: TransportOptions<Request, Reply>['onCall'],
  self: Sender,
  request: Request,
  timeoutMs: number,
): Promise<Reply | Unreachable> {
  return new Promise(resolve => {
    const expire = () => resolve({ type: 'unreachable', isDefinite: false })
    const timer = setTimeout(expire, timeoutMs)
    const done = (reply: Reply) => {
      clearTimeout(timer)
      resolve(reply)
    }
    onCall(request, done, self)
  })
}

function switchingProtocols(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CHANNEL_PROTOCOL}\r\n`
  return `${head}${lines.join('')}\r\n`
}

function refuseUpgrade(socket: Duplex, status: number, detail: string): void {
  const { headers, body } = refusal(status, detail)
  const head = `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`
  socket.on('error', () => socket.destroy())
  socket.end(`${head}Content-Type: ${headers['content-type']}\r\n\r\n${body}`)
  socket.resume()
}
