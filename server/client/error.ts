// The one error of the client library. Whoever catches it knows whether the request may still take
// effect: `not_applied` is certain, `unknown` means it was sent and its answer was lost.

/** Whether a request that failed had an effect. */
export type Outcome = 'not_applied' | 'unknown'

export type ShardglassErrorFields = {
  /** A code of the HTTP API (`no-leader`, `forbidden`, …), or `timeout`, `aborted`, `unreachable`. */
  readonly code: string
  readonly outcome: Outcome
  readonly detail: string
  /** HTTP status of the last answer; null where none came. */
  readonly status?: number | null
  readonly cause?: unknown
}

/** A request that failed for good, after all retries that its deadline allowed. */
export class ShardglassError extends Error {
  override readonly name = 'ShardglassError'
  readonly code: string
  readonly outcome: Outcome
  readonly detail: string
  readonly status: number | null

  constructor(fields: ShardglassErrorFields) {
    const { code, outcome, detail, status = null, cause } = fields
    super(`${code}: ${detail}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.outcome = outcome
    this.detail = detail
    this.status = status
  }

  /** The same failure after an attempt whose effect is not known. */
  asUnknown(): ShardglassError {
    if (this.outcome === 'unknown') return this
    const { code, detail, status, cause } = this
    return new ShardglassError({ code, detail, status, cause, outcome: 'unknown' })
  }
}
