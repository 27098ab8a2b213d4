// Drives callers. Closed loop: each begins its next operation when the last one is answered. Open loop:
// operations are due at a steady rate, whatever the answers take; one that no caller is free for waits,
// and its latency counts from when it was due. Else a stalled target would stop the clock that times
// it (coordinated omission).

import { Random } from '../history/random.ts'
import { keyChoice, type NextKey } from './keys.ts'
import type { LoadOp, LoadPlan } from './plan.ts'
import type { Recorder } from './recorder.ts'
import type { Caller } from './target.ts'

/** Several generators: which one this is, of how many. */
export type Part = { readonly first: number; readonly step: number }

export type Loop = {
  /** Ends when the time or the count is over and all answers are there, or given up. */
  readonly ended: Promise<void>
  /** No new operation begins. */
  stop(): void
}

/** More operations waiting than this: the rate is far beyond what the target answers. */
const BACKLOG_SECONDS = 10
const TICK_MS = 1

export function startLoop(
  plan: LoadPlan,
  callers: readonly Caller[],
  recorder: Recorder,
  part: Part = { first: 0, step: 1 },
): Loop {
  const run = new Run(plan, callers, recorder, part)
  return { ended: run.ended, stop: () => run.stop() }
}

class Run {
  readonly ended: Promise<void>
  private readonly plan: LoadPlan
  private readonly recorder: Recorder
  private readonly random: Random
  private readonly nextKey: NextKey
  private readonly idle: Caller[]
  private readonly startedAt = performance.now()
  private readonly endAt: number
  private begun = 0
  private underWay = 0
  private isStopped = false
  private timer: NodeJS.Timeout | null = null
  private finish: () => void = () => undefined

  constructor(plan: LoadPlan, callers: readonly Caller[], recorder: Recorder, part: Part) {
    this.plan = plan
    this.recorder = recorder
    this.random = new Random(plan.seed, `load/${part.first}`)
    this.nextKey = keyChoice(plan, this.random, {
      first: part.first * plan.batch,
      step: part.step * plan.batch,
    })
    this.idle = [...callers]
    this.recorder.sinceMs = this.startedAt + plan.warmup * 1000
    this.endAt = this.recorder.sinceMs + plan.seconds * 1000
    this.ended = new Promise(resolve => {
      this.finish = resolve
    })
    if (plan.rate > 0) this.tick()
    else while (!this.isOver && this.idle.length > 0) this.begin(performance.now())
  }

  stop(): void {
    this.isStopped = true
    this.endWhenQuiet()
  }

  private get isOver(): boolean {
    if (this.isStopped || performance.now() >= this.endAt) return true
    return this.plan.count !== undefined && this.begun >= this.plan.count
  }

  private begin(fromMs: number): void {
    const caller = this.idle.pop()
    if (caller === undefined) return
    this.begun += this.plan.batch
    this.underWay += 1
    const { plan, recorder } = this
    caller.run(this.nextOp(), this.nextKey(), isGood => {
      this.underWay -= 1
      recorder.note(isGood, fromMs, performance.now())
      this.idle.push(caller)
      if (plan.rate > 0) this.beginDue()
      else if (!this.isOver) this.begin(performance.now())
      this.endWhenQuiet()
    })
  }

  private nextOp(): LoadOp {
    const { op, reads } = this.plan
    if (op !== 'mix') return op
    return this.random.next() < reads ? 'get' : 'put'
  }

  /** Open loop: the time between two requests is fixed, and each is due at its own moment. */
  private tick(): void {
    this.beginDue()
    if (this.isOver) return this.endWhenQuiet()
    this.timer = setTimeout(() => this.tick(), TICK_MS)
  }

  private beginDue(): void {
    const { rate, batch } = this.plan
    const now = performance.now()
    for (;;) {
      const dueAt = this.startedAt + (this.begun / rate) * 1000
      if (dueAt > Math.min(now, this.endAt) || this.idle.length === 0 || this.isOver) return
      if (now - dueAt > BACKLOG_SECONDS * 1000) {
        this.begun += batch * rate // what was due is lost: the result says so
        this.recorder.failed += batch * rate
        return
      }
      this.begin(dueAt)
    }
  }

  private endWhenQuiet(): void {
    if (this.underWay > 0 || !this.isOver) return
    if (this.timer !== null) clearTimeout(this.timer)
    this.finish()
  }
}
