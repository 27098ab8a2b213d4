// One call, many attempts. The deadline bounds them all; once an attempt may have had an effect, no
// later refusal can promise that there was none, so the final failure says `unknown`.

import { ShardglassError } from './error.ts'

const BACKOFF_MS_MIN = 10
/** An election is over within a second: whoever paused much longer would wait long after it. */
const BACKOFF_MS_MAX = 150

export type CallOptions = {
  /** All attempts together; default REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export type Attempt<T> =
  | { readonly type: 'done'; readonly value: T }
  /** Worth another try. `isFree`: it learned where to go, and need not wait before going there. */
  | {
      readonly type: 'again'
      readonly error: ShardglassError
      readonly isFree?: boolean
      readonly waitMs?: number
    }
  | { readonly type: 'failed'; readonly error: ShardglassError }

export type Budget = { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }

/** Less than this is no attempt: it would only turn "certainly not" into "unknown". */
const ATTEMPT_MS_MIN = 3

/** A limit on free retries in a row: two nodes may name each other. */
const FREE_MAX = 3

/**
 * Runs `attempt` until it is done, fails for good, or the time is over. `leftMs` is what remains.
 * Throws ShardglassError.
 */
export async function untilDone<T>(
  budget: Budget,
  attempt: (leftMs: number) => Promise<Attempt<T>>,
): Promise<T> {
  const deadline = performance.now() + budget.timeoutMs
  let mayHaveRun = false
  let free = 0
  let last: ShardglassError | null = null
  for (let tries = 0; ; ) {
    const leftMs = deadline - performance.now()
    if (budget.signal?.aborted || leftMs < ATTEMPT_MS_MIN) {
      throw ended(last, budget.signal?.aborted === true, mayHaveRun)
    }
    const step = await attempt(leftMs)
    if (step.type === 'done') return step.value
    if (step.error.outcome === 'unknown') mayHaveRun = true
    if (step.type === 'failed') throw mayHaveRun ? step.error.asUnknown() : step.error
    last = step.error
    if (step.isFree === true && free < FREE_MAX) {
      free += 1
      continue
    }
    free = 0
    const waitMs = Math.max(step.waitMs ?? 0, backoffMs(tries))
    tries += 1
    await pause(Math.min(waitMs, Math.max(0, deadline - performance.now())), budget.signal)
  }
}

/** Doubling, with jitter: those who failed together do not come back together. */
export function backoffMs(tries: number, msMax = BACKOFF_MS_MAX): number {
  const ceiling = Math.min(msMax, BACKOFF_MS_MIN * 2 ** Math.min(tries, 10))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

/** Ends early when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
  })
}

function ended(last: ShardglassError | null, isAborted: boolean, mayHaveRun: boolean) {
  const outcome = mayHaveRun ? 'unknown' : 'not_applied'
  const why = last === null ? '' : `; the last attempt: ${last.message}`
  const detail = (isAborted ? 'aborted by the caller' : 'no success before the deadline') + why
  const code = isAborted ? 'aborted' : 'timeout'
  return new ShardglassError({ code, detail, outcome, status: last?.status ?? null, cause: last })
}
