// What a node shows of its own traces, archive or not: the last instances that it led, and a switch for
// a deeper look.

import { problem } from '../../server/http/problem.ts'
import { type Call, jsonAnswer, type Route } from '../../server/http/route.ts'
import { archivedForm, lineOf } from './archived-form.ts'
import type { EventSpans } from './event-spans.ts'
import type { Resource } from './open-telemetry.ts'

const LIMIT_MAX = 1_000
const DEEP_SECONDS_MAX = 3_600

export type TraceRoutesOptions = {
  readonly events: EventSpans
  readonly resource: Resource
  /** Every acceptance is told for so long. */
  readonly lookDeep: (seconds: number) => void
}

export function traceRoutes(options: TraceRoutesOptions): readonly Route[] {
  const reader = { method: 'GET', role: 'reader', scope: 'node', mayChange: false } as const
  return [
    {
      ...reader,
      path: '/v1/instances',
      query: ['limit'],
      doc: described('instances', 'The last Paxos instances that this node led', 'newest first'),
      handle: call => instances(options, call),
    },
    {
      ...reader,
      path: '/v1/instances/{slot}',
      query: [],
      doc: described('instance', 'One of them, as its span', 'the span'),
      handle: call => instance(options, call),
    },
    {
      method: 'POST',
      path: '/v1/deep-trace',
      role: 'admin',
      scope: 'node',
      mayChange: true,
      query: ['seconds'],
      doc: described(
        'deepTrace',
        "Spans of this acceptor's every answer, for a while",
        'until when',
      ),
      handle: call => deepTrace(options, call),
    },
  ]
}

function instances({ events, resource }: TraceRoutesOptions, call: Call) {
  const limit = wholeNumber(call.query.get('limit') ?? '50', LIMIT_MAX)
  if (limit === null) return problem('bad-request', `limit must be 1 to ${LIMIT_MAX}`)
  const found = events.instances.newestFirst(limit)
  return jsonAnswer({
    instances: found.map(record => lineOf(record, resource)),
    next: null,
    isPartial: false,
  })
}

function instance({ events, resource }: TraceRoutesOptions, call: Call) {
  const slot = wholeNumber(call.path.slice('/v1/instances/'.length), Number.MAX_SAFE_INTEGER)
  if (slot === null) return problem('bad-request', 'a slot is a number from 1 on')
  const record = events.instances.of(slot)
  if (record === null) {
    return problem('not-found', 'this node did not lead that instance of late: ask the archive')
  }
  const span = archivedForm(record.span(false), resource)
  return jsonAnswer({ gid: resource.gid, slot, spans: [span] })
}

function deepTrace({ lookDeep }: TraceRoutesOptions, call: Call) {
  const seconds = wholeNumber(call.query.get('seconds') ?? '60', DEEP_SECONDS_MAX)
  if (seconds === null) return problem('bad-request', `seconds must be 1 to ${DEEP_SECONDS_MAX}`)
  lookDeep(seconds)
  return jsonAnswer({ until: new Date(Date.now() + seconds * 1000).toISOString() })
}

function wholeNumber(text: string, max: number): number | null {
  const number = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0
  return number >= 1 && number <= max ? number : null
}

function described(operationId: string, summary: string, description: string) {
  return { operationId, summary, responses: { 200: { description } } }
}
