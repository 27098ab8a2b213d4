// Headers and JSON bodies, strictly: what is not understood completely is refused, never guessed,
// and refusals repeat no value of the request.

import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import { CLIENT_OUTSTANDING_MAX, REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { RequestId } from '../session.ts'
import type { Condition } from '../shardkv/operation.ts'
import { JSON_DEPTH_MAX, JSON_MEMBERS_MAX, NUMBER_MAX, REQUEST_TIMEOUT_MS_MAX } from './bounds.ts'
import type { Exchange } from './exchange.ts'
import { type Problem, problem } from './problem.ts'

const VERSION_TAG = /^"(\d{1,16})"$/
const CONFIG_TAG = /^"config-(\d{1,16})"$/
const IDEMPOTENCY_KEY = /^([A-Za-z0-9._-]{1,64})\/([1-9]\d{0,15})$/
const TRACE_PARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const NO_CONDITION: Condition = { type: 'none' }

export function isProblem(value: object): value is Problem {
  return 'type' in value && value.type === 'problem'
}

/** `If-Match: "v"`, `If-Match: *`, `If-None-Match: *`, or none of them. */
export function conditionOf(exchange: Exchange): Condition | Problem {
  const match = exchange.header('if-match')
  const noneMatch = exchange.header('if-none-match')
  if (match === undefined && noneMatch === undefined) return NO_CONDITION
  if (match !== undefined && noneMatch !== undefined) {
    return problem('bad-request', 'If-Match and If-None-Match exclude each other')
  }
  if (noneMatch !== undefined) {
    if (noneMatch === '*') return { type: 'ifAbsent' }
    return problem('bad-request', 'If-None-Match of a write can only be *')
  }
  if (match === '*') return { type: 'ifPresent' }
  const version = exactNumber(VERSION_TAG.exec(match ?? '')?.[1])
  if (version === null) return problem('bad-request', 'If-Match must be * or one version in quotes')
  return { type: 'ifVersion', version }
}

/** `If-Match: "config-N"`; null when there is none. */
export function configConditionOf(exchange: Exchange): number | null | Problem {
  const match = exchange.header('if-match')
  if (match === undefined) return null
  const num = exactNumber(CONFIG_TAG.exec(match)?.[1])
  return num ?? problem('bad-request', 'If-Match must be "config-N" with the quotes')
}

/**
 * The number that the client gave (`Idempotency-Key: client/number`), null when it gave none. What
 * it says is over (`Shardglass-Acked`) holds; else all but the last CLIENT_OUTSTANDING_MAX numbers.
 */
export function sessionOf(exchange: Exchange): RequestId | null | Problem {
  const header = exchange.header('idempotency-key')
  const ackedHeader = exchange.header('shardglass-acked')
  if (header === undefined) {
    if (ackedHeader === undefined) return null
    return problem('bad-request', 'Shardglass-Acked goes with Idempotency-Key only')
  }
  const found = IDEMPOTENCY_KEY.exec(header)
  const client = found?.[1]
  const number = exactNumber(found?.[2])
  if (client === undefined || number === null) {
    return problem('bad-request', 'Idempotency-Key must be client/number, such as worker-7/12')
  }
  if (ackedHeader === undefined) {
    return { client, number, acked: Math.max(0, number - CLIENT_OUTSTANDING_MAX) }
  }
  const acked = exactNumber(/^\d{1,16}$/.exec(ackedHeader)?.[0])
  if (acked === null || acked >= number) {
    return problem('bad-request', 'Shardglass-Acked must be a number below that of the request')
  }
  return { client, number, acked }
}

/** `Shardglass-Direct: 1`: the client routes by itself. */
export function isDirect(exchange: Exchange): boolean | Problem {
  const header = exchange.header('shardglass-direct')
  if (header === undefined || header === '0') return false
  return header === '1' ? true : problem('bad-request', 'Shardglass-Direct must be 0 or 1')
}

/** `Shardglass-Timeout-Ms`, or the default. */
export function deadlineOf(exchange: Exchange): number | Problem {
  const header = exchange.header('shardglass-timeout-ms')
  if (header === undefined) return REQUEST_TIMEOUT_MS
  const deadlineMs = exactNumber(/^[1-9]\d{0,5}$/.exec(header)?.[0])
  if (deadlineMs !== null && deadlineMs <= REQUEST_TIMEOUT_MS_MAX) return deadlineMs
  return problem('bad-request', `Shardglass-Timeout-Ms must be 1 to ${REQUEST_TIMEOUT_MS_MAX}`)
}

/** A valid W3C trace parent, null otherwise: an invalid one is to be ignored, not refused. */
export function traceParentOf(exchange: Exchange): string | null {
  const header = exchange.header('traceparent')
  return header !== undefined && TRACE_PARENT.test(header) ? header : null
}

/** A body that is compressed would be stored as it is; null when it is not. */
export function encodingProblem(exchange: Exchange): Problem | null {
  const encoding = exchange.header('content-encoding')
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return null
  return problem('unsupported-media-type', 'Content-Encoding is not supported: send it plain')
}

/** Reads a JSON body of the schema's shape. Resolves to a problem otherwise. */
export function readJson<T extends z.ZodType>(
  exchange: Exchange,
  schema: T,
  bytesMax: number,
): Promise<z.output<T> | Problem> {
  return readJsonBody(exchange, bytesMax, body => decodeJson(body, schema))
}

/** Reads a JSON body, whose bytes `decode` makes something of. Resolves to a problem otherwise. */
export function readJsonBody<T>(
  exchange: Exchange,
  bytesMax: number,
  decode: (body: Buffer) => T | Problem,
): Promise<T | Problem> {
  const refusal = jsonHeadersProblem(exchange)
  if (refusal !== null) return Promise.resolve(refusal)
  const received = new Promise<Buffer | Problem>(resolve => exchange.readBody(bytesMax, resolve))
  return received.then(body => (Buffer.isBuffer(body) ? decode(body) : body))
}

export function decodeJson<T extends z.ZodType>(body: Buffer, schema: T): z.output<T> | Problem {
  const json = parseJson(body)
  return json.type === 'problem' ? json : decodeShape(json, schema)
}

/** What a body holds; `members` counts those that its text names, doubled ones too. */
export type Json = { readonly type: 'json'; readonly value: unknown; readonly members: number }

/** Of well-formed JSON within bounds. Whether a member is named twice has still to be seen. */
export function parseJson(body: Buffer): Json | Problem {
  const refusal = jsonShapeProblem(body)
  if (refusal !== null) return refusal
  try {
    return { type: 'json', value: JSON.parse(body.toString('utf8')), members: scanned.members }
  } catch {
    return problem('bad-request', 'the body is not JSON')
  }
}

export function decodeShape<T extends z.ZodType>(json: Json, schema: T): z.output<T> | Problem {
  if (countMembers(json.value) !== json.members) {
    return problem('bad-request', 'an object in the body names a field twice')
  }
  const result = schema.safeParse(json.value)
  return result.success ? result.data : problem('bad-request', issueText(result.error.issues[0]))
}

function jsonHeadersProblem(exchange: Exchange): Problem | null {
  const type = exchange.header('content-type') ?? ''
  if (!/^application\/json *(?:; *charset="?utf-8"?)?$/i.test(type)) {
    return problem('unsupported-media-type', 'the body must be application/json')
  }
  return encodingProblem(exchange)
}

/** What the last scan counted; decoding is synchronous, so there is only one at a time. */
const scanned = { members: 0 }

/**
 * Counts structure before anything is parsed: a megabyte of tiny members would block the process,
 * and of two members with one name JSON.parse silently keeps the last.
 */
function jsonShapeProblem(body: Buffer): Problem | null {
  if (!isUtf8(body)) return problem('bad-request', 'the body is not valid UTF-8')
  scanned.members = 0
  let depth = 0
  let elements = 0
  for (let index = 0; index < body.length; index++) {
    const byte = body[index]
    if (byte === QUOTE) index = endOfString(body, index)
    else if (byte === COLON) scanned.members += 1
    else if (byte === COMMA) elements += 1
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1
    if (depth > JSON_DEPTH_MAX) return problem('bad-request', 'the body is nested too deeply')
    if (elements > JSON_MEMBERS_MAX) return problem('bad-request', 'the body has too many members')
  }
  return null
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Position of the quote that ends the string beginning at `start`, or the end of the body. */
function endOfString(body: Buffer, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = quoteFrom(body, at)
    if (at < 0) return body.length
    let slashes = 0
    while (body[at - 1 - slashes] === BACKSLASH) slashes += 1
    if (slashes % 2 === 0) return at
  }
}

/** Most strings are names and short keys: calling out of JavaScript costs more than looking here. */
function quoteFrom(body: Buffer, start: number): number {
  const near = Math.min(body.length, start + 32)
  for (let at = start; at < near; at += 1) if (body[at] === QUOTE) return at
  return body.indexOf(QUOTE, near)
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const items = Object.values(value)
  let members = Array.isArray(value) ? 0 : items.length
  for (const item of items) members += countMembers(item)
  return members
}

/** Where and what kind, without the value. Names of fields in the path are the schema's own. */
function issueText(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'the body does not have the expected shape'
  const place = issue.path.length === 0 ? 'the body' : issue.path.join('.')
  if (issue.code === 'unrecognized_keys') return `${place} has an unknown field`
  if (issue.code === 'invalid_type') return `${place} must be of type ${issue.expected}`
  if (issue.code === 'custom') return `${place} ${issue.message}`
  return `${place} is not valid (${issue.code.replaceAll('_', ' ')})`
}

function exactNumber(digits: string | undefined): number | null {
  if (digits === undefined) return null
  const value = Number(digits)
  return value <= NUMBER_MAX ? value : null
}
