// Where the values of metrics come from: functions that are asked when somebody scrapes, and read plain
// numbers that are there anyway. A process gives one for each family that the catalog says it has:
// one that is missing, or not in the catalog, does not compile.

import type { MarkedTally, Tally } from '../../server/tally.ts'
import type { FAMILIES, FamilyName, FamilyNameOn } from './metric-catalog.ts'
import type { ProcessKind } from './metric-family.ts'

/** A series of a counter or gauge. */
export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }
/** A series of a histogram. `traceOf`: trace id that an example's mark stands for, null for none. */
export type Spread = {
  readonly labels: Readonly<Record<string, string>>
  readonly tally: Tally | MarkedTally
  readonly traceOf?: (mark: number) => string | null
}

export type SampleSource = () => number | Iterable<Sample>
export type SpreadSource = () => Tally | Iterable<Spread>

/** Any of these, where the type of the family is known to fit. */
export type AnySource = () => number | Tally | Iterable<Sample | Spread>

type SourceOf<Name extends FamilyName> = (typeof FAMILIES)[Name]['type'] extends 'histogram'
  ? SpreadSource
  : SampleSource

export type SourcesOf<Names extends FamilyName> = {
  readonly [Name in Names]: SourceOf<Name>
}

/** All sources of one kind of process. */
export type Sources<Kind extends ProcessKind> = SourcesOf<FamilyNameOn<Kind>>

/** One reading for all families of a scrape that ask within so many ms. */
export function heldFor<Value>(ms: number, read: () => Value): () => Value {
  let held: { readonly at: number; readonly value: Value } | null = null
  return () => {
    const now = performance.now()
    if (held === null || now - held.at > ms) held = { at: now, value: read() }
    return held.value
  }
}

/** Samples of one label. */
export function* by(
  label: string,
  values: Iterable<readonly [value: string | number, number: number]>,
): Iterable<Sample> {
  for (const [value, number] of values) yield { labels: { [label]: String(value) }, value: number }
}

export function* spreadBy(
  label: string,
  tallies: Iterable<readonly [value: string | number, tally: Tally]>,
): Iterable<Spread> {
  for (const [value, tally] of tallies) yield { labels: { [label]: String(value) }, tally }
}
