// How values are spread, counted in plain numbers: cheap enough for every request. What a histogram of
// metrics is made of when somebody asks for it.

/** Seconds: requests and all that is part of one, 0.25 ms … 4.096 s. */
export const LATENCY_SECONDS = powers({ first: 0.00025, factor: 2, count: 15 })
/** Seconds: what passes between processes, 0.2 ms … 0.4096 s. */
export const ROUND_TRIP_SECONDS = powers({ first: 0.0002, factor: 2, count: 12 })

export class Tally {
  /** Upper bounds, growing; a value that equals one is below it. */
  readonly bounds: readonly number[]
  /** How many values lie in each interval; the last is all above. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** Returns the position of its interval. */
  add(value: number): number {
    const place = this.placeOf(value)
    this.counts[place] = (this.counts[place] ?? 0) + 1
    this.sum += value
    return place
  }

  /** Takes over what another one of the same bounds has counted. */
  take(other: Tally): void {
    for (const [place, count] of other.counts.entries()) {
      this.counts[place] = (this.counts[place] ?? 0) + count
    }
    this.sum += other.sum
  }

  private placeOf(value: number): number {
    const { bounds } = this
    let place = 0
    while (place < bounds.length && value > (bounds[place] ?? 0)) place += 1
    return place
  }
}

/** Beside the counts, the latest example of each interval: a number by which more is found of it. */
export class MarkedTally extends Tally {
  /** 0: none. */
  readonly marks: Float64Array
  readonly values: Float64Array
  /** Wall time in ms. */
  readonly times: Float64Array

  constructor(bounds: readonly number[]) {
    super(bounds)
    const size = bounds.length + 1
    this.marks = new Float64Array(size)
    this.values = new Float64Array(size)
    this.times = new Float64Array(size)
  }

  addMarked(value: number, mark: number, wallMs: number): void {
    const place = this.add(value)
    this.marks[place] = mark
    this.values[place] = value
    this.times[place] = wallMs
  }
}

/** `count` bounds, each `factor` times the one before. */
export function powers(of: {
  readonly first: number
  readonly factor: number
  readonly count: number
}): readonly number[] {
  return Array.from({ length: of.count }, (_, index) => of.first * of.factor ** index)
}
