// What every node tells of itself: whether it is up, whether it serves, how it stands, and its API.

import type { NodeStatus } from '../backend.ts'
import { DOCS_CSP, docsPage } from './docs-page.ts'
import type { Answer } from './exchange.ts'
import { type ApiDocument, openApiDocument } from './openapi.ts'
import { problem } from './problem.ts'
import { jsonAnswer, type Route } from './route.ts'

export type StatusRoutesOptions = {
  readonly status: () => NodeStatus
  /** Release of this software. */
  readonly version: string
}

export type ApiDescription = {
  readonly title: string
  /** All routes of the node, these included. */
  readonly routes: () => readonly Route[]
  readonly schemas: Readonly<Record<string, unknown>>
}

const OPEN = { method: 'GET', scope: 'node', mayChange: false, query: [] } as const

/** Health tells nothing but ok; the description of the API is public as its source is. */
export function statusRoutes(options: StatusRoutesOptions, api: ApiDescription): readonly Route[] {
  const unready = 'there is no leader, or this replica is not caught up'
  return [
    ...healthRoutes({
      summary: 'It has a leader and is caught up; 503 otherwise',
      unready: () => (options.status().isReady ? null : unready),
    }),
    {
      ...OPEN,
      path: '/v1/status',
      role: 'reader',
      doc: described('status', 'How this replica and its group stand', 'role, slots, members, …'),
      handle: () => jsonAnswer(options.status()),
    },
    ...apiRoutes(options.version, api),
  ]
}

/** The description of all routes, as JSON and as a page. */
export function apiRoutes(version: string, api: ApiDescription): readonly Route[] {
  let made: ApiDocument | null = null
  const document = (): ApiDocument => {
    made ??= openApiDocument({ title: api.title, version }, api.routes(), api.schemas)
    return made
  }
  return [
    {
      ...OPEN,
      path: '/openapi.json',
      role: 'public',
      doc: described('openapi', 'This description', 'OpenAPI 3.1'),
      handle: () => jsonAnswer(document()),
    },
    {
      ...OPEN,
      path: '/docs',
      role: 'public',
      doc: described('docs', 'This description for people', 'a page'),
      handle: () => pageAnswer(docsPage(document())),
    },
  ]
}

type Readiness = {
  readonly summary: string
  /** Why it does not serve; null when it does. */
  readonly unready: () => string | null
}

export function healthRoutes({ summary, unready }: Readiness): readonly Route[] {
  return [
    {
      ...OPEN,
      path: '/healthz',
      role: 'public',
      doc: described('healthz', 'The process is up', 'it is'),
      handle: () => jsonAnswer({ status: 'ok' }),
    },
    {
      ...OPEN,
      path: '/readyz',
      role: 'public',
      doc: described('readyz', summary, 'it is'),
      handle: () => {
        const reason = unready()
        return reason === null ? jsonAnswer({ status: 'ready' }) : problem('not-ready', reason)
      },
    },
  ]
}

function described(operationId: string, summary: string, description: string) {
  return { operationId, summary, responses: { 200: { description } } }
}

function pageAnswer(page: string): Answer {
  const headers = [
    'Content-Type',
    'text/html; charset=utf-8',
    'Content-Security-Policy',
    DOCS_CSP,
    'X-Content-Type-Options',
    'nosniff',
    'Referrer-Policy',
    'no-referrer',
    'X-Frame-Options',
    'DENY',
  ]
  return { status: 200, headers, body: page }
}
