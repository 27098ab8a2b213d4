// Who is logged in. A session stands for a token that somebody showed: everything is asked of the
// cluster with that very token, so the dashboard has no power of its own, and a token that is
// revoked ends its sessions at once. Kept in memory alone.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Auth, Grant } from '../server/http/auth.ts'

export type Session = {
  readonly id: string
  readonly token: string
  /** Every form carries it; no other site can know it. */
  readonly csrf: string
  readonly grant: Grant
  readonly openedAt: number
  seenAt: number
}

export const SESSION_BOUNDS = {
  idleMs: 8 * 3_600_000,
  ageMs: 24 * 3_600_000,
  /** Beyond it the one that was not used for longest ends. */
  count: 1_000,
} as const

export class Sessions {
  private readonly auth: Auth
  private readonly nowMs: () => number
  /** In order of use. */
  private readonly open_ = new Map<string, Session>()

  constructor(auth: Auth, nowMs: () => number) {
    this.auth = auth
    this.nowMs = nowMs
  }

  open(token: string, grant: Grant): Session {
    const now = this.nowMs()
    const id = secret()
    const session = { id, token, csrf: secret(), grant, openedAt: now, seenAt: now }
    this.open_.set(id, session)
    const [oldest] = this.open_.keys()
    if (this.open_.size > SESSION_BOUNDS.count && oldest !== undefined) this.open_.delete(oldest)
    return session
  }

  /** Null when there is none, it is over, or its token is not valid any more. */
  find(id: string | undefined): Session | null {
    const session = id === undefined ? undefined : this.open_.get(id)
    if (session === undefined) return null
    if (!this.isValid(session)) {
      this.open_.delete(session.id)
      return null
    }
    session.seenAt = this.nowMs()
    this.open_.delete(session.id)
    this.open_.set(session.id, session)
    return session
  }

  close(id: string): void {
    this.open_.delete(id)
  }

  /** A token that may see the whole cluster, of the session used last; null: nobody is there. */
  readingToken(): string | null {
    const sessions = [...this.open_.values()].reverse()
    const found = sessions.find(session => session.grant.keyPrefix === '' && this.isValid(session))
    return found?.token ?? null
  }

  /** Whether it still holds, without counting as use. */
  isValid(session: Session): boolean {
    // Who logged out may still have a stream open that holds on to the session.
    if (this.open_.get(session.id) !== session) return false
    const now = this.nowMs()
    if (now - session.seenAt > SESSION_BOUNDS.idleMs) return false
    if (now - session.openedAt > SESSION_BOUNDS.ageMs) return false
    const authorization = `Bearer ${session.token}`
    const grant = this.auth.authenticate({ authorization, remoteAddress: '', connection: null })
    if (!('role' in grant)) return false
    return grant.role === session.grant.role && grant.keyPrefix === session.grant.keyPrefix
  }
}

export function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}

export function secret(): string {
  return randomBytes(32).toString('base64url')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
