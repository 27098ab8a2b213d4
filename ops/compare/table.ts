// The comparison as text, as Markdown and as JSON.

import type { Figures } from './drive.ts'
import { type Pair, type Spread, spreadOf } from './pairs.ts'
import type { ReplicaFigures } from './restarts.ts'
import type { Row, Wanted } from './rows.ts'

export type Outcome = {
  readonly row: Row
  readonly pairs: readonly Pair[]
  /** Where the row asks for it. */
  readonly replica?: ReplicaFigures
}

export type Line = {
  readonly row: string
  readonly work: string
  readonly clients: number
  readonly ours: string
  readonly theirs: string
  /** Ours ÷ theirs; null where there is nothing to compare with. */
  readonly ratio: Spread | null
  readonly wanted: string
  readonly isMet: boolean
}

const UNITS = { perSecond: '/s', p99: ' ms', systemMicros: ' µs' } as const

export function linesOf({ row, pairs, replica }: Outcome): readonly Line[] {
  const lines = row.wanted.map(wanted => lineOf(row, wanted, pairs))
  return replica === undefined ? lines : [...lines, ...replicaLines(row, replica)]
}

function replicaLines(row: Row, figures: ReplicaFigures): readonly Line[] {
  const { anonymousBytesMost = 0, startMsMost = 0 } = row.replica ?? {}
  const common = { row: row.name, clients: 0, theirs: '', ratio: null }
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
  return [
    {
      ...common,
      work: 'memory of a node outside the memory map',
      ours: megabytes(figures.anonymousBytes),
      wanted: `< ${megabytes(anonymousBytesMost)}`,
      isMet: figures.anonymousBytes < anonymousBytesMost,
    },
    {
      ...common,
      work: 'start of a replica that holds them, to ready',
      ours: seconds(figures.startMs),
      wanted: `< ${seconds(startMsMost)}`,
      isMet: figures.startMs < startMsMost,
    },
  ]
}

function lineOf(row: Row, wanted: Wanted, pairs: readonly Pair[]): Line {
  const { figure, work, ratio: bound } = wanted
  const ratio = spreadOf(pairs.map(({ ours, theirs }) => ours[figure] / theirs[figure]))
  const side = (of: (pair: Pair) => Figures): string =>
    figureText(spreadOf(pairs.map(pair => of(pair)[figure])).median, figure)
  return {
    ...{ row: row.name, work, clients: row.clients, ratio },
    ours: side(({ ours }) => ours),
    theirs: side(({ theirs }) => theirs),
    wanted: 'least' in bound ? `≥ ${bound.least}` : `≤ ${bound.most}`,
    isMet: 'least' in bound ? ratio.median >= bound.least : ratio.median <= bound.most,
  }
}

function figureText(value: number, figure: Wanted['figure']): string {
  return `${short(value)}${UNITS[figure]}`
}

function short(value: number): string {
  if (value >= 1000) return `${(value / 1000).toFixed(1)} k`
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const HEADS = ['row', 'work', 'clients', 'ours', 'theirs', 'ours ÷ theirs', 'wanted', '']

function cellsOf(line: Line): readonly string[] {
  const { row, work, clients, ours, theirs, ratio, wanted, isMet } = line
  const range =
    ratio === null
      ? ''
      : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`
  return [
    row,
    work,
    clients === 0 ? '' : String(clients),
    ours,
    theirs,
    range,
    wanted,
    isMet ? 'ok' : 'short',
  ]
}

export function textTable(lines: readonly Line[]): string {
  const rows = [HEADS, ...lines.map(cellsOf)]
  const widths = HEADS.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(lines: readonly Line[]): string {
  const head = `| ${HEADS.join(' | ')} |\n|${' --- |'.repeat(HEADS.length)}`
  return [head, ...lines.map(line => `| ${cellsOf(line).join(' | ')} |`)].join('\n')
}

/** Behind each ratio: throughput, latency and processor time of both sides, medians over the pairs. */
export function detailTable(outcomes: readonly Outcome[]): string {
  const heads = ['row', 'side', 'per second', 'p50 ms', 'p99 ms', 'CPU µs', 'client µs', 'failed']
  const lines = outcomes.flatMap(({ row, pairs }) => {
    const side = (name: 'ours' | 'theirs'): string => {
      const median = (figure: keyof Figures): number =>
        spreadOf(pairs.map(pair => pair[name][figure])).median
      const { system, load } = row[name]
      const cells = [
        row.name,
        `${system}, ${load.target}`,
        ...FIGURES.map(figure => short(median(figure))),
      ]
      return `| ${cells.join(' | ')} |`
    }
    return [side('ours'), side('theirs')]
  })
  return [`| ${heads.join(' | ')} |`, `|${' --- |'.repeat(heads.length)}`, ...lines].join('\n')
}

const FIGURES = ['perSecond', 'p50', 'p99', 'systemMicros', 'clientMicros', 'failed'] as const
