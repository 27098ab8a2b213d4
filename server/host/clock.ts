// The one clock of a process. Decisions stand on the monotonic one, which no one can set; wall time
// goes into records and pages only.

import type { Now } from '../contract.ts'

export type Clock = { now(): Now }

export const systemClock: Clock = {
  now: () => ({ micros: monotonicMicros(), wallMs: Date.now() }),
}

/** Whole µs since some fixed time before this process began. */
export function monotonicMicros(): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1_000_000 + Math.floor(nanos / 1000)
}
