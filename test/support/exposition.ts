// Reads what `/metrics` answers, strictly, for tests: families with their type, and every series.

export type Series = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly exemplar: string | null
}

export type Exposition = {
  /** Family as announced → type. */
  readonly types: ReadonlyMap<string, string>
  readonly series: readonly Series[]
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? (\S+)(?: # (\{.*\} \S+ \S+))?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy

/** Throws at the first line that is neither a comment nor a series. */
export function readExposition(text: string): Exposition {
  const types = new Map<string, string>()
  const series: Series[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ') || line === '# EOF') continue
    const announced = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line)
    if (announced !== null) {
      types.set(announced[1] ?? '', announced[2] ?? '')
      continue
    }
    const found = LINE.exec(line)
    if (found === null) throw new Error(`not a series: ${line}`)
    const [, name = '', labels = '', value = '', exemplar = null] = found
    series.push({ name, labels: labelsOf(labels), value: numberOf(value), exemplar })
  }
  return { types, series }
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let read = 0
  for (const match of text.matchAll(LABEL)) {
    labels[match[1] ?? ''] = match[2] ?? ''
    read += match[0].length
  }
  if (read !== text.length) throw new Error(`not labels: ${text}`)
  return labels
}

function numberOf(text: string): number {
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
  if (Number.isNaN(value)) throw new Error(`not a number: ${text}`)
  return value
}

/** The one value with these labels, others left open; null where there is none. */
export function seriesValue(
  { series }: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const found = series.filter(
    one =>
      one.name === name &&
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )
  if (found.length > 1) throw new Error(`${found.length} series of ${name}`)
  return found[0]?.value ?? null
}

/** Σ of all series of a name with these labels. */
export function sumOf(
  { series }: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return series
    .filter(one => one.name === name)
    .filter(one => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}
