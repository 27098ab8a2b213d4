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
  if (session === null) return { type: 'new' }
  for (let index = session.kept.length - 1; index >= 0; index--) {
    const kept = session.kept[index]
    if (kept === undefined || kept.number < id.number) break
    if (kept.number > id.number) continue
    if (kept.fingerprint !== fingerprint) return { type: 'mismatch' }
    return { type: 'repeated', reply: kept.reply }
  }
  return id.number <= session.acked ? { type: 'expired' } : { type: 'new' }
}

/** The session after a new request was run at logged time `at` (ms). */
export function remember(
  session: Session | null,
  request: { id: RequestId; fingerprint: number; reply: Uint8Array; at: number },
  bounds: SessionBounds = DEFAULT_SESSION_BOUNDS,
): Session {
  const { id, fingerprint, reply, at } = request
  const acked = Math.max(session?.acked ?? 0, Math.min(id.acked, id.number - 1))
  const newest = session?.kept.at(-1)?.number ?? 0
  const activeAt = Math.max(session?.activeAt ?? 0, at)
  // Most clients have one request under way, and nothing to keep but its reply.
  if (newest <= acked) return { acked, kept: [{ number: id.number, fingerprint, reply }], activeAt }
  const kept = (session?.kept ?? []).filter(old => old.number > acked)
  const place = kept.findIndex(old => old.number > id.number)
  kept.splice(place < 0 ? kept.length : place, 0, { number: id.number, fingerprint, reply })
  return bounded({ acked, kept, activeAt }, bounds)
}

/** Without its replies; what was run stays refused, so that nothing is silently run again. */
export function retired(session: Session): Session {
  const newest = session.kept.at(-1)?.number ?? 0
  return { acked: Math.max(session.acked, newest), kept: [], activeAt: session.activeAt }
}

/** Oldest replies go first; the newest stays, whatever its size. */
function bounded(session: Session, bounds: SessionBounds): Session {
  const { kept } = session
  let bytes = 0
  let first = kept.length
  while (first > 0) {
    const next = kept[first - 1]
    if (next === undefined) break
    bytes += next.reply.length
    const isOver = bytes > bounds.bytes || kept.length - first >= bounds.replies
    if (isOver && first < kept.length) break
    first -= 1
  }
  if (first === 0) return session
  const acked = kept[first - 1]?.number ?? session.acked
  return { ...session, acked: Math.max(session.acked, acked), kept: kept.slice(first) }
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
