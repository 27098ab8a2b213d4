// Every error that leaves this process: RFC 9457 problem+json. Where the request could have changed
// something, `outcome` says whether it did: `not_applied` for certain, or `unknown` (it may yet).

import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'

const TITLES = {
  'bad-request': [400, 'The request is not understood'],
  unauthorized: [401, 'A valid token is needed'],
  forbidden: [403, 'The token does not allow this'],
  'not-found': [404, 'No such resource'],
  'no-such-key': [404, 'The key is absent'],
  'method-not-allowed': [405, 'The method is not allowed here'],
  'request-timeout': [408, 'The request did not arrive in time'],
  conflict: [409, 'The change contradicts the present state'],
  'session-expired': [410, 'The reply to this request number is not kept any more'],
  'condition-failed': [412, 'The condition does not hold'],
  'too-large': [413, 'The request is too large'],
  'unsupported-media-type': [415, 'The kind of body is not supported'],
  'expectation-failed': [417, 'The expectation is not supported'],
  'wrong-group': [421, 'Another replica or group serves this key'],
  'request-mismatch': [422, 'The request number was used for another request'],
  'too-many-requests': [429, 'Too many refused requests'],
  'headers-too-large': [431, 'The request target or headers are too large'],
  internal: [500, 'The node failed to handle the request'],
  'no-leader': [503, 'No leader can be reached'],
  'no-group': [503, 'No group serves this shard'],
  'shard-moving': [503, 'The shard is being handed over'],
  overloaded: [503, 'Too much is waiting already'],
  'not-ready': [503, 'The node is not ready'],
  'no-room': [503, 'There is no room to store this at the moment'],
  timeout: [504, 'No answer before the deadline'],
  'disk-full': [507, 'The disk is full'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>

export type ProblemCode = keyof typeof TITLES
export const PROBLEM_CODES: readonly string[] = Object.keys(TITLES)

/** What happened to the effect of a request that failed. */
export type Outcome = 'not_applied' | 'unknown'

export type Problem = {
  readonly type: 'problem'
  readonly code: ProblemCode
  readonly detail: string
  /** Null: as the caller of `problemAnswer` knows it. */
  readonly outcome: Outcome | null
  /** Further members, such as the `config` of a wrong-group. */
  readonly members: Readonly<Record<string, unknown>>
  /** Flat list of names and values. */
  readonly headers: readonly string[]
}

type ProblemOptions = Partial<Pick<Problem, 'outcome' | 'members' | 'headers'>>

const RETRY_AFTER: Readonly<Partial<Record<ProblemCode, string>>> = {
  'no-leader': '1',
  'no-group': '1',
  'shard-moving': '1',
  overloaded: '1',
  'not-ready': '1',
  'no-room': '5',
}

/** `detail` is for people, and never repeats a value of the request. */
export function problem(code: ProblemCode, detail: string, options: ProblemOptions = {}): Problem {
  const retryAfter = RETRY_AFTER[code]
  const headers = options.headers ?? (retryAfter === undefined ? [] : ['Retry-After', retryAfter])
  const { outcome = null, members = {} } = options
  return { type: 'problem', code, detail, outcome, members, headers }
}

export function statusOf(found: Problem): number {
  return TITLES[found.code][0]
}

/** Members of the problem document. `mayChange`: the request could have changed something. */
export function problemBody(found: Problem, mayChange: boolean): Readonly<Record<string, unknown>> {
  const [status, title] = TITLES[found.code]
  const outcome = mayChange ? { outcome: found.outcome ?? 'not_applied' } : {}
  const type = `urn:shardglass:${found.code}`
  return { type, title, status, detail: found.detail, ...outcome, ...found.members }
}

/** The whole error answer; `instance` is the same nowhere else, so that logs can name it. */
export function problemAnswer(found: Problem, mayChange: boolean) {
  const body = JSON.stringify({ ...problemBody(found, mayChange), instance: nextInstance() })
  const headers = [...PROBLEM_HEADERS, ...found.headers]
  return { status: statusOf(found), headers, body, problem: found.code }
}

/** The same as bytes for a bare socket, where Node's parser gave up before any handler. */
export function problemBytes(found: Problem): string {
  const { status, headers, body } = problemAnswer(found, true)
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`]
  for (let index = 0; index + 1 < headers.length; index += 2) {
    lines.push(`${headers[index]}: ${headers[index + 1]}`)
  }
  lines.push(`Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close')
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** What Node's HTTP parser refused, by its error code. */
export function parserProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return problem('headers-too-large', 'the request line and headers exceed the limit')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return problem('too-large', 'the chunk extensions exceed the limit')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem('request-timeout', 'the request was not complete in time')
    default:
      return problem('bad-request', 'this is not well-formed HTTP/1.1')
  }
}

const PROBLEM_HEADERS: readonly string[] = [
  'Content-Type',
  'application/problem+json',
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
]

const PROCESS_MARK = randomBytes(6).toString('hex')
let instances = 0

function nextInstance(): string {
  instances += 1
  return `urn:shardglass:error:${PROCESS_MARK}-${instances}`
}
