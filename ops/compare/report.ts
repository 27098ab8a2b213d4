// The comparison for people: what BENCHMARKS.md is made from. A file that has marks for the section
// keeps all that stands around them.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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

/** Between `<!-- NAME -->` and `<!-- /NAME -->` of the file where it has these, else as all of it. */
export function writeSection(path: string, name: string, text: string): void {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const from = before.indexOf(begin)
  const to = before.indexOf(end)
  if (from < 0 || to < from) return writeFileSync(path, text)
  const head = before.slice(0, from + begin.length)
  writeFileSync(path, `${head}\n\n${text.trim()}\n\n${before.slice(to)}`)
}
