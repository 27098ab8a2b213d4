// All channels of this process: those that it dialled, by address or by URL, and those that peers
// dialled. A peer without a known URL, or that cannot be dialled, is answered on its own channel.

import type { Duplex } from 'node:stream'
import { unreachable } from '../assert.ts'
import type { Address, Message, Sender } from '../contract.ts'
import {
  MESSAGE_BYTES_MAX,
  PEER_CHANNELS_PER_PEER_MAX,
  PEER_PATIENCE_BYTES,
  PEER_PING_MS,
  PEER_PINGS_MAX,
} from '../limits.ts'
import type { CallSchema } from './call-schema.ts'
import { monotonicMicros } from './clock.ts'
import { decodeFrameOf, encodeFrameOf } from './frame.ts'
import type { PeerCalls } from './peer-calls.ts'
import { PeerChannel } from './peer-channel.ts'
import {
  countReceived,
  countRoundTrip,
  countSent,
  type PeerCounters,
  type PeerFailure,
} from './peer-counters.ts'
import type { PeerTls } from './peer-dial.ts'
import { isControl, type PeerFrame, peerFrameSchema } from './peer-frame.ts'
import { addressKey, type PeerIdentity } from './peer-identity.ts'
import { createFrameQueue, type LinkHandlers, type Outgoing, PeerLink } from './peer-link.ts'
import { PeerStarts, type Presence } from './peer-starts.ts'
import type { Schema } from './schema.ts'

export type ChannelsOptions<Request, Reply> = {
  readonly identity: PeerIdentity
  readonly tls: PeerTls | null
  readonly schema: CallSchema<Request, Reply>
  readonly calls: PeerCalls<Reply>
  readonly counters: PeerCounters
  onMessage(from: Sender, message: Message): void
  onCall(request: Request, done: (reply: Reply) => void, from: Sender): void
  onRoundTrip(peer: Address, micros: number): void
  /** Two processes have one life of a replica; null: this one is of them, says a peer. */
  onTwin(peer: Sender | null): void
}

/** Where a frame is to go: an address, with its URL if one is known, or a URL alone. */
export type Destination = { readonly address: Address | null; readonly url: string | null }

/** One peer in the eyes of this process. */
export type PeerState = {
  readonly gid: number
  readonly replica: number
  readonly isConnected: boolean
  readonly queuedFrames: number
  readonly queuedBytes: number
  readonly roundTripMicros: number | null
}

type Way = PeerChannel | PeerLink

const END_GRACE_MS = 250

export class PeerChannels<Request, Reply> {
  private readonly options: ChannelsOptions<Request, Reply>
  private readonly schema: Schema<PeerFrame<Request, Reply>>
  private readonly handlers: LinkHandlers
  private readonly dialled = new Map<number | string, PeerChannel>()
  private readonly accepted = new Map<number, PeerLink[]>()
  private readonly starts = new PeerStarts()
  /** What has something to write in this turn. */
  private dirty: Way[] = []
  private readonly ping: Outgoing
  private readonly pong: Outgoing
  private sweeper: NodeJS.Timeout | null = null
  private isClosed = false

  constructor(options: ChannelsOptions<Request, Reply>) {
    const { calls, counters } = options
    this.options = options
    this.schema = peerFrameSchema(options.schema)
    this.ping = this.control('ping')
    this.pong = this.control('pong')
    this.handlers = {
      isWanted: item => item.call === null || calls.isOpen(item.call),
      onWritten(item, link) {
        countSent(counters, item.type, item.size)
        if (item.type === 'ping') onPingWritten(link)
        else if (item.type !== 'pong') link.isUsed = true
        if (item.call !== null) calls.onWritten(item.call, link)
      },
      onFrame: (frame, link) => this.onFrame(frame, link),
      onClosed: link => {
        this.starts.leave(link.presence)
        calls.onLinkClosed(link)
      },
    }
  }

  /** Who wants to open a channel to us; null: another process does already under its name and life. */
  enter(from: Sender, start: string): Presence | null {
    const presence = this.starts.enter(from, start)
    if (presence !== null) return presence
    this.options.counters.failures.twin += 1
    this.options.onTwin(from)
    return null
  }

  /** The frame of a message or call; null when it is too large to be sent, which is counted. */
  encode(frame: PeerFrame<Request, Reply>, call: number | null): Outgoing | null {
    const encoded = encodeFrameOf(this.schema, frame)
    if (encoded.length <= MESSAGE_BYTES_MAX) {
      return { frame: encoded, size: encoded.length, type: frame.type, call }
    }
    this.options.counters.failures.tooLarge += 1
    return null
  }

  /** False when there is no way to that peer, or (for calls) when it cannot be reached now. */
  send(destination: Destination, item: Outgoing): boolean {
    const way = this.wayTo(destination)
    const isHopeless = item.call !== null && way instanceof PeerChannel && way.isPausing
    if (way === null || isHopeless) {
      this.options.counters.failures[way === null ? 'noRoute' : 'unreachable'] += 1
      return false
    }
    if (way instanceof PeerChannel) way.send(item)
    else this.enqueue(way, item)
    this.markDirty(way)
    return true
  }

  /** Writes what was sent in this turn. Happens by itself at its end. */
  flush(): void {
    if (this.dirty.length === 0) return
    const ways = this.dirty
    this.dirty = []
    for (const way of ways) way.flush()
  }

  /** A peer has opened a channel to us. */
  accept(presence: Presence, socket: Duplex, head: Buffer): void {
    const key = addressKey(presence.sender)
    const link = new PeerLink(presence, socket, createFrameQueue(), {
      ...this.handlers,
      onClosed: (closed, failure) => this.onAcceptedClosed(closed, failure),
    })
    const links = [...(this.accepted.get(key) ?? []), link]
    this.accepted.set(key, links)
    if (links.length > PEER_CHANNELS_PER_PEER_MAX) links[0]?.destroy(null)
    this.startSweeper()
    if (head.length > 0) link.read(head)
  }

  states(): readonly PeerState[] {
    const states: PeerState[] = []
    for (const { options, link, queue } of this.dialled.values()) {
      if (options.target === null) continue
      states.push({
        gid: options.target.gid,
        replica: options.target.replica,
        isConnected: link !== null,
        queuedFrames: queue.length,
        queuedBytes: queue.bytes,
        roundTripMicros: link?.roundTripMicros ?? null,
      })
    }
    return states
  }

  close(): void {
    this.isClosed = true
    this.flush()
    if (this.sweeper !== null) clearInterval(this.sweeper)
    for (const channel of this.dialled.values()) channel.close(END_GRACE_MS)
    for (const links of this.accepted.values()) for (const link of links) link.end(END_GRACE_MS)
  }

  private control(type: 'ping' | 'pong'): Outgoing {
    const frame = encodeFrameOf(this.schema, { type })
    return { frame, size: frame.length, type, call: null }
  }

  private wayTo({ address, url }: Destination): Way | null {
    if (this.isClosed) return null
    if (address === null) return url === null ? null : this.channelTo(url, { address, url })
    const key = addressKey(address)
    const channel = url === null ? null : this.channelTo(key, { address, url })
    const doubtedAt = channel === null || channel.link === null ? 0 : channel.doubtedAt
    if (doubtedAt === null) return channel
    // What comes in on the peer's own connection was not lost: neither will be what goes out on it.
    const own = this.accepted.get(key)?.findLast(link => link.isOpen)
    if (own === undefined || own.heardAt < doubtedAt) return channel
    channel?.open()
    return own
  }

  private channelTo(
    key: number | string,
    { address, url }: Destination & { readonly url: string },
  ): PeerChannel {
    const known = this.dialled.get(key)
    if (known !== undefined && known.options.url === url) return known
    known?.close(END_GRACE_MS)
    const { identity, tls, counters } = this.options
    const channel: PeerChannel = new PeerChannel({
      target: address,
      url,
      identity,
      tls,
      link: this.handlers,
      ping: this.ping,
      starts: this.starts,
      onDial: () => {
        counters.dials += 1
      },
      onFailure: (failure, twin = null) => {
        counters.failures[failure] += 1
        if (failure === 'twin') this.options.onTwin(twin)
      },
      onDropped: (items, failure) => this.onDropped(items, failure),
    })
    this.dialled.set(key, channel)
    this.startSweeper()
    return channel
  }

  private onFrame(bytes: Buffer, link: PeerLink): void {
    const { counters, calls, onMessage, onCall } = this.options
    if (!this.starts.onHeard(link.presence)) return link.destroy('twin')
    const frame = decodeFrameOf(this.schema, bytes)
    countReceived(counters, frame.type, bytes.length)
    const channel = this.dialled.get(addressKey(link.peer))
    if (channel !== undefined) {
      link.heardAt = performance.now()
      channel.onHeard(link.heardAt)
    }
    if (!isControl(frame)) {
      onMessage(link.peer, frame)
      return
    }
    switch (frame.type) {
      case 'call':
        onCall(frame.request, reply => this.reply(link, frame.id, reply), link.peer)
        return
      case 'callReply':
        calls.settle(frame.id, link, frame.reply)
        return
      case 'ping':
        this.enqueue(link, this.pong)
        return
      case 'pong':
        this.onPong(link)
        return
      default:
        unreachable(frame)
    }
  }

  private onPong(link: PeerLink): void {
    if (link.pingedAt === 0) return
    const micros = monotonicMicros() - link.pingedAt
    link.pingedAt = 0
    link.roundTripMicros = micros
    link.leastRoundTripMicros = Math.min(link.leastRoundTripMicros ?? micros, micros)
    countRoundTrip(this.options.counters, micros)
    this.options.onRoundTrip(link.peer, micros)
  }

  private reply(link: PeerLink, id: number, reply: Reply): void {
    if (!link.isOpen) return
    const item = this.encode({ type: 'callReply', id, reply }, null)
    if (item !== null) this.enqueue(link, item)
  }

  private enqueue(link: PeerLink, item: Outgoing): void {
    this.onDropped(link.queue.push(item), 'queueFull')
    this.markDirty(link)
  }

  private markDirty(way: Way): void {
    if (this.dirty.length === 0) process.nextTick(() => this.flush())
    if (!this.dirty.includes(way)) this.dirty.push(way)
  }

  private onAcceptedClosed(closed: PeerLink, failure: PeerFailure | null): void {
    const { calls, counters } = this.options
    const key = addressKey(closed.peer)
    const left = (this.accepted.get(key) ?? []).filter(other => other !== closed)
    if (left.length === 0) this.accepted.delete(key)
    else this.accepted.set(key, left)
    if (failure !== null) counters.failures[failure] += 1
    this.starts.leave(closed.presence)
    calls.onLinkClosed(closed)
    this.onDropped(closed.queue.clear(), 'unreachable')
  }

  private onDropped(items: readonly Outgoing[], failure: PeerFailure): void {
    const { calls, counters } = this.options
    counters.failures[failure] += items.length
    for (const item of items) if (item.call !== null) calls.fail(item.call)
  }

  private startSweeper(): void {
    if (this.sweeper !== null || this.isClosed) return
    this.sweeper = setInterval(() => this.sweep(), PEER_PING_MS)
    this.sweeper.unref()
  }

  private sweep(): void {
    for (const [key, channel] of this.dialled) {
      channel.sweep()
      if (channel.link !== null) this.probe(channel.link, channel)
      if (channel.isForgettable) this.dialled.delete(key)
    }
    for (const links of [...this.accepted.values()])
      for (const link of links) this.probe(link, link)
    if (this.dialled.size > 0 || this.accepted.size > 0 || this.sweeper === null) return
    clearInterval(this.sweeper)
    this.sweeper = null
  }

  /** Counts pings, not time: after a stall of our own the answers come before the next look. */
  private probe(link: PeerLink, way: Way): void {
    // What waits behind a doubted connection is for the fresh one.
    const mayWrite = !(way instanceof PeerChannel && way.isDoubted)
    if (link.isPingWaiting) {
      // It found nothing to go along with.
      link.isPingWaiting = false
      if (mayWrite) link.flush()
      return
    }
    const patience = PEER_PINGS_MAX + link.unansweredBytes / PEER_PATIENCE_BYTES
    if (link.unanswered >= patience) {
      link.destroy('silent')
      return
    }
    if (!link.isUsed && link.unanswered === 0) return
    link.isUsed = false
    link.unanswered += 1
    // The first goes along with the link's next frame: alone it would wake its receiver for itself.
    link.isPingWaiting = link.unanswered === 1
    this.onDropped(link.queue.push(this.ping), 'queueFull')
    if (!link.isPingWaiting && mayWrite) this.markDirty(link)
  }
}

function onPingWritten(link: PeerLink): void {
  link.isPingWaiting = false
  if (link.pingedAt === 0) link.pingedAt = monotonicMicros()
}
