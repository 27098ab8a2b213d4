// What one searches the archive by, as it stands in the URL of a page.

import { wholeParam } from './page.ts'

export type SearchFields = {
  readonly gid?: number | undefined
  readonly shard?: number | undefined
  readonly config?: number | undefined
  readonly name?: string | undefined
  readonly origin?: string | undefined
  readonly outcome?: string | undefined
  readonly minMicros?: number | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly order?: 'newest' | 'slowest' | undefined
  readonly before?: string | undefined
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
  return {
    gid: number('gid'),
    shard: number('shard'),
    config: number('config'),
    name: text('name'),
    origin: text('origin'),
    outcome: text('outcome'),
    minMicros: ms > 0 && Number.isFinite(ms) ? Math.round(ms * 1000) : undefined,
    from: text('from'),
    to: text('to'),
    order: query.get('order') === 'slowest' ? 'slowest' : undefined,
    before: text('before'),
  }
}

/** The same search from another place on. */
export function pageLink(path: string, fields: SearchFields, before: string): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...fields, before })) {
    if (value === undefined) continue
    if (name === 'minMicros') query.set('minMs', String(Number(value) / 1000))
    else query.set(name, String(value))
  }
  return `${path}?${query}`
}
