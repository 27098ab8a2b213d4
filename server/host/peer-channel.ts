// This side's channel to one peer: dialled when there is something to say, again after a failure
// with growing pauses. What waits while a dial fails is dropped; Paxos says again what matters.
// A connection over which nothing seems to come through is replaced by a fresh one as soon as that
// can be opened: after a cut, TCP would try the old one again later and later.

import type { Address, Sender } from '../contract.ts'
import {
  PEER_CONNECT_MS,
  PEER_DOUBT_BYTES,
  PEER_DOUBT_MS,
  PEER_IDLE_MS,
  PEER_PING_MS,
  PEER_RETRY_MAX_MS,
  PEER_RETRY_MIN_MS,
  PEER_SILENT_MS,
} from '../limits.ts'
import type { PeerFailure } from './peer-counters.ts'
import { type Dialled, dial, type PeerTls } from './peer-dial.ts'
import type { PeerIdentity } from './peer-identity.ts'
import { createFrameQueue, type LinkHandlers, type Outgoing, PeerLink } from './peer-link.ts'
import type { PeerStarts } from './peer-starts.ts'

export type ChannelOptions = {
  /** Null when only the URL is known. */
  readonly target: Address | null
  readonly url: string
  readonly identity: PeerIdentity
  readonly tls: PeerTls | null
  readonly link: LinkHandlers
  readonly ping: Outgoing
  readonly starts: PeerStarts
  onDial(): void
  /** `twin`: the peer that is there twice; null: this process itself. */
  onFailure(failure: PeerFailure, twin?: Sender | null): void
  onDropped(items: readonly Outgoing[], failure: PeerFailure): void
}

/** `pausing`: the last dial failed, the next waits. */
type State = 'idle' | 'dialling' | 'open' | 'pausing' | 'closed'

/** A channel that broke sooner than this after it opened counts as one more failed dial. */
const SETTLED_MS = 1_000
const IDLE_SWEEPS = Math.ceil(PEER_IDLE_MS / PEER_PING_MS)

export class PeerChannel {
  readonly options: ChannelOptions
  readonly queue = createFrameQueue()
  private state: State = 'idle'
  private current: PeerLink | null = null
  private failures = 0
  private dialledAt = 0
  private openedAt = 0
  /** When the first frame was written since the peer was last heard; null: none was. */
  private askedAt: number | null = null
  private askedBytes = 0
  /** Runs while the connection is doubted: then it is replaced. */
  private doubt: NodeJS.Timeout | null = null
  private doubtBeganAt = 0
  private idleSweeps = 0
  private timer: NodeJS.Timeout | null = null
  private giveUp: (() => void) | null = null

  constructor(options: ChannelOptions) {
    this.options = options
  }

  /** The open connection, if there is one. */
  get link(): PeerLink | null {
    return this.current
  }

  /** The peer could not be reached a moment ago, and is not being tried now. */
  get isPausing(): boolean {
    return this.state === 'pausing'
  }

  send(item: Outgoing): void {
    const dropped = this.queue.push(item)
    if (dropped.length > 0) this.options.onDropped(dropped, 'queueFull')
    this.open()
  }

  /** Sees to it that there is a connection, soon. */
  open(): void {
    this.idleSweeps = 0
    if (this.state === 'idle') this.dial()
  }

  flush(): void {
    if (this.current === null || this.queue.length === 0 || this.isDoubted) return
    this.askedBytes += this.queue.bytes
    const now = performance.now()
    this.askedAt ??= now
    if (now - this.askedAt >= PEER_SILENT_MS) this.beginDoubt(now)
    this.current.flush()
  }

  /** What is sent meanwhile waits for the sign of life, or for the fresh connection. */
  get isDoubted(): boolean {
    return this.doubt !== null || this.giveUp !== null
  }

  /** Since when nothing seems to come through, in ms of `performance.now`; null: nothing tells so. */
  get doubtedAt(): number | null {
    return this.isDoubted ? this.doubtBeganAt : null
  }

  /** Something came from the peer, on whatever connection; `now` in ms of `performance.now`. */
  onHeard(now: number): void {
    if (this.askedAt === null) return
    if (now - this.askedAt >= PEER_SILENT_MS) this.beginDoubt(now)
    this.askedAt = null
    this.askedBytes = 0
  }

  /** Called every PEER_PING_MS: closes what was not used for long. */
  sweep(): void {
    this.idleSweeps += 1
    if (this.idleSweeps > IDLE_SWEEPS && this.current !== null) this.current.destroy(null)
  }

  get isForgettable(): boolean {
    return this.state === 'idle' && this.idleSweeps > IDLE_SWEEPS
  }

  close(graceMs: number): void {
    this.state = 'closed'
    if (this.timer !== null) clearTimeout(this.timer)
    this.endDoubt()
    this.giveUp?.()
    if (this.current !== null) this.current.end(graceMs)
    this.options.onDropped(this.queue.clear(), 'unreachable')
  }

  /** Asks for a sign of life on this very connection. */
  private beginDoubt(now: number): void {
    if (this.current === null || this.doubt !== null || this.giveUp !== null) return
    if (this.askedBytes > PEER_DOUBT_BYTES) return
    this.doubtBeganAt = now
    const dropped = this.queue.push(this.options.ping)
    if (dropped.length > 0) this.options.onDropped(dropped, 'queueFull')
    this.current.flush()
    // The last round trip may have lain in a cut itself. Two of the quickest are time enough.
    const { leastRoundTripMicros: least } = this.current
    this.replaceAfter(Math.max(PEER_DOUBT_MS, (2 * (least ?? 0)) / 1_000))
  }

  private replaceAfter(ms: number): void {
    this.doubt = setTimeout(() => {
      this.doubt = null
      if (this.state === 'open') this.dial()
    }, ms)
  }

  private endDoubt(): void {
    if (this.doubt !== null) clearTimeout(this.doubt)
    this.doubt = null
  }

  /** The connection carries what it is given. */
  private onAnswered(link: PeerLink): void {
    if (link !== this.current) return
    this.askedAt = null
    this.askedBytes = 0
    if (!this.isDoubted) return
    this.endDoubt()
    this.giveUp?.()
    this.giveUp = null
    this.flush()
  }

  private dial(): void {
    if (this.state !== 'open') this.state = 'dialling'
    this.dialledAt = performance.now()
    this.options.onDial()
    this.giveUp = dial(this.options, dialled => this.onDialled(dialled))
  }

  private onDialled(dialled: Dialled): void {
    this.giveUp = null
    if (dialled.type === 'open' && this.onOpen(dialled)) return
    if (dialled.type === 'failed') this.options.onFailure(dialled.failure)
    else this.options.onFailure('twin', dialled.peer)
    if (this.current !== null) return this.replaceAfter(PEER_DOUBT_MS)
    this.options.onDropped(this.queue.clear(), 'unreachable')
    this.pause(this.dialledAt)
  }

  /** False: it is one process too many. */
  private onOpen({ peer, start, socket, head }: Extract<Dialled, { type: 'open' }>): boolean {
    const { link, starts } = this.options
    const presence = starts.enter(peer, start)
    if (presence === null) {
      socket.destroy()
      return false
    }
    const old = this.current
    this.state = 'open'
    this.openedAt = performance.now()
    this.askedAt = null
    this.askedBytes = 0
    const opened = new PeerLink(presence, socket, this.queue, {
      ...link,
      onFrame: (frame, from) => {
        this.onAnswered(from)
        link.onFrame(frame, from)
      },
      onClosed: (closed, failure) => {
        this.onClosed(closed, failure)
        link.onClosed(closed, failure)
      },
    })
    this.current = opened
    old?.retire(PEER_CONNECT_MS)
    if (head.length > 0) opened.read(head)
    this.flush()
    return true
  }

  private onClosed(closed: PeerLink, failure: PeerFailure | null): void {
    if (failure !== null && this.state !== 'closed') this.options.onFailure(failure)
    if (closed !== this.current) return
    this.current = null
    this.endDoubt()
    if (this.state === 'closed') return
    const wasSettled = performance.now() - this.openedAt >= SETTLED_MS
    if (wasSettled) this.failures = 0
    if (this.giveUp === null) this.pause(this.openedAt)
    else this.state = 'dialling'
  }

  /** Dials again after the pause, counted from `since`, if there is something to say by then. */
  private pause(since: number): void {
    this.state = 'pausing'
    const whole = Math.min(PEER_RETRY_MAX_MS, PEER_RETRY_MIN_MS * 2 ** this.failures)
    const delay = Math.max(0, since + whole - performance.now())
    this.failures += 1
    this.timer = setTimeout(() => {
      this.timer = null
      this.state = 'idle'
      if (this.queue.length > 0) this.dial()
    }, delay)
  }
}
