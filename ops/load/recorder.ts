// What came of the operations: counts, and latencies in µs with three significant digits.

import type { Histogram } from 'hdr-histogram-js'
import hdr from 'hdr-histogram-js'

/** Longer ones count as this, µs. */
const LATENCY_MICROS_MAX = 3_600_000_000

export function newHistogram(): Histogram {
  return hdr.build({
    bitBucketSize: 32,
    highestTrackableValue: LATENCY_MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  })
}

export class Recorder {
  /** Operations that were answered as hoped; those of a batch count one by one. */
  good = 0
  failed = 0
  readonly all = newHistogram()
  /** Since the last look of whoever shows progress. */
  recent = newHistogram()
  /** Requests that began before it are not counted; ms of `performance.now()`. */
  sinceMs = 0
  private readonly operationsEach: number

  constructor(operationsEach: number) {
    this.operationsEach = operationsEach
  }

  /** `fromMs`: when it began, or was due. */
  note(isGood: boolean, fromMs: number, nowMs: number): void {
    if (fromMs < this.sinceMs) return
    if (!isGood) {
      this.failed += this.operationsEach
      return
    }
    this.good += this.operationsEach
    const micros = Math.min(LATENCY_MICROS_MAX, Math.max(1, Math.round((nowMs - fromMs) * 1000)))
    this.all.recordValue(micros)
    this.recent.recordValue(micros)
  }

  takeRecent(): Histogram {
    const taken = this.recent
    this.recent = newHistogram()
    return taken
  }
}
