// Whether a disk write may block the process. On a fast disk a blocking write is 20–30 % quicker
// than a round trip through the thread pool, at half the CPU; on a slow one it would stop heartbeats
// and all else. What counts is the mean, not the worst: where many processes share few cores, every
// hundredth write takes some ms either way. Writes in the background take longer for other reasons
// (a busy event loop), so the disk's return to speed is found out by single blocking ones.

/** Writes block while they take no longer than this on average; a heartbeat comes every 100 ms. */
const SLOW_MS = 1
/** One more write's part in the mean: a single one of 50 ms is enough to go over. */
const WEIGHT = 0.02
/** A probe that takes less speaks for blocking. */
const FAST_MS = 0.5
/** So many fast probes in a row, a few writes apart, and the disk is fast again. */
const FAST_PROBES = 3
const NEXT_PROBE_WRITES = 4
/** Writes until a probe, doubled with each slow one: a probe on a slow disk is a stall. */
const PROBE_WRITES_MIN = 64
const PROBE_WRITES_MAX = 4096

/** Decides write by write; `note` must follow each one. */
export class WritePace {
  /** Whether the disk is taken for fast. */
  isBlocking = true
  private mean = 0
  private fastProbes = 0
  private pause = PROBE_WRITES_MIN
  private writesUntilProbe = 0

  /** Whether the next write should block. */
  get blocksNext(): boolean {
    return this.isBlocking || this.writesUntilProbe === 0
  }

  /** How long the write took of which `blocksNext` was asked. */
  note(ms: number): void {
    if (this.isBlocking) {
      this.mean += WEIGHT * (ms - this.mean)
      if (this.mean > SLOW_MS) this.leaveBlocking()
    } else if (this.writesUntilProbe > 0) {
      this.writesUntilProbe -= 1
    } else {
      this.noteProbe(ms)
    }
  }

  private leaveBlocking(): void {
    this.isBlocking = false
    this.fastProbes = 0
    this.pause = PROBE_WRITES_MIN
    this.writesUntilProbe = this.pause
  }

  private noteProbe(ms: number): void {
    if (ms < FAST_MS) {
      this.fastProbes += 1
      this.writesUntilProbe = NEXT_PROBE_WRITES
    } else {
      this.fastProbes = 0
      this.pause = Math.min(this.pause * 2, PROBE_WRITES_MAX)
      this.writesUntilProbe = this.pause
    }
    if (this.fastProbes < FAST_PROBES) return
    this.isBlocking = true
    this.mean = FAST_MS
  }
}
