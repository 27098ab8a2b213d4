// What all who ask one archive know of its silence: when it hangs, one of them waits for it, and the
// others go on without it at once. After a rest one question is tried again, and not waited for long.

import type { Found } from './client.ts'

/** A refused connection fails sooner, and may be tried again at every look. */
const HUNG_MS = 250
const REST_MS = 5_000
/** An archive that is well again answers within this; a slower answer still ends the silence. */
const TRY_MS = 250

const STILL: Found<never> = {
  type: 'failed',
  code: 'timeout',
  reason: 'the archive did not answer in time',
}

export class Silence {
  private readonly nowMs: () => number
  /** When it was last found to hang; null: it answers. */
  private since: number | null = null
  private isTrying = false

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs
  }

  /** `ask` as it is while the archive answers; never rejects if `ask` does not. */
  async around<T>(ask: () => Promise<Found<T>>): Promise<Found<T>> {
    if (this.since === null) return this.noted(ask)
    if (this.isTrying || this.nowMs() - this.since < REST_MS) return STILL
    this.isTrying = true
    const tried = this.noted(ask).finally(() => {
      this.isTrying = false
    })
    return Promise.race([tried, soon()])
  }

  private async noted<T>(ask: () => Promise<Found<T>>): Promise<Found<T>> {
    const startedAt = performance.now()
    const found = await ask()
    const isAway =
      found.type === 'failed' && (found.code === 'timeout' || found.code === 'unreachable')
    const hasHung = isAway && performance.now() - startedAt >= HUNG_MS
    this.since = hasHung ? this.nowMs() : null
    return found
  }
}

function soon(): Promise<Found<never>> {
  return new Promise(resolve => setTimeout(() => resolve(STILL), TRY_MS))
}
