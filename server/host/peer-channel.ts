// This side's channel to one peer: dialled when there is something to say, again after a failure
// with growing pauses. What waits while a dial fails is dropped; Paxos says again what matters.

import type { Address } from '../contract.ts'
import { PEER_IDLE_MS, PEER_PING_MS, PEER_RETRY_MAX_MS, PEER_RETRY_MIN_MS } from '../limits.ts'
import type { PeerFailure } from './peer-counters.ts'
import { type Dialled, dial, type PeerTls } from './peer-dial.ts'
import type { PeerIdentity } from './peer-identity.ts'
import { createFrameQueue, type LinkHandlers, type Outgoing, PeerLink } from './peer-link.ts'

export type ChannelOptions = {
  /** Null when only the URL is known. */
  readonly target: Address | null
  readonly url: string
  readonly identity: PeerIdentity
  readonly tls: PeerTls | null
  readonly link: LinkHandlers
  onDial(): void
  onFailure(failure: PeerFailure): void
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
  private openedAt = 0
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
    this.current?.flush()
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
    this.giveUp?.()
    if (this.current !== null) this.current.end(graceMs)
    this.options.onDropped(this.queue.clear(), 'unreachable')
  }

  private dial(): void {
    this.state = 'dialling'
    this.options.onDial()
    this.giveUp = dial(this.options, dialled => this.onDialled(dialled))
  }

  private onDialled(dialled: Dialled): void {
    this.giveUp = null
    if (dialled.type === 'failed') {
      this.options.onFailure(dialled.failure)
      this.options.onDropped(this.queue.clear(), 'unreachable')
      this.pause()
      return
    }
    const { link } = this.options
    const onClosed = (closed: PeerLink, failure: PeerFailure | null) => {
      this.onClosed(failure)
      link.onClosed(closed, failure)
    }
    this.state = 'open'
    this.openedAt = performance.now()
    this.current = new PeerLink(dialled.peer, dialled.socket, this.queue, {
      ...link,
      onClosed,
    })
    if (dialled.head.length > 0) this.current.read(dialled.head)
    this.flush()
  }

  private onClosed(failure: PeerFailure | null): void {
    this.current = null
    if (this.state === 'closed') return
    if (failure !== null) this.options.onFailure(failure)
    const wasSettled = performance.now() - this.openedAt >= SETTLED_MS
    if (wasSettled) this.failures = 0
    this.pause()
  }

  /** Dials again after the pause, if there is something to say by then. */
  private pause(): void {
    this.state = 'pausing'
    const delay = Math.min(PEER_RETRY_MAX_MS, PEER_RETRY_MIN_MS * 2 ** this.failures)
    this.failures += 1
    this.timer = setTimeout(() => {
      this.timer = null
      this.state = 'idle'
      if (this.queue.length > 0) this.dial()
    }, delay)
  }
}
