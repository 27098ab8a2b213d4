// Who may do what. Bearer tokens of at least 128 random bits, known by their SHA-256 alone; the
// hashes are compared in constant time, all of them, whichever matches. Replicas have a credential
// of their own: a client's token opens no peer route, and a peer's no other.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { REFUSAL_ADDRESSES_MAX, REFUSALS_PER_MINUTE } from './bounds.ts'
import { type Problem, problem } from './problem.ts'

/** Each role may do what the ones before it may. */
const ROLES = ['reader', 'writer', 'admin'] as const
export type Role = (typeof ROLES)[number]

export type TokenRecord = {
  /** Kept as the actor of changes. */
  readonly name: string
  readonly role: Role
  /** SHA-256 of the token, hex. */
  readonly hash: string
  /** Set: only keys that begin with it, and nothing but keys. */
  readonly prefix?: string | undefined
}

/** What an accepted token allows. */
export type Grant = {
  readonly name: string
  readonly role: Role
  /** Characters of UTF-8 bytes; '' for all keys. */
  readonly keyPrefix: string
}

export interface Auth {
  authenticate(caller: Caller): Grant | Problem
  /** Whether this is the credential of this cluster's replicas; counts refusals too. */
  peerProblem(caller: Caller): Problem | null
  /** The same question where others may come too: nothing is counted. */
  isPeer(caller: Caller): boolean
  /** Puts other tokens in place of the present ones, for connections that are open as well. */
  replaceTokens(tokens: readonly TokenRecord[]): void
}

export type Caller = {
  readonly authorization: string | undefined
  readonly remoteAddress: string
  /** Same object for one connection, which need not prove the same token again; or null. */
  readonly connection: object | null
}

export type AuthOptions = {
  readonly tokens: readonly TokenRecord[]
  /** SHA-256 of the peers' credential, hex; null when there are no peers. */
  readonly peerHash: string | null
  readonly nowMs?: () => number
}

const TOKEN_RECORDS = z.array(
  z.strictObject({
    name: z.string().regex(/^[A-Za-z0-9._@-]{1,64}$/),
    role: z.enum(ROLES),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    prefix: z.string().min(1).max(1024).optional(),
  }),
)

/** Reads a token file: a JSON array of records. Throws an Error that names the first fault. */
export function decodeTokens(text: string): readonly TokenRecord[] {
  const found = TOKEN_RECORDS.safeParse(JSON.parse(text))
  if (found.success) return found.data
  throw new Error(`token file: ${z.prettifyError(found.error)}`)
}

/** 256 random bits, in characters that need no escaping anywhere. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export function createAuth(options: AuthOptions): Auth {
  const refusals = new Refusals(options.nowMs ?? (() => performance.now()))
  const peerHash = options.peerHash === null ? null : Buffer.from(options.peerHash, 'hex')
  let known = options.tokens.map(toKnown)
  let proven = new WeakMap<object, { authorization: string; grant: Grant }>()
  const authenticate = (caller: Caller): Grant | Problem => {
    const { authorization, connection } = caller
    const before = connection === null ? undefined : proven.get(connection)
    if (before !== undefined && before.authorization === authorization) return before.grant
    const token = bearerToken(authorization)
    const grant = token === null ? null : matching(known, token)
    if (grant === null) return refusals.refuse(caller, token === null)
    if (connection !== null && authorization !== undefined) {
      proven.set(connection, { authorization, grant })
    }
    return grant
  }
  const isPeer = (caller: Caller): boolean => {
    const token = bearerToken(caller.authorization)
    return token !== null && peerHash !== null && timingSafeEqual(digest(token), peerHash)
  }
  const peerProblem = (caller: Caller): Problem | null => {
    if (isPeer(caller)) return null
    return refusals.refuse(caller, bearerToken(caller.authorization) === null)
  }
  const replaceTokens = (tokens: readonly TokenRecord[]): void => {
    known = tokens.map(toKnown)
    proven = new WeakMap()
  }
  return { authenticate, peerProblem, isPeer, replaceTokens }
}

/** Null when the grant includes the role. */
export function roleProblem(grant: Grant, role: Role): Problem | null {
  if (ROLES.indexOf(grant.role) >= ROLES.indexOf(role)) return null
  return problem('forbidden', `this needs a token with the role ${role}`)
}

/** Null when the grant includes the key. */
export function keyProblem(grant: Grant, key: string): Problem | null {
  if (key.startsWith(grant.keyPrefix)) return null
  return problem('forbidden', 'the token is for keys of another prefix')
}

type Known = { readonly hash: Buffer; readonly grant: Grant }

function toKnown(record: TokenRecord): Known {
  const keyPrefix = Buffer.from(record.prefix ?? '', 'utf8').toString('latin1')
  const { name, role, hash } = record
  return { hash: Buffer.from(hash, 'hex'), grant: { name, role, keyPrefix } }
}

/** Looks at every record, so that the time tells nothing. */
function matching(known: readonly Known[], token: string): Grant | null {
  const hash = digest(token)
  let found: Grant | null = null
  for (const candidate of known) {
    if (timingSafeEqual(candidate.hash, hash)) found = candidate.grant
  }
  return found
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function bearerToken(authorization: string | undefined): string | null {
  return /^bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(authorization ?? '')?.[1] ?? null
}

/** Counts refused tokens per address and minute. Right tokens pass all the same. */
class Refusals {
  private readonly nowMs: () => number
  /** address → refusals in the minute that began at `since`. */
  private readonly counts = new Map<string, { since: number; count: number }>()

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  /** `isAbsent`: there was no token at all, which guesses nothing and is not counted. */
  refuse(caller: Caller, isAbsent: boolean): Problem {
    const leftMs = isAbsent ? 0 : this.count(caller.remoteAddress)
    if (leftMs > 0) {
      const headers = ['Retry-After', String(Math.ceil(leftMs / 1000))]
      return problem('too-many-requests', 'too many refused tokens from this address', { headers })
    }
    const error = isAbsent ? '' : ', error="invalid_token"'
    const headers = ['WWW-Authenticate', `Bearer realm="shardglass"${error}`]
    const detail = isAbsent ? 'no bearer token was given' : 'the token is not known'
    return problem('unauthorized', detail, { headers })
  }

  /** Ms until the address may try again; 0 when it is within bounds. */
  private count(address: string): number {
    const now = this.nowMs()
    const entry = this.counts.get(address)
    if (entry === undefined || now - entry.since >= MINUTE_MS) {
      this.counts.delete(address)
      this.counts.set(address, { since: now, count: 1 })
      const [oldest] = this.counts.keys()
      if (this.counts.size > REFUSAL_ADDRESSES_MAX && oldest !== undefined) {
        this.counts.delete(oldest)
      }
      return 0
    }
    entry.count += 1
    return entry.count <= REFUSALS_PER_MINUTE ? 0 : entry.since + MINUTE_MS - now
  }
}

const MINUTE_MS = 60_000
