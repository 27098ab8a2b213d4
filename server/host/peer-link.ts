// One open connection to a peer, dialled by either side: frames out, in whole turns, and frames in.
// It never holds more than a window of bytes in the socket; the rest stays in the queue, where the
// oldest can be dropped while the peer does not read.

import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { DecodeError } from '../bytes.ts'
import type { Sender } from '../contract.ts'
import { PEER_QUEUE_BYTES_MAX, PEER_QUEUE_FRAMES_MAX, PEER_WINDOW_BYTES } from '../limits.ts'
import { FrameReader } from './frame.ts'
import type { PeerFailure } from './peer-counters.ts'
import { PeerQueue } from './peer-queue.ts'
import type { Presence } from './peer-starts.ts'

/** A frame on its way. */
export type Outgoing = {
  readonly frame: Buffer
  readonly size: number
  /** Of the message, for counters. */
  readonly type: string
  /** The number of the call in it, if someone here waits for its reply. */
  readonly call: number | null
}

export type FrameQueue = PeerQueue<Outgoing>

export function createFrameQueue(): FrameQueue {
  return new PeerQueue({ bytesMax: PEER_QUEUE_BYTES_MAX, countMax: PEER_QUEUE_FRAMES_MAX })
}

export type LinkHandlers = {
  /** False: not worth sending any more. */
  isWanted(item: Outgoing): boolean
  onWritten(item: Outgoing, link: PeerLink): void
  /** May throw a DecodeError: the connection is then closed. */
  onFrame(frame: Buffer, link: PeerLink): void
  /** Called once. Null: closed on purpose, by either side. */
  onClosed(link: PeerLink, failure: PeerFailure | null): void
}

const TCP_PROBE_MS = 10_000

export class PeerLink {
  /** Who is at the other end, by the handshake. */
  readonly peer: Sender
  readonly presence: Presence
  readonly queue: FrameQueue
  isOpen = true
  /** Of the last answered ping, in µs; null before the first. */
  roundTripMicros: number | null = null
  /** The quickest of all answered pings, in µs: what the way takes, without what lay in it; null before. */
  leastRoundTripMicros: number | null = null
  /** When the last frame came in, in ms of `performance.now`; 0: none has. */
  heardAt = 0
  /** Pings sent since the last frame came in. */
  unanswered = 0
  /** A ping is in the queue, for the next frame to take along. */
  isPingWaiting = false
  /** µs of the monotonic clock; 0 when no ping is under way. */
  pingedAt = 0
  /** Bytes written since the last frame came in. */
  unansweredBytes = 0
  /** Something else than pings was written since the last ping. */
  isUsed = false
  private readonly socket: Duplex
  private readonly handlers: LinkHandlers
  private readonly reader = new FrameReader()

  constructor(presence: Presence, socket: Duplex, queue: FrameQueue, handlers: LinkHandlers) {
    this.peer = presence.sender
    this.presence = presence
    this.socket = socket
    this.queue = queue
    this.handlers = handlers
    if (socket instanceof Socket) {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, TCP_PROBE_MS)
      socket.setTimeout(0)
    }
    socket.on('error', () => this.finish('reset'))
    socket.on('close', () => this.finish(null))
    socket.on('end', () => this.destroy(null))
    socket.on('drain', () => this.flush())
    socket.on('data', (chunk: Buffer) => this.read(chunk))
  }

  /** Bytes that have come already; for those that came with the handshake. */
  read(chunk: Buffer): void {
    try {
      this.reader.push(chunk, frame => {
        this.unanswered = 0
        this.unansweredBytes = 0
        this.handlers.onFrame(frame, this)
      })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.destroy('invalid')
    }
  }

  /** Writes what waits, as one system call where the socket takes it. */
  flush(): void {
    const { socket, queue } = this
    if (!this.isOpen || queue.length === 0) return
    socket.cork()
    while (socket.writableLength < PEER_WINDOW_BYTES) {
      const item = queue.shift()
      if (item === undefined) break
      if (!this.handlers.isWanted(item)) continue
      socket.write(item.frame)
      this.unansweredBytes += item.size
      this.handlers.onWritten(item, this)
    }
    socket.uncork()
  }

  /** Writes what waits and closes; at once if the peer does not take it in time. */
  end(graceMs: number): void {
    if (!this.isOpen) return
    this.flush()
    this.finishSending(graceMs)
  }

  /** Another connection has taken its place: what it was given may still arrive, nothing more. */
  retire(graceMs: number): void {
    this.finish('silent')
    this.finishSending(graceMs)
  }

  private finishSending(graceMs: number): void {
    this.socket.end()
    const timer = setTimeout(() => this.destroy(null), graceMs)
    this.socket.once('close', () => clearTimeout(timer))
  }

  destroy(failure: PeerFailure | null): void {
    this.finish(failure)
    this.socket.destroy()
  }

  private finish(failure: PeerFailure | null): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.handlers.onClosed(this, failure)
  }
}
