// A data directory that was copied and started twice is one life of a replica in two processes: two
// voters with one name, which know nothing of each other's promises. The lock on the directory does
// not reach another copy of it. But each process draws an id when it starts and says it with its name,
// and whoever is in touch with one of them turns the other away.

import { randomBytes } from 'node:crypto'
import type { Sender } from '../contract.ts'
import { PEER_TWIN_MS } from '../limits.ts'
import { addressKey } from './peer-identity.ts'

/** Of this process. */
export const OWN_START = randomBytes(8).toString('hex')

/** A process at the other end of one connection or more. */
export type Presence = {
  readonly sender: Sender
  readonly start: string
  links: number
  /** ms of performance.now(): the last frame. */
  heardAt: number
  /** Another process has taken its place: what it says counts no more. */
  isOusted: boolean
}

export class PeerStarts {
  private readonly present = new Map<number, Presence>()
  private readonly nowMs: () => number

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs
  }

  /**
   * For a new connection; null when another process with the same incarnation is connected and was
   * heard just now. One that is silent may be dead: then the newer one counts.
   */
  enter(sender: Sender, start: string): Presence | null {
    const key = addressKey(sender)
    const known = this.present.get(key)
    const heardAt = this.nowMs()
    if (known !== undefined && isSameLife(known.sender, sender)) {
      if (known.start === start) {
        known.links += 1
        known.heardAt = heardAt
        return known
      }
      if (heardAt - known.heardAt < PEER_TWIN_MS) return null
    }
    if (known !== undefined) known.isOusted = true
    const presence = { sender, start, links: 1, heardAt, isOusted: false }
    this.present.set(key, presence)
    return presence
  }

  /** Something came over one of its connections; false: it must not be listened to. */
  onHeard(presence: Presence): boolean {
    presence.heardAt = this.nowMs()
    return !presence.isOusted
  }

  /** One of its connections is closed. */
  leave(presence: Presence): void {
    presence.links -= 1
    const key = addressKey(presence.sender)
    if (presence.links === 0 && this.present.get(key) === presence) this.present.delete(key)
  }
}

function isSameLife(a: Sender, b: Sender): boolean {
  return a.incarnation === b.incarnation
}
