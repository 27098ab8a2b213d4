// Numbers, sizes and times as the pages write them: short, one way each, digits that line up.

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : GROUPED.format(value)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`
}

/** Bytes in powers of 1024. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (value < 1024) return `${Math.round(value)} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let size = value
  let unit = 'B'
  for (const next of units) {
    if (size < 1024) break
    size /= 1024
    unit = next
  }
  return `${short(size)} ${unit}`
}

/** A time span, given in µs. */
export function micros(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (value < 1000) return `${short(value)} µs`
  if (value < 1_000_000) return `${short(value / 1000)} ms`
  return seconds(value / 1_000_000)
}

export function seconds(value: number): string {
  if (value < 60) return `${short(value)} s`
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`
  if (value < 86_400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`
  return `${Math.floor(value / 86_400)} d ${Math.floor((value % 86_400) / 3600)} h`
}

/** Three digits that matter. */
export function short(value: number): string {
  if (value === 0) return '0'
  if (Math.abs(value) >= 100) return GROUPED.format(value)
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)))
}

/** `2026-11-25 01:40:07` in UTC; '–' where unknown. */
export function time(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms <= 0 || !Number.isFinite(ms)) return '–'
  return isoOf(ms).slice(0, 19).replace('T', ' ')
}

/** `01:40:07.123`, for what is close together. */
export function clock(ms: number): string {
  return isoOf(ms).slice(11, 23)
}

/** For `datetime` attributes. */
export function isoOf(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString()
}

export function ago(ms: number, nowMs: number): string {
  const past = Math.max(0, (nowMs - ms) / 1000)
  return past < 1.5 ? 'now' : `${seconds(Math.round(past))} ago`
}

/** Host and port of a base URL. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

/** 4 sets as `1, 2, 3–7`. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((one, other) => one - other)
  const parts: string[] = []
  for (let index = 0; index < sorted.length; ) {
    const first = sorted[index] ?? 0
    let last = first
    while (sorted[index + 1] === last + 1) {
      index += 1
      last += 1
    }
    parts.push(first === last ? `${first}` : `${first}–${last}`)
    index += 1
  }
  return parts.join(', ')
}
