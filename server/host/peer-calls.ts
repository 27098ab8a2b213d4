// Requests passed to other replicas and not yet answered. Each ends once: with a reply, at its
// deadline, or when the connection that carried it is gone. Until a request was given to a socket,
// it certainly had no effect; afterwards nobody knows.

import type { Unreachable } from '../backend.ts'
import { PEER_CALLS_MAX } from '../limits.ts'
import type { PeerLink } from './peer-link.ts'

/** What carries a call: a connection, or nothing at all when it is for this replica itself. */
type Carrier = PeerLink | 'self'

type PendingCall<Reply> = {
  readonly resolve: (reply: Reply | Unreachable) => void
  readonly timer: NodeJS.Timeout
  /** The connection that it was given to; null as long as it waits in a queue. */
  carrier: Carrier | null
}

export class PeerCalls<Reply> {
  private readonly pending = new Map<number, PendingCall<Reply>>()
  private lastId = 0

  /** `start` is given the call's number and sends it; `onTimeout` is told if no reply came. */
  open(timeoutMs: number, start: (id: number) => void, onTimeout: () => void) {
    return new Promise<Reply | Unreachable>(resolve => {
      if (this.pending.size >= PEER_CALLS_MAX) {
        resolve({ type: 'unreachable', isDefinite: true })
        return
      }
      const id = ++this.lastId
      const expire = () => {
        onTimeout()
        this.fail(id)
      }
      this.pending.set(id, { resolve, timer: setTimeout(expire, timeoutMs), carrier: null })
      start(id)
    })
  }

  /** Whether anyone still waits for it: what has expired in a queue is not sent any more. */
  isOpen(id: number): boolean {
    return this.pending.has(id)
  }

  onWritten(id: number, carrier: Carrier): void {
    const call = this.pending.get(id)
    if (call !== undefined) call.carrier = carrier
  }

  /** A late or doubled reply, or one from someone who was not asked, finds no call: dropped. */
  settle(id: number, carrier: Carrier, reply: Reply): void {
    if (this.pending.get(id)?.carrier === carrier) this.take(id)?.resolve(reply)
  }

  fail(id: number): void {
    const call = this.take(id)
    call?.resolve({ type: 'unreachable', isDefinite: call.carrier === null })
  }

  onLinkClosed(link: PeerLink): void {
    for (const [id, call] of this.pending) if (call.carrier === link) this.fail(id)
  }

  close(): void {
    for (const id of [...this.pending.keys()]) this.fail(id)
  }

  private take(id: number): PendingCall<Reply> | undefined {
    const call = this.pending.get(id)
    if (call === undefined) return undefined
    this.pending.delete(id)
    clearTimeout(call.timer)
    return call
  }
}
