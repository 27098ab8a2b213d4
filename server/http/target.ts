// The raw request target, taken apart exactly once. URL parsers collapse dot segments, replace `\`
// and decode what they like: a write would go to another key than the client meant. So the routes
// work on the target as it was received, and what any such parser would rewrite is refused.

import { isUtf8 } from 'node:buffer'
import type { ByteString } from '../bytes.ts'
import { KEY_BYTES_MAX } from '../limits.ts'
import { type Problem, problem } from './problem.ts'

/** Path and query as received; neither is decoded. */
export type Target = { readonly path: string; readonly query: string }

/** Names with their decoded values, as characters of bytes. */
export type Query = ReadonlyMap<string, ByteString>

const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i
const NO_QUERY: Query = new Map()

/** Splits without judging: what the router needs, whatever the target is. */
export function splitTarget(target: string): Target {
  const origin = target.startsWith('/') ? target : originForm(target)
  const mark = origin.indexOf('?')
  if (mark < 0) return { path: origin, query: '' }
  return { path: origin.slice(0, mark), query: origin.slice(mark + 1) }
}

/** What is wrong with a target, whichever route it names; null when nothing is. */
export function targetProblem(
  target: string,
  isOwnHost: (host: string) => boolean,
): Problem | null {
  if (!target.startsWith('/')) {
    const host = ABSOLUTE.exec(target)?.[1]
    if (host === undefined) return problem('bad-request', 'the request target is not a path')
    if (!isOwnHost(host)) return problem('bad-request', 'the request names a foreign host')
  }
  if (target.includes('#') || target.includes('\\')) {
    return problem('bad-request', 'the request target contains # or a backslash: percent-encode it')
  }
  // Cheap question first: nearly no target has a segment that begins with a dot.
  const mayHaveDots = target.includes('/.') || target.includes('/%2')
  if (mayHaveDots && DOT_SEGMENT.test(splitTarget(target).path)) {
    return problem('bad-request', 'the path contains dot segments: give such a key as ?key=')
  }
  return null
}

/**
 * Parameters of a query: percent-decoding only, `+` is a plus sign. Unknown or repeated names are
 * refused: a `?` that was meant as part of a key would otherwise name another key.
 */
export function parseQuery(query: string, allowed: readonly string[]): Query | Problem {
  if (query === '') return NO_QUERY
  const found = new Map<string, ByteString>()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const name = equals < 0 ? part : part.slice(0, equals)
    if (!allowed.includes(name)) {
      const names = allowed.length === 0 ? 'none' : allowed.join(', ')
      const hint = 'a token is accepted in the Authorization header only'
      return problem('bad-request', `unknown query parameter (known here: ${names}); ${hint}`)
    }
    if (found.has(name)) return problem('bad-request', `query parameter ${name} is given twice`)
    const value = percentDecoded(equals < 0 ? '' : part.slice(equals + 1))
    if (value === null) return problem('bad-request', `query parameter ${name} is badly escaped`)
    found.set(name, value)
  }
  return found
}

/** The key in a path after its route's prefix: all of the rest, slashes included. */
export function keyInPath(path: string, prefix: string): ByteString | Problem {
  const key = percentDecoded(path.slice(prefix.length))
  if (key === null) return problem('bad-request', 'the key contains an invalid percent escape')
  return checkedKey(key)
}

/** A decoded key, if it is one: 1–1,024 bytes of valid UTF-8. */
export function checkedKey(key: ByteString): ByteString | Problem {
  if (key.length === 0) return problem('bad-request', 'the key is empty')
  if (key.length > KEY_BYTES_MAX) {
    return problem('bad-request', `the key exceeds ${KEY_BYTES_MAX} bytes`)
  }
  if (!isUtf8Bytes(key)) return problem('bad-request', 'the key is not valid UTF-8')
  return key
}

/** Exactly one round of percent-decoding, to characters of bytes; null for an invalid escape. */
export function percentDecoded(text: string): ByteString | null {
  let percent = text.indexOf('%')
  if (percent < 0) return text
  let decoded = ''
  let from = 0
  while (percent >= 0) {
    const high = hexDigit(text.charCodeAt(percent + 1))
    const low = hexDigit(text.charCodeAt(percent + 2))
    if (high < 0 || low < 0) return null
    decoded += text.slice(from, percent) + String.fromCharCode(high * 16 + low)
    from = percent + 3
    percent = text.indexOf('%', from)
  }
  return decoded + text.slice(from)
}

function isUtf8Bytes(bytes: ByteString): boolean {
  for (let index = 0; index < bytes.length; index++) {
    if (bytes.charCodeAt(index) > 0x7f) return isUtf8(Buffer.from(bytes, 'latin1'))
  }
  return true
}

/** −1 for what is not a hex digit, NaN (past the end) included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function originForm(target: string): string {
  const rest = ABSOLUTE.exec(target)?.[2] ?? ''
  return rest.startsWith('/') ? rest : `/${rest}`
}
