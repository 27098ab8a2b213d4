// Parameters of the archive's questions, read strictly: what is not understood is refused.

import { isProblem } from '../../server/http/decode.ts'
import { type Problem, problem } from '../../server/http/problem.ts'
import type { Query } from '../../server/http/target.ts'
import { cursorPlace } from './question.ts'
import type { Page } from './search.ts'
import type { Filter } from './segment-reader.ts'

const LIMIT = 100
/** Lines of one answer. */
export const LIMIT_MAX = 1_000

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 }
const NAME = /^[\w.:/ {}-]{1,128}$/

export type Listing = { readonly filter: Filter; readonly page: Page }

/** Every parameter that a list may have; a route takes those that it names. */
export function listingOf(query: Query, nowMs: number): Listing | Problem {
  const times = interval(query, nowMs)
  if (isProblem(times)) return times
  const numbers = wholes(query, ['gid', 'shard', 'config', 'minMicros', 'limit'])
  if (isProblem(numbers)) return numbers
  const texts = names(query, ['name', 'outcome', 'origin'])
  if (isProblem(texts)) return texts
  const order = query.get('order') ?? 'newest'
  if (order !== 'newest' && order !== 'slowest') {
    return problem('bad-request', 'order must be newest or slowest')
  }
  const { limit = LIMIT, gid, shard, config, minMicros } = numbers
  if (limit < 1 || limit > LIMIT_MAX) {
    return problem('bad-request', `limit must be 1 to ${LIMIT_MAX}`)
  }
  const cursor = query.get('before')
  const before = cursor === undefined ? null : cursorPlace(cursor)
  if (cursor !== undefined && before === null) {
    return problem('bad-request', 'before must be the next of an answer')
  }
  const { name, outcome, origin } = texts
  const rest = { gid, shard, config, minMicros, outcome, origin }
  const filter = { ...times, ...rest, names: name === undefined ? undefined : [name] }
  return { filter, page: { order, limit, before } }
}

/** The two numbers at the end of a path, such as `1/4711`. */
export function twoNumbers(path: string, prefix: string): readonly [number, number] | Problem {
  const match = /^(\d{1,16})\/(\d{1,16})$/.exec(path.slice(prefix.length))
  const [one, two] = [Number(match?.[1]), Number(match?.[2])]
  if (Number.isSafeInteger(one) && Number.isSafeInteger(two)) return [one, two]
  return problem('bad-request', 'the path must end in two whole numbers')
}

/** 32 hex digits at the end of a path. */
export function traceIdOf(path: string, prefix: string): string | Problem {
  // To the router the path without its last segment is the same route.
  if (!path.startsWith(prefix)) return problem('not-found', 'there is no such resource')
  const id = path.slice(prefix.length).toLowerCase()
  return /^[0-9a-f]{32}$/.test(id) ? id : problem('bad-request', 'a trace id has 32 hex digits')
}

type Interval = Pick<Filter, 'fromMicros' | 'toMicros'>

function interval(query: Query, nowMs: number): Interval | Problem {
  const [from, to] = ['from', 'to'].map(name => {
    const text = query.get(name)
    return text === undefined ? undefined : timeOf(text, nowMs)
  })
  if (from === null || to === null) {
    const forms = 'ms since 1970, a time like 2026-11-25T10:42:00Z, or one ago like 1h or 30m'
    return problem('bad-request', `from and to must be ${forms}`)
  }
  const fromMicros = from === undefined ? 0 : from * 1000
  // Clocks of nodes may be ahead: without a bound nothing is left out.
  const toMicros = to === undefined ? Number.MAX_SAFE_INTEGER : to * 1000 + 999
  return { fromMicros, toMicros }
}

/** Ms since 1970; null for what is no time. */
export function timeOf(text: string, nowMs: number): number | null {
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * (UNITS[ago[2] ?? ''] ?? 0)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const isIso = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]{5,15}(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)
  const ms = isIso ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? null : ms
}

function wholes<Name extends string>(
  query: Query,
  wanted: readonly Name[],
): { readonly [key in Name]?: number } | Problem {
  const found: { [key in Name]?: number } = {}
  for (const name of wanted) {
    const text = query.get(name)
    if (text === undefined) continue
    const number = Number(text)
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) {
      return problem('bad-request', `${name} must be a whole number`)
    }
    found[name] = number
  }
  return found
}

function names<Name extends string>(
  query: Query,
  wanted: readonly Name[],
): { readonly [key in Name]?: string } | Problem {
  const found: { [key in Name]?: string } = {}
  for (const name of wanted) {
    const text = query.get(name)
    if (text === undefined) continue
    if (!NAME.test(text)) return problem('bad-request', `${name} is not one that a span can have`)
    found[name] = text
  }
  return found
}
