// Operations on keys as HTTP requests, alone or many in one, and their answers as results.

import { isUtf8 } from 'node:buffer'
import type { ByteString } from '../bytes.ts'
import { KEY_BYTES_MAX } from '../limits.ts'
import type { Exchange } from './connections.ts'
import { ShardglassError } from './error.ts'
import { isRecord, type Problem, problemOf, readProblem } from './problem.ts'

/** Half a character: has no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** What must hold for a write to happen; versions are those that reads and writes return. */
export type WriteCondition =
  | { readonly ifVersion: number }
  | { readonly ifAbsent: true }
  | { readonly ifPresent: true }

export type Operation =
  | { readonly op: 'get'; readonly key: string; readonly consistency?: 'linearizable' | 'stale' }
  | {
      readonly op: 'put' | 'puthash'
      readonly key: string
      readonly value: Uint8Array | string
      readonly condition?: WriteCondition
    }
  | { readonly op: 'delete'; readonly key: string; readonly condition?: WriteCondition }

export type Result =
  /** A read's value, or the previous value that puthash answers (empty if there was none). */
  | { readonly type: 'value'; readonly value: Buffer; readonly version: number }
  | { readonly type: 'written'; readonly version: number }
  | { readonly type: 'noSuchKey' }
  /** `version`: the key's, 0 when it is absent, null when the server did not say. */
  | { readonly type: 'conditionFailed'; readonly version: number | null }

/** What came back for one operation. */
export type KvAnswer =
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'refused'; readonly status: number; readonly problem: Problem }
  /** It did not fit into the answer of its batch: to be asked for again by itself. */
  | { readonly type: 'alone' }

/** Headers and paths need the key as the characters of its UTF-8 bytes. Throws on a bad key. */
export function keyBytes(key: string): ByteString {
  const bytes = Buffer.from(key, 'utf8')
  const isRefused = bytes.length === 0 || bytes.length > KEY_BYTES_MAX || LONE_SURROGATE.test(key)
  if (!isRefused) return bytes.toString('latin1')
  const detail = `a key is 1–${KEY_BYTES_MAX} bytes of valid UTF-8; this one has ${bytes.length}`
  throw new ShardglassError({ code: 'bad-request', detail, outcome: 'not_applied' })
}

export function singleRequest(operation: Operation): Exchange {
  const { op } = operation
  const path = pathOf(operation)
  const headers = op === 'get' ? {} : conditionHeaders(operation.condition)
  if (op === 'get') return { method: 'GET', path, headers }
  if (op === 'delete') return { method: 'DELETE', path, headers }
  const body = operation.value
  const typed = { ...headers, 'content-type': 'application/octet-stream' }
  return { method: op === 'put' ? 'PUT' : 'POST', path, headers: typed, body }
}

/** Whether it can stand in a batch, whose operations know no other condition than a version. */
export function isBatchable(operation: Operation): boolean {
  const { op } = operation
  if (op === 'get') return operation.consistency !== 'stale'
  const { condition } = operation
  if (condition === undefined) return true
  if ('ifAbsent' in condition) return op === 'put'
  return op !== 'puthash' && 'ifVersion' in condition && condition.ifVersion > 0
}

export function batchRequest(operations: readonly Operation[]): Exchange {
  const ops = operations.map(operation => {
    const { op, key } = operation
    if (op === 'get') return { op, key }
    const { condition } = operation
    const version = condition === undefined ? {} : { version: batchVersion(condition) }
    if (op === 'delete') return { op, key, ...version }
    return { op, key, value: jsonValue(operation), ...version }
  })
  const headers = { 'content-type': 'application/json' }
  return { method: 'POST', path: '/v1/batch', headers, body: JSON.stringify({ ops }) }
}

/** In a batch, version 0 stands for an absent key. */
function batchVersion(condition: WriteCondition): number {
  return 'ifVersion' in condition ? condition.ifVersion : 0
}

type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Null when the answer is not understood. */
export function singleAnswer(operation: Operation, answer: HttpAnswer): KvAnswer | null {
  const { status, headers, body } = answer
  if (status === 200 || status === 204) {
    // A deleted key has no version any more.
    const version = parseVersion(headers.etag) ?? (operation.op === 'delete' ? 0 : null)
    if (version === null) return null
    return { type: 'result', result: resultOf(operation, version, body) }
  }
  return refusalOf(status, readProblem(status, body), parseVersion(headers.etag))
}

/** One answer per operation; null when the whole is not understood. */
export function batchAnswers(
  operations: readonly Operation[],
  body: Buffer,
): readonly KvAnswer[] | null {
  const parsed = parse(body)
  const results = isRecord(parsed) ? parsed.results : null
  if (!Array.isArray(results) || results.length !== operations.length) return null
  const answers: KvAnswer[] = []
  for (const [index, operation] of operations.entries()) {
    const answer = itemAnswer(operation, results[index])
    if (answer === null) return null
    answers.push(answer)
  }
  return answers
}

function itemAnswer(operation: Operation, item: unknown): KvAnswer | null {
  if (!isRecord(item) || typeof item.status !== 'number') return null
  const { status, version } = item
  const known = typeof version === 'number' ? version : null
  const isOmitted = item.isValueOmitted === true || (operation.op === 'get' && status === 413)
  if (isOmitted) return { type: 'alone' }
  if (status !== 200 && status !== 204) return refusalOf(status, problemOf(status, item), known)
  if (known === null) return null
  return { type: 'result', result: resultOf(operation, known, bytesOf(item.value)) }
}

function refusalOf(status: number, problem: Problem, version: number | null): KvAnswer {
  if (status === 404 && problem.code === 'no-such-key') {
    return { type: 'result', result: { type: 'noSuchKey' } }
  }
  if (status === 412) {
    const known = problem.version ?? version
    return { type: 'result', result: { type: 'conditionFailed', version: known } }
  }
  return { type: 'refused', status, problem }
}

function resultOf(operation: Operation, version: number, value: Buffer): Result {
  const hasValue = operation.op === 'get' || operation.op === 'puthash'
  return hasValue ? { type: 'value', value, version } : { type: 'written', version }
}

/** Dots and slashes go as a query: as path segments they could be rewritten on the way. */
function pathOf(operation: Operation): string {
  const route = operation.op === 'puthash' ? '/v1/puthash' : '/v1/kv'
  const key = encodeURIComponent(operation.key)
  const isPlain = !key.includes('.') && !key.includes('%2F')
  const stale = operation.op === 'get' && operation.consistency === 'stale'
  if (isPlain) return `${route}/${key}${stale ? '?consistency=stale' : ''}`
  return `${route}?key=${key}${stale ? '&consistency=stale' : ''}`
}

function conditionHeaders(condition: WriteCondition | undefined): Record<string, string> {
  if (condition === undefined) return {}
  if ('ifAbsent' in condition) return { 'if-none-match': '*' }
  if ('ifPresent' in condition) return { 'if-match': '*' }
  return { 'if-match': `"${condition.ifVersion}"` }
}

function jsonValue(operation: { value: Uint8Array | string }): string | { base64: string } {
  const { value } = operation
  if (typeof value === 'string') {
    return LONE_SURROGATE.test(value) ? Buffer.from(value, 'utf8').toString('utf8') : value
  }
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
}

function bytesOf(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  if (isRecord(value) && typeof value.base64 === 'string')
    return Buffer.from(value.base64, 'base64')
  return Buffer.alloc(0)
}

function parseVersion(etag: string | string[] | undefined): number | null {
  const match = typeof etag === 'string' ? /^"(\d+)"$/.exec(etag) : null
  return match === null ? null : Number(match[1])
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null // the caller treats it as not understood
  }
}
