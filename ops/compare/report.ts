// The comparison for people: what BENCHMARKS.md is made from.

import { detailTable, linesOf, markdownTable, type Outcome } from './table.ts'

export type Report = {
  readonly machine: readonly string[]
  readonly outcomes: readonly Outcome[]
  readonly terms: { readonly pairs: string; readonly seconds: string }
}

export function markdownText({ machine, outcomes, terms }: Report): string {
  const { pairs, seconds } = terms
  return [
    ...machine.map(line => `- ${line}`),
    '',
    `Medians of ${pairs} pairs of ${seconds} s each, in turns; in brackets the least and the greatest.`,
    '',
    markdownTable(outcomes.flatMap(linesOf)),
    '',
    'Behind the ratios:',
    '',
    detailTable(outcomes),
    '',
  ].join('\n')
}
