// The shardmaster's sessions, in the store under `s` + client. Which of them have been idle too long
// is decided by the wall time in the log, a bounded number at a time, so that all replicas agree.

import { SESSION_FORGET_MS, SESSION_IDLE_MS } from '../limits.ts'
import { decodeSession, encodeSession, retired, type Session } from '../session.ts'
import { prefixRange, type StoreReader, type StoreTransaction } from '../store.ts'
import type { ExpireCommand } from './command.ts'

type Bounds = Pick<ExpireCommand, 'after' | 'limit' | 'idleMs' | 'forgetMs'>

const PREFIX = 's'

export function readSession(store: StoreReader, client: string): Session | null {
  const bytes = store.get(PREFIX + client)
  return bytes === undefined ? null : decodeSession(bytes)
}

export function writeSession(
  transaction: StoreTransaction,
  client: string,
  session: Session,
): void {
  transaction.put(PREFIX + client, encodeSession(session))
}

export function countSessions(store: StoreReader): number {
  let count = 0
  for (const _ of store.range(prefixRange(PREFIX))) count += 1
  return count
}

/** Retires or forgets those of a step that are idle too long at `wallMs`; returns how many are gone. */
export function expireSessions(
  transaction: StoreTransaction,
  bounds: Bounds,
  wallMs: number,
): number {
  const { seen } = readStep(transaction, bounds)
  let forgotten = 0
  for (const [client, session] of seen) {
    const fate = fateOf(session, bounds, wallMs)
    if (fate === 'retire') writeSession(transaction, client, retired(session))
    if (fate !== 'forget') continue
    transaction.delete(PREFIX + client)
    forgotten += 1
  }
  return forgotten
}

/** Whether a step would change anything, and where the next one begins: saves an idle log. */
export function previewExpiry(
  store: StoreReader,
  at: { readonly after: string; readonly limit: number; readonly wallMs: number },
): { readonly next: string; readonly isNeeded: boolean } {
  const bounds = { ...at, idleMs: SESSION_IDLE_MS, forgetMs: SESSION_FORGET_MS }
  const { seen, next } = readStep(store, bounds)
  return {
    next,
    isNeeded: seen.some(([, session]) => fateOf(session, bounds, at.wallMs) !== 'keep'),
  }
}

function fateOf(session: Session, bounds: Bounds, wallMs: number): 'keep' | 'retire' | 'forget' {
  const idleMs = wallMs - session.activeAt
  if (idleMs > bounds.forgetMs) return 'forget'
  return idleMs > bounds.idleMs && session.kept.length > 0 ? 'retire' : 'keep'
}

/** Read in full before anything is written: a range is not iterated while it changes. */
function readStep(
  store: StoreReader,
  { after, limit }: Pick<Bounds, 'after' | 'limit'>,
): { readonly seen: readonly (readonly [string, Session])[]; readonly next: string } {
  const all = prefixRange(PREFIX)
  const from = after === '' ? all.from : `${PREFIX}${after}\0`
  const seen: (readonly [string, Session])[] = []
  for (const [key, value] of store.range({ from, to: all.to })) {
    if (seen.length === limit) return { seen, next: seen.at(-1)?.[0] ?? '' }
    seen.push([key.slice(PREFIX.length), decodeSession(value)])
  }
  return { seen, next: '' }
}
