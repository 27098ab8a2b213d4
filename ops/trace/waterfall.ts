// Steps as lines of plain text of a bounded width: when, who, what, and where in the whole it lies.

import { escaped } from '../log.ts'
import { durationText } from './figures.ts'
import type { Step } from './steps.ts'

const WIDTH_MIN = 72
const WIDTH_MAX = 160
const WIDTH = 110
/** Of the bars; what is left of the width. */
const BAR_MIN = 12
const BAR_MAX = 40
const WHO_MAX = 18
/** Steps of one picture; a request with thousands of events is no picture any more. */
const STEPS_MAX = 400

/** `isWhoShown`: the steps are of several nodes. */
export function waterfall(
  steps: readonly Step[],
  options: { readonly width?: number | undefined; readonly isWhoShown: boolean },
): string {
  const shown = steps.slice(0, STEPS_MAX)
  const start = Math.min(...shown.map(({ sinceMicros }) => sinceMicros))
  const end = Math.max(...shown.map(({ atMicros }) => atMicros))
  const rows = shown.map(({ atMicros, who, text }) => {
    const name = options.isWhoShown ? cut(escaped(who), WHO_MAX) : ''
    return { after: durationText(atMicros - start), name, text: escaped(text) }
  })
  const widest = (read: (row: (typeof rows)[number]) => string): number =>
    Math.max(0, ...rows.map(row => read(row).length))
  const [afterWidth, nameWidth] = [widest(({ after }) => after), widest(({ name }) => name)]
  const left = afterWidth + 2 + (nameWidth === 0 ? 0 : nameWidth + 2)
  const width = Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, options.width ?? WIDTH))
  const textWidth = Math.min(
    widest(({ text }) => text),
    width - left - BAR_MIN - 4,
  )
  const barWidth = Math.min(BAR_MAX, width - left - textWidth - 4)
  const lines = rows.map(({ after, name, text }, at) => {
    const who = nameWidth === 0 ? '' : `${name.padEnd(nameWidth)}  `
    const bar = barOf(shown[at], { start, end, width: barWidth })
    return `${after.padStart(afterWidth)}  ${who}${cut(text, textWidth).padEnd(textWidth)}  |${bar}|`
  })
  const rest = steps.length - shown.length
  return [...lines, ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n')
}

/** `--*`: from when it began until its moment. */
function barOf(
  step: Step | undefined,
  scale: { readonly start: number; readonly end: number; readonly width: number },
): string {
  if (step === undefined) return ''
  const { start, end, width } = scale
  const place = (micros: number): number =>
    end === start ? 0 : Math.round(((micros - start) / (end - start)) * (width - 1))
  const [from, to] = [place(step.sinceMicros), place(step.atMicros)]
  return `${' '.repeat(from)}${'-'.repeat(Math.max(0, to - from))}*`.padEnd(width)
}

export function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, Math.max(1, lengthMax - 1))}…`
}
