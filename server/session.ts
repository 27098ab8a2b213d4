// At most once. Each client numbers its requests; per client a session remembers the replies of the
// requests that may still be repeated. Sessions are part of the replicated state: they are changed
// by the log alone, and those of a shard travel with it. Refusals (wrong group, …) are never kept.

import { ByteReader, ByteWriter } from './bytes.ts'
import { SESSION_REPLIES_BYTES_MAX, SESSION_REPLIES_MAX } from './limits.ts'

/** One request of one client. All its numbers up to `acked` are answered: they never come again. */
export type RequestId = {
  /** 1–64 characters of `A-Za-z0-9._-`. */
  readonly client: string
  /** 1 … 2^53 − 1, growing per client. */
  readonly number: number
  readonly acked: number
}

/** Replies kept per session: how many, and their bytes; the newest always is. */
export type SessionBounds = { readonly replies: number; readonly bytes: number }

export const DEFAULT_SESSION_BOUNDS: SessionBounds = {
  replies: SESSION_REPLIES_MAX,
  bytes: SESSION_REPLIES_BYTES_MAX,
}

type Kept = { readonly number: number; readonly fingerprint: number; readonly reply: Uint8Array }

export type Session = {
  /** Requests numbered up to here are refused: their replies are not kept any more. */
  readonly acked: number
  /** By number, growing. */
  readonly kept: readonly Kept[]
  /** Logged wall time of the last request, in ms since 1970. */
  readonly activeAt: number
}

export type Lookup =
  | { readonly type: 'new' }
  | { readonly type: 'repeated'; readonly reply: Uint8Array }
  /** The same number was used for other content. */
  | { readonly type: 'mismatch' }
  | { readonly type: 'expired' }

/** Whether a request was already run. `fingerprint` is a hash of its content, 32 bits. */
export function lookUp(session: Session | null, id: RequestId, fingerprint: number): Lookup {
  return new OpenSession(session).lookUp(id, fingerprint)
}

type Run = {
  readonly id: RequestId
  readonly fingerprint: number
  readonly reply: Uint8Array
  /** Logged time, ms. */
  readonly at: number
}

/** The session after a new request was run. */
export function remember(
  session: Session | null,
  run: Run,
  bounds: SessionBounds = DEFAULT_SESSION_BOUNDS,
): Session {
  const open = new OpenSession(session)
  open.remember(run, bounds)
  return open.done()
}

/**
 * A session while the commands of one transaction run. It is changed in place: a thousand requests of
 * one client would otherwise copy, and encode, up to a thousand replies each.
 */
export class OpenSession {
  private acked: number
  private activeAt: number
  /** By number, growing; those before `first` are forgotten. */
  private readonly kept: Kept[]
  private first = 0
  /** Of the replies that are kept. */
  private bytes = 0
  private isBegun: boolean

  constructor(session: Session | null) {
    this.isBegun = session !== null
    this.acked = session?.acked ?? 0
    this.activeAt = session?.activeAt ?? 0
    this.kept = session === null ? [] : session.kept.slice()
    for (const { reply } of this.kept) this.bytes += reply.length
  }

  /** Nothing of this client has been run here. */
  get isNew(): boolean {
    return !this.isBegun
  }

  lookUp(id: RequestId, fingerprint: number): Lookup {
    for (let index = this.kept.length - 1; index >= this.first; index--) {
      const kept = this.kept[index]
      if (kept === undefined || kept.number < id.number) break
      if (kept.number > id.number) continue
      if (kept.fingerprint !== fingerprint) return { type: 'mismatch' }
      return { type: 'repeated', reply: kept.reply }
    }
    return id.number <= this.acked ? { type: 'expired' } : { type: 'new' }
  }

  /** Only for a request that `lookUp` found to be new. */
  remember({ id, fingerprint, reply, at }: Run, bounds: SessionBounds): void {
    this.isBegun = true
    this.acked = Math.max(this.acked, Math.min(id.acked, id.number - 1))
    this.activeAt = Math.max(this.activeAt, at)
    while (this.oldest <= this.acked) this.forgetOldest()
    let place = this.kept.length
    while (place > this.first && (this.kept[place - 1]?.number ?? 0) > id.number) place -= 1
    const kept = { number: id.number, fingerprint, reply }
    if (place === this.kept.length) this.kept.push(kept)
    else this.kept.splice(place, 0, kept)
    this.bytes += reply.length
    this.bound(bounds)
  }

  done(): Session {
    const { acked, activeAt, kept, first } = this
    return { acked, activeAt, kept: first === 0 ? kept : kept.slice(first) }
  }

  /** Oldest replies go first; the newest stays, whatever its size. */
  private bound(bounds: SessionBounds): void {
    for (;;) {
      const count = this.kept.length - this.first
      const isOver = this.bytes > bounds.bytes || count > bounds.replies
      if (!isOver || count === 1) return
      this.acked = Math.max(this.acked, this.oldest)
      this.forgetOldest()
    }
  }

  /** The lowest number whose reply is kept. */
  private get oldest(): number {
    return this.kept[this.first]?.number ?? Number.POSITIVE_INFINITY
  }

  private forgetOldest(): void {
    this.bytes -= this.kept[this.first]?.reply.length ?? 0
    this.first += 1
  }
}

/** Without its replies; what was run stays refused, so that nothing is silently run again. */
export function retired(session: Session): Session {
  const newest = session.kept.at(-1)?.number ?? 0
  return { acked: Math.max(session.acked, newest), kept: [], activeAt: session.activeAt }
}

export function encodeSession(session: Session): Uint8Array {
  const writer = new ByteWriter(64).uint(session.acked).uint(session.activeAt)
  writer.uint(session.kept.length)
  for (const kept of session.kept) writer.uint(kept.number).u32(kept.fingerprint).bytes(kept.reply)
  return writer.done()
}

export function decodeSession(bytes: Uint8Array): Session {
  const reader = new ByteReader(bytes)
  const acked = reader.uint()
  const activeAt = reader.uint()
  const kept: Kept[] = []
  for (let left = reader.uint(); left > 0; left--) {
    kept.push({ number: reader.uint(), fingerprint: reader.u32(), reply: reader.bytes() })
  }
  reader.end()
  return { acked, kept, activeAt }
}
