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
  let made: ApiDocument | null = null
  const document = (): ApiDocument => {
    made ??= openApiDocument(
      { title: api.title, version: options.version },
      api.routes(),
      api.schemas,
    )
    return made
  }
  return [
    ...healthRoutes(options),
    {
      ...OPEN,
      path: '/v1/status',
      role: 'reader',
      doc: described('status', 'How this replica and its group stand', 'role, slots, members, …'),
      handle: () => jsonAnswer(options.status()),
    },
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

function healthRoutes(options: StatusRoutesOptions): readonly Route[] {
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
      doc: described('readyz', 'It has a leader and is caught up; 503 otherwise', 'it is'),
      handle: () =>
        options.status().isReady
          ? jsonAnswer({ status: 'ready' })
          : problem('not-ready', 'there is no leader, or this replica is not caught up'),
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
