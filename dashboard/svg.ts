// Pictures as text: a few shapes by string are a hundred times cheaper than as elements. Only
// numbers and this program's own words go in; foreign text is escaped by who calls.

import { escapeText, type Html, markup } from './html.ts'

export type Series = {
  readonly name: string
  /** Class for its colour. */
  readonly tone: string
  /** Oldest first; null: nothing known. */
  readonly values: readonly (number | null)[]
}

/** A line without axes, the last value at the right edge. */
export function sparkline(values: readonly (number | null)[], label: string): Html {
  const [width, height] = [96, 20]
  const known = values.filter(value => value !== null)
  const text = escapeText(label)
  if (known.length < 2) {
    return markup(
      `<svg class="spark" viewBox="0 0 ${width} ${height}" role="img" aria-label="${text}"></svg>`,
    )
  }
  const top = Math.max(...known, Number.EPSILON)
  const line = pathOf(values, {
    left: 1,
    right: width - 1,
    top: 2,
    bottom: height - 2,
    max: top,
    count: 60,
  })
  return markup(
    `<svg class="spark" viewBox="0 0 ${width} ${height}" role="img" aria-label="${text}"><path d="${line}"/></svg>`,
  )
}

export type ChartOptions = {
  readonly label: string
  readonly series: readonly Series[]
  /** Its round numbers are multiples of 1024. */
  readonly isBinary?: boolean
  /** How a value reads at the axis. */
  readonly unit: (value: number) => string
  /** What stands below the left and the right end. */
  readonly from: string
  readonly to: string
}

const CHART = { width: 560, height: 180, left: 76, right: 552, top: 10, bottom: 156 } as const

export function chart({ label, series, unit, from, to, isBinary = false }: ChartOptions): Html {
  const all = series.flatMap(({ values }) => values).filter(value => value !== null)
  const max = niceMax(Math.max(0, ...all), isBinary)
  const count = Math.max(2, ...series.map(({ values }) => values.length))
  const { left, right, top, bottom } = CHART
  const grid = [0, 0.5, 1].map(share => {
    const y = bottom - share * (bottom - top)
    const text = escapeText(unit(share * max))
    return `<path class="grid" d="M${left} ${y}H${right}"/><text x="${left - 6}" y="${y + 4}" text-anchor="end">${text}</text>`
  })
  const lines = series.map(({ values, tone }) => {
    const line = pathOf(values, { left, right, top, bottom, max, count })
    return `<path class="line ${tone}" d="${line}"/>`
  })
  const ends =
    `<text x="${left}" y="${bottom + 18}">${escapeText(from)}</text>` +
    `<text x="${right}" y="${bottom + 18}" text-anchor="end">${escapeText(to)}</text>`
  return markup(
    `<svg class="chart" viewBox="0 0 ${CHART.width} ${CHART.height}" role="img" aria-label="${escapeText(label)}">` +
      `${grid.join('')}${lines.join('')}${ends}</svg>`,
  )
}

type Frame = {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
  readonly max: number
  /** Places between left and right; the values end at the right. */
  readonly count: number
}

function pathOf(values: readonly (number | null)[], frame: Frame): string {
  const { left, right, top, bottom, max, count } = frame
  const shown = values.slice(-count)
  const step = (right - left) / Math.max(1, count - 1)
  let path = ''
  let isDown = false
  for (const [index, value] of shown.entries()) {
    if (value === null) {
      isDown = false
      continue
    }
    const x = right - (shown.length - 1 - index) * step
    const y = bottom - (Math.min(value, max) / (max || 1)) * (bottom - top)
    path += `${isDown ? 'L' : 'M'}${round(x)} ${round(y)}`
    isDown = true
  }
  return path
}

export type Bar = {
  readonly label: string
  readonly tone: string
  /** µs since the beginning of the picture. */
  readonly from: number
  readonly to: number
  readonly marks?: readonly { readonly at: number; readonly tone: string }[]
  /** Depth in a tree. */
  readonly depth?: number
}

const ROW = 22

/** Bars below each other on one axis of time, with a label each. */
export function waterfall(bars: readonly Bar[], total: number, label: string): Html {
  const [width, left] = [860, 250]
  const height = bars.length * ROW + 6
  const scale = (at: number) =>
    round(left + (Math.max(0, at) / Math.max(1, total)) * (width - left - 12))
  const rows = bars.map((bar, index) => {
    const y = index * ROW + 4
    const [x, end] = [scale(bar.from), scale(bar.to)]
    const marks = (bar.marks ?? []).map(({ at, tone }) => {
      return `<path class="mark ${tone}" d="M${scale(at)} ${y}v${ROW - 6}"/>`
    })
    const indent = 2 + Math.min(8, bar.depth ?? 0) * 10
    return (
      `<text x="${indent}" y="${y + 12}">${escapeText(bar.label.slice(0, 38))}</text>` +
      `<rect class="bar ${bar.tone}" x="${x}" y="${y}" width="${Math.max(2, round(end - x))}" height="${ROW - 6}" rx="2"/>` +
      marks.join('')
    )
  })
  return markup(
    `<svg class="waterfall" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(label)}">` +
      `<path class="grid" d="M${left} 0V${height}M${width - 12} 0V${height}"/>${rows.join('')}</svg>`,
  )
}

/** 1, 2 or 5 times a power of ten. */
function niceMax(value: number, isBinary: boolean): number {
  if (value <= 0) return 1
  if (isBinary && value >= 1024) return 1024 * niceMax(value / 1024, true)
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 5, 10].find(factor => factor * power >= value) ?? 10
  return step * power
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}
