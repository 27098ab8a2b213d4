// Figures for people: durations, sizes, times, counts.

/** Three digits that matter: `734 µs`, `1.23 ms`, `12.3 s`, `5 min 12 s`. */
export function durationText(micros: number): string {
  if (micros < 1_000) return `${Math.round(micros)} µs`
  if (micros < 1e6) return `${significant(micros / 1e3)} ms`
  if (micros < 120e6) return `${significant(micros / 1e6)} s`
  const seconds = Math.round(micros / 1e6)
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 2_880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.round(minutes / 1_440)} days`
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 ** 2) return `${significant(bytes / 1024)} KB`
  if (bytes < 1024 ** 3) return `${significant(bytes / 1024 ** 2)} MB`
  return `${significant(bytes / 1024 ** 3)} GB`
}

/** `2026-11-25 10:42:01.123456 UTC`. */
export function timeText(micros: number): string {
  const iso = new Date(Math.floor(micros / 1e3)).toISOString()
  const rest = String(Math.floor(micros % 1e3)).padStart(3, '0')
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${rest} UTC`
}

/** `1 command`, `12 commands`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function significant(value: number): string {
  if (value >= 100) return String(Math.round(value))
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
