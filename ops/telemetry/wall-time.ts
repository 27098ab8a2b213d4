// From the monotonic µs of the core to µs since 1970. Wall time comes in whole ms, always cut off and
// never rounded up: of many pairs, the one with the largest difference is nearest to the truth. A new
// window begins now and then, so that a clock that was set is followed.

import type { Now } from '../../server/contract.ts'

const WINDOW_MICROS = 60_000_000

export class WallTime {
  /** µs since 1970 less the monotonic µs. */
  offset = Number.NEGATIVE_INFINITY
  private nextOffset = Number.NEGATIVE_INFINITY
  private windowEnd = Number.NEGATIVE_INFINITY

  note({ micros, wallMs }: Now): void {
    const offset = wallMs * 1000 - micros
    if (offset > this.nextOffset) this.nextOffset = offset
    if (micros >= this.windowEnd) {
      this.windowEnd = micros + WINDOW_MICROS
      this.offset = this.nextOffset
      this.nextOffset = offset
    } else if (offset > this.offset) this.offset = offset
  }

  /** Whole µs since 1970. */
  of(micros: number): number {
    return Math.round(micros + this.offset)
  }
}
