// Reads the server's problem+json. What does not parse is still an answer: its status decides.

import { type Outcome, ShardglassError } from './error.ts'

/** What a refusal says, as far as it is understood. */
export type Problem = {
  readonly code: string
  readonly detail: string
  /** Null where the answer does not say: the request cannot have changed anything, or a proxy spoke. */
  readonly outcome: Outcome | null
  /** Of a refusal that names the owner of the key. */
  readonly config: number | null
  readonly gid: number | null
  readonly servers: readonly string[]
  /** Replica id of the leader, position in `servers`. */
  readonly leader: number | null
  /** Of a condition that did not hold: the key's version. */
  readonly version: number | null
}

const PREFIX = 'urn:shardglass:'

/** Never throws. */
export function readProblem(status: number, body: Buffer | string): Problem {
  return problemOf(status, parse(body.toString()))
}

/** From a parsed problem, as results of a batch carry it. */
export function problemOf(status: number, value: unknown): Problem {
  const fields = isRecord(value) ? value : {}
  const { type, title, detail, outcome } = fields
  const code =
    typeof type === 'string' && type.startsWith(PREFIX) ? type.slice(PREFIX.length) : null
  return {
    code: code ?? `http-${status}`,
    detail: firstText(detail, title) ?? `the server answered ${status}`,
    outcome: outcome === 'unknown' || outcome === 'not_applied' ? outcome : null,
    config: wholeNumber(fields.config),
    gid: wholeNumber(fields.gid),
    servers: texts(fields.servers),
    leader: wholeNumber(fields.leader),
    version: wholeNumber(fields.version),
  }
}

/** `isWrite`: an answer that is silent about its outcome may come from a proxy after the fact. */
export function errorOf(problem: Problem, status: number, isWrite: boolean): ShardglassError {
  const isSilentFailure = problem.outcome === null && status >= 500
  const outcome = problem.outcome ?? (isWrite && isSilentFailure ? 'unknown' : 'not_applied')
  return new ShardglassError({ code: problem.code, detail: problem.detail, outcome, status })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // not JSON: the status alone speaks
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wholeNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}

function firstText(...values: readonly unknown[]): string | null {
  for (const value of values) if (typeof value === 'string') return value
  return null
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}
