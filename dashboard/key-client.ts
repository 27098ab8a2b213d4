// One key, through any node that answers: what is there, where, and changing it. Every answer says
// which shard, group, configuration and slot it came from.

import type { Answer, Connections, Exchange } from '../server/client/connections.ts'
import { readProblem } from '../server/client/problem.ts'
import type { ClusterView } from './cluster-reader.ts'
import { answers } from './node-status.ts'

export type KeyPlace = {
  readonly shard: string | null
  readonly group: string | null
  readonly config: string | null
  readonly slot: string | null
}

export type KeyAnswer = {
  readonly place: KeyPlace
  /** Of a get, and the previous one of a puthash. */
  readonly value: Buffer | null
  readonly version: string | null
  /** Null: it went well. */
  readonly problem: string | null
  readonly isAbsent: boolean
  /** Of a write without a clear answer: it may take effect yet. */
  readonly isUnknown: boolean
}

export type KeyOperation = {
  readonly op: 'get' | 'put' | 'delete' | 'puthash'
  readonly key: string
  readonly value?: Buffer
  /** `*`: only if absent; a version: only over it. */
  readonly condition?: string
}

const TIMEOUT_MS = 5_000

export type KeyAsker = {
  readonly connections: Connections
  readonly view: ClusterView
  /** Asked one after the other where the view has no node: nobody may be there who may look. */
  readonly keyNodes: readonly string[]
  readonly token: string
}

export async function runKey(
  operation: KeyOperation,
  { connections, view, keyNodes, token }: KeyAsker,
): Promise<KeyAnswer> {
  const node = nodeFor(view)
  const request = requestOf(operation, token)
  const until = performance.now() + TIMEOUT_MS
  for (const url of node === null ? keyNodes : [node]) {
    const timeoutMs = until - performance.now()
    if (timeoutMs <= 0) break
    const answer = await connections.exchange(url, request, { timeoutMs })
    // The next one is asked only where nothing can have happened at this one.
    const isOver = node !== null || answer.type === 'answer' || !answer.isDefinite
    if (isOver) return answerOf(operation, answer)
  }
  return failed('No node of a group answers. See the overview.', false)
}

/** Any node passes a request on; one of a group that owns shards saves a hop. */
function nodeFor(view: ClusterView): string | null {
  const members = new Set(Object.values(view.config?.groups ?? {}).flat())
  const live = view.nodes.filter(
    node => answers(node) && node.status?.kind === 'shardkv' && node.status.isReady,
  )
  return (live.find(({ url }) => members.has(url)) ?? live[0])?.url ?? null
}

function requestOf({ op, key, value, condition }: KeyOperation, token: string): Exchange {
  const headers: Record<string, string> = { authorization: `Bearer ${token}` }
  if (condition === '*') headers['if-none-match'] = '*'
  else if (condition !== undefined && condition !== '') headers['if-match'] = `"${condition}"`
  const place = `?key=${encodeURIComponent(key)}`
  if (op === 'get') return { method: 'GET', path: `/v1/kv${place}`, headers }
  if (op === 'delete') return { method: 'DELETE', path: `/v1/kv${place}`, headers }
  const withType = { ...headers, 'content-type': 'application/octet-stream' }
  const body = value ?? Buffer.alloc(0)
  if (op === 'put') return { method: 'PUT', path: `/v1/kv${place}`, headers: withType, body }
  return { method: 'POST', path: `/v1/puthash${place}`, headers: withType, body }
}

function answerOf({ op }: KeyOperation, answer: Answer): KeyAnswer {
  const isWrite = op !== 'get'
  if (answer.type === 'failed') {
    const isUnknown = isWrite && !answer.isDefinite
    return failed('The node that was asked did not answer in time.', isUnknown)
  }
  const { status, headers, body } = answer
  const version = textOf(headers.etag)?.replaceAll('"', '') ?? null
  const place = placeOf(headers)
  const isDone = status === 200 || status === 204
  const value = isDone && (op === 'get' || op === 'puthash') ? body : null
  if (isDone) return { place, value, version, problem: null, isAbsent: false, isUnknown: false }
  const problem = readProblem(status, body)
  const isAbsent = problem.code === 'no-such-key'
  const isUnknown = isWrite && problem.outcome === 'unknown'
  const text = `${problem.detail.charAt(0).toUpperCase()}${problem.detail.slice(1)}.`
  return { place, value: null, version, problem: text, isAbsent, isUnknown }
}

type Headers = Extract<Answer, { type: 'answer' }>['headers']

function placeOf(headers: Headers): KeyPlace {
  return {
    shard: textOf(headers['shardglass-shard']),
    group: textOf(headers['shardglass-group']),
    config: textOf(headers['shardglass-config']),
    slot: textOf(headers['shardglass-slot']),
  }
}

function textOf(value: string | string[] | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function failed(problem: string, isUnknown: boolean): KeyAnswer {
  const place = { shard: null, group: null, config: null, slot: null }
  return { place, value: null, version: null, problem, isAbsent: false, isUnknown }
}
