// Carries messages and passed-on requests between replicas, over channels (peer-channels.ts) or as
// one POST each (peer-posts.ts). Every node accepts both at any time; `mode` says how this one
// sends. Best effort: what is lost is said again by the core, and nothing here throws to a sender.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PeerCaller, Unreachable } from '../backend.ts'
import type { Address, Message, Sender } from '../contract.ts'
import type { CallSchema } from './call-schema.ts'
import { PeerCalls } from './peer-calls.ts'
import { type Destination, PeerChannels, type PeerState } from './peer-channels.ts'
import { createPeerCounters, type PeerCounters } from './peer-counters.ts'
import { CHANNEL_PATH, CHANNEL_PROTOCOL, type PeerTls } from './peer-dial.ts'
import {
  addressKey,
  answererHeaders,
  checkPeer,
  type PeerHeaders,
  type PeerIdentity,
  TWIN_STATUS,
} from './peer-identity.ts'
import { PeerPosts } from './peer-posts.ts'
import { type PostAnswer, PostReceiver, refusal } from './peer-receiver.ts'
import { OWN_START } from './peer-starts.ts'

export type TransportMode = 'channel' | 'post'

export type TransportOptions<Request, Reply> = {
  readonly self: Sender
  /** The id of this process, where tests have several in one. */
  readonly start?: string
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
  /**
   * A data directory is used by two processes: that of this peer, which was turned away here, or,
   * with null, this process's own, which a peer turned away.
   */
  onTwin?(peer: Sender | null): void
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
  return new PeerTransport(options)
}

/** Certainly without effect. */
const NEVER_SENT: Unreachable = { type: 'unreachable', isDefinite: true }

class PeerTransport<Request, Reply> implements Transport<Request, Reply> {
  readonly counters = createPeerCounters()
  private readonly options: TransportOptions<Request, Reply>
  private readonly identity: PeerIdentity
  private readonly ownKey: number
  private readonly calls = new PeerCalls<Reply>()
  private readonly channels: PeerChannels<Request, Reply>
  private readonly posts: PeerPosts<Request, Reply>
  private readonly receiver: PostReceiver<Request, Reply>
  private isClosed = false

  constructor(options: TransportOptions<Request, Reply>) {
    const { self, cluster, peerToken, onMessage, onCall } = options
    this.options = options
    this.identity = { self, start: options.start ?? OWN_START, cluster, peerToken }
    this.ownKey = addressKey(self)
    const common = {
      identity: this.identity,
      tls: options.tls ?? null,
      schema: options.calls,
      counters: this.counters,
      calls: this.calls,
      onMessage,
      onCall,
      onRoundTrip: options.onRoundTrip ?? (() => {}),
      onTwin: options.onTwin ?? (() => {}),
    }
    this.channels = new PeerChannels(common)
    this.posts = new PeerPosts(common)
    this.receiver = new PostReceiver(common)
  }

  send(to: readonly Address[], message: Message): void {
    if (this.isClosed) return
    const remote: Address[] = []
    for (const address of to) {
      if (this.isSelf(address)) this.options.onMessage(this.options.self, message)
      else if (!this.receiver.answer(address, message)) remote.push(address)
    }
    if (remote.length === 0) return
    if (this.options.mode === 'post') this.sendPosts(remote, message)
    else this.sendFrames(remote, message)
  }

  flush(): void {
    this.channels.flush()
  }

  call(
    target: Address | { readonly url: string },
    request: Request,
    timeoutMs: number,
  ): Promise<Reply | Unreachable> {
    if (this.isClosed) return Promise.resolve(NEVER_SENT)
    const address = 'url' in target ? null : target
    if (address !== null && this.isSelf(address)) return this.callSelf(request, timeoutMs)
    const url = 'url' in target ? target.url : this.options.resolve(target)
    if (this.options.mode === 'post' && url !== null) {
      return this.posts.call(address, url, request, timeoutMs)
    }
    return this.callByChannel({ address, url }, request, timeoutMs)
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { headers, url } = request
    const isChannel = url === CHANNEL_PATH && headers.upgrade?.toLowerCase() === CHANNEL_PROTOCOL
    if (!isChannel) return this.refuse(socket, 404, 'no such channel')
    if (this.isClosed) return this.refuse(socket, 503, 'stopping')
    const checked = checkPeer(this.identity, headers)
    if (checked.type === 'refused') return this.refuse(socket, checked.status, checked.detail)
    const presence = this.channels.enter(checked.from, checked.start)
    if (presence === null)
      return this.refuse(socket, TWIN_STATUS, 'its data directory is used twice')
    socket.write(switchingProtocols(answererHeaders(this.identity)))
    this.channels.accept(presence, socket, head)
  }

  handlePost(type: string, headers: PeerHeaders, body: Uint8Array): Promise<PostAnswer> {
    return this.receiver.handle(type, headers, body)
  }

  peers(): readonly PeerState[] {
    return this.channels.states()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.channels.close()
    this.posts.close()
    this.receiver.close()
    this.calls.close()
  }

  private isSelf(address: Address): boolean {
    return addressKey(address) === this.ownKey
  }

  private sendFrames(to: readonly Address[], message: Message): void {
    const item = this.channels.encode(message, null)
    if (item === null) return
    for (const address of to) {
      this.channels.send({ address, url: this.options.resolve(address) }, item)
    }
  }

  /** Who has no URL may still have a channel open to us. */
  private sendPosts(to: readonly Address[], message: Message): void {
    const withoutUrl: Address[] = []
    const item = this.posts.encode(message)
    if (item === null) return
    for (const address of to) {
      const url = this.options.resolve(address)
      if (url === null) withoutUrl.push(address)
      else this.posts.send(address, url, item)
    }
    if (withoutUrl.length > 0) this.sendFrames(withoutUrl, message)
  }

  private callSelf(request: Request, timeoutMs: number): Promise<Reply | Unreachable> {
    const { calls } = this
    const { self, onCall } = this.options
    const start = (id: number) => {
      calls.onWritten(id, 'self')
      onCall(request, reply => calls.settle(id, 'self', reply), self)
    }
    return calls.open(timeoutMs, start, () => {})
  }

  private callByChannel(
    to: Destination,
    request: Request,
    timeoutMs: number,
  ): Promise<Reply | Unreachable> {
    const { calls, channels, counters } = this
    const start = (id: number) => {
      const item = channels.encode({ type: 'call', id, request }, id)
      if (item === null || !channels.send(to, item)) calls.fail(id)
    }
    return calls.open(timeoutMs, start, () => {
      counters.failures.timeout += 1
    })
  }

  private refuse(socket: Duplex, status: number, detail: string): void {
    if (status !== TWIN_STATUS) this.counters.failures.stranger += 1
    const { headers, body } = refusal(status, detail)
    const length = Buffer.byteLength(body)
    const head = `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: ${length}\r\n`
    socket.on('error', () => socket.destroy())
    socket.end(`${head}Content-Type: ${headers['content-type']}\r\n\r\n${body}`)
    socket.resume()
  }
}

function switchingProtocols(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CHANNEL_PROTOCOL}\r\n`
  return `${head}${lines.join('')}\r\n`
}
