// For each alert: what it is for, and the nearest thing that it must not fire for. Values are in
// promtool's notation: `0+5x60` is 0, 5, … 300.

import type { Alert } from '../../ops/observe/alert.ts'

export type Situation = {
  readonly what: string
  /** Series → values, one every `stepSeconds`. */
  readonly series: Readonly<Record<string, string>>
  /** When it is looked at. */
  readonly at: string
  /** How many alerts of that name fire then. */
  readonly firing: number
}

export type AlertCase = {
  readonly alert: Alert['name']
  /** Default 5. */
  readonly stepSeconds?: 60
  readonly fires: Omit<Situation, 'firing'> & { readonly firing?: number }
  readonly spares: Omit<Situation, 'firing'>
}

export type Where = { readonly role?: string; readonly group?: number; readonly replica?: number }

/** A series of one process; further labels as text. */
export function of(name: string, where: Where = {}, labels = ''): string {
  const { role = 'shardkv', group = 1, replica = 0 } = where
  const target = `cluster="c", role="${role}", group="${group}", replica="${replica}"`
  const prefix = /^(?:up|process_.*)$/.test(name) ? '' : 'shardglass_'
  return `${prefix}${name}{${target}${labels === '' ? '' : `, ${labels}`}}`
}

/** A histogram of 100 values each second, of which so many are above the bound. */
export function histogram(
  name: string,
  bound: string,
  above: number,
  labels = '',
): Record<string, string> {
  const and = labels === '' ? '' : `${labels}, `
  const total = 500
  return {
    [of(`${name}_bucket`, {}, `${and}le="${bound}"`)]: `0+${total - above * 5}x300`,
    [of(`${name}_bucket`, {}, `${and}le="10"`)]: `0+${total}x300`,
    [of(`${name}_bucket`, {}, `${and}le="+Inf"`)]: `0+${total}x300`,
  }
}
