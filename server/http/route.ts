// The one table of routes of a node. Each names the role that it needs; what is not in the table
// does not exist. The table feeds the router, the 405 answers and openapi.json alike.

import type { Grant, Role } from './auth.ts'
import type { Answer, Exchange } from './exchange.ts'
import type { Problem } from './problem.ts'
import type { Query } from './target.ts'
import type { RequestOp } from './traffic.ts'

/** JSON of an OpenAPI 3.1 operation, parameters of the path included. */
export type OperationDoc = Readonly<Record<string, unknown>> & { readonly summary: string }

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

export type Route = {
  /** GET includes HEAD. */
  readonly method: Method
  /** Template as in openapi.json. A last segment `{key}` takes the rest of the path, slashes too. */
  readonly path: string
  readonly role: Role | 'public'
  /** Open to the credential of this cluster's nodes as well. */
  readonly isForPeers?: boolean
  /** `key`: open to tokens with a key prefix, since the handler checks each key against it. */
  readonly scope: 'key' | 'node'
  /** Whether it could change something: then errors say the outcome. */
  readonly mayChange: boolean
  /** Names of the query parameters that it knows. */
  readonly query: readonly string[]
  readonly doc: OperationDoc
  /** Asked for so often that a running node serves it without Hono (app.ts); open paths only. */
  readonly isHot?: boolean
  /** What its requests are counted as; default `other`. */
  readonly op?: RequestOp
  /** Returns the answer, or null when it calls `call.exchange.answer` by itself. */
  handle(call: Call): Answer | Problem | Promise<Answer | Problem> | null
}

/** A request that was let in. */
export type Call = {
  readonly exchange: Exchange
  /** Null on public routes alone. */
  readonly grant: Grant | null
  readonly path: string
  readonly query: Query
  /** Runs a part that is called back later: what it throws is answered like a handler's error. */
  attempt(work: () => void): void
}

/** Templates are few: compiled once. */
export type RoutePath = { readonly prefix: string; readonly isPrefix: boolean }

/** What of a path is fixed: all of it, or all before its parameter. */
export function routePath(template: string): RoutePath {
  const brace = template.indexOf('{')
  if (brace < 0) return { prefix: template, isPrefix: false }
  return { prefix: template.slice(0, brace), isPrefix: true }
}

export function matchesPath(template: string, path: string): boolean {
  const { prefix, isPrefix } = routePath(template)
  return isPrefix ? path.startsWith(prefix) : path === prefix
}

const JSON_HEADERS = [
  'Content-Type',
  'application/json',
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
]

/** JSON answer that no cache keeps. */
export function jsonAnswer(value: unknown, headers: readonly string[] = []): Answer {
  return textAnswer(JSON.stringify(value), headers)
}

/** The same, of JSON that is written already. */
export function textAnswer(json: string, headers: readonly string[] = []): Answer {
  return { status: 200, headers: [...JSON_HEADERS, ...headers], body: json }
}
