// The sessions that the commands of one transaction use. Each is read from the store once and written
// once, however many of its requests ran in between: what the store holds at the end is the same.

import type { ByteString } from '../bytes.ts'
import { decodeSession, encodeSession, OpenSession } from '../session.ts'
import type { StoreReader, StoreTransaction } from '../store.ts'

export class OpenSessions {
  /** Place in the store → session. A new map each time: see host/waiters.ts for why. */
  private open = new Map<ByteString, OpenSession>()
  /** Places of those that were changed. */
  private changed = new Set<ByteString>()

  /** As it is now, what ran in this transaction included. */
  at(place: ByteString, store: Pick<StoreReader, 'get'>): OpenSession {
    const known = this.open.get(place)
    if (known !== undefined) return known
    const stored = store.get(place)
    const session = new OpenSession(stored === undefined ? null : decodeSession(stored))
    this.open.set(place, session)
    return session
  }

  /** The session at this place was changed: it is to be written. */
  change(place: ByteString): void {
    this.changed.add(place)
  }

  /** Before anything else reads or deletes sessions in the store, and at the transaction's end. */
  write(transaction: StoreTransaction): void {
    if (this.open.size === 0) return
    for (const place of this.changed) {
      const session = this.open.get(place)
      if (session !== undefined) transaction.put(place, encodeSession(session.done()))
    }
    this.clear()
  }

  clear(): void {
    this.open = new Map()
    this.changed = new Set()
  }
}
