// What one searches the archive by, as it stands in the URL of a page.

import { wholeParam } from './page.ts'

export type SearchFields = {
  readonly gid?: number
  readonly shard?: number
  readonly config?: number
  readonly name?: string
  readonly origin?: string
  readonly outcome?: string
  readonly minMicros?: number
  readonly from?: string
  readonly to?: string
  readonly order?: 'newest' | 'slowest'
  readonly before?: string
}

const TEXT_MAX = 200

/** What is not understood is left out; the form shows what was. */
export function searchOf(query: URLSearchParams): SearchFields {
  const text = (name: string): string | undefined => {
    const value = query.get(name)?.trim() ?? ''
    return value === '' || value.length > TEXT_MAX ? undefined : value
  }
  const number = (name: string): number | undefined => {
    return wholeParam(query.get(name), 0, Number.MAX_SAFE_INTEGER) ?? undefined
  }
  const ms = Number(query.get('minMs') ?? '')
  const fields = {
    gid: number('gid'),
    shard: number('shard'),
    config: number('config'),
    name: text('name'),
    origin: text('origin'),
    outcome: text('outcome'),
    minMicros: ms > 0 && Number.isFinite(ms) ? Math.round(ms * 1000) : undefined,
    from: text('from'),
    to: text('to'),
    order: query.get('order') === 'slowest' ? ('slowest' as const) : undefined,
    before: text('before'),
  }
  return defined(fields)
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the fields that nobody gave. */
export function defined<T extends object>(fields: T): Defined<T> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Defined<T>
}

/** The same search from another place on. */
export function pageLink(path: string, fields: SearchFields, before: string): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...fields, before })) {
    if (name === 'minMicros') query.set('minMs', String(Number(value) / 1000))
    else query.set(name, String(value))
  }
  return `${path}?${query}`
}
