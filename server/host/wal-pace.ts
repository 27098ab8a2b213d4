// Whether a disk write may block the process. On a fast disk a blocking write is 20–30 % quicker
// than a round trip through the thread pool, at half the CPU; on a slow one it would stop heartbeats
// and all else. Both ways of writing tell the disk's speed, so no probing is needed.

/** A write is fast below this. */
const FAST_MS = 1
/** Each write takes this part off the score: it remembers about the last hundred. */
const FADE = 0.01
/** One slow write weighs at most so much, so that a single stall is forgotten after a while. */
const WEIGHT_MAX = 8
/** Above: a write of 4 ms, or about one in fifty of 2 ms. */
const SLOW_SCORE = 4
/** Back to blocking writes only well below, so that the two do not alternate. */
const FAST_SCORE = 1

/** Keeps a fading sum of the slow writes' durations. */
export class WritePace {
  /** Whether the next write should block. */
  isBlocking = true
  private score = 0

  note(ms: number): void {
    this.score *= 1 - FADE
    if (ms >= FAST_MS) this.score += Math.min(ms, WEIGHT_MAX)
    if (this.score >= SLOW_SCORE) this.isBlocking = false
    else if (this.score <= FAST_SCORE) this.isBlocking = true
  }
}
