// From stored spans to what the archive answers: whole spans, and the lines of its lists.

import { ATTR, EVENT, SPAN } from '../trace/span-model.ts'
import type {
  ArchivedSpan,
  Attributes,
  AttributeValue,
  HandoffLine,
  HandoffSide,
  InstanceLine,
  SpanLine,
  TimelineLine,
} from './answers.ts'
import type { AttributeList, OtlpSpan } from './otlp-span.ts'
import { gistEvents } from './thinned.ts'
import { timelineText } from './timeline-text.ts'

/** What a timeline is made of: all that is rare and concerns a whole replica, group or cluster. */
export const TIMELINE_NAMES: readonly string[] = [
  SPAN.election,
  SPAN.leadership,
  SPAN.change,
  SPAN.reconfiguration,
  SPAN.recovery,
  SPAN.snapshot,
  SPAN.catchUp,
]

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const STATUSES = ['unset', 'ok', 'error'] as const

export function archivedSpan(span: OtlpSpan): ArchivedSpan {
  const { traceId, spanId, name, startMicros, durationMicros, author } = span
  const told = span.events.length === 0 ? gistEvents(span) : span.events
  const events = told.map(event => ({
    name: event.name,
    atMicros: event.atMicros,
    attributes: record(event.attributes),
  }))
  return {
    ...{ traceId, spanId, name, startMicros, durationMicros },
    parentSpanId: span.parentSpanId === '' ? null : span.parentSpanId,
    kind: KINDS[span.kind] ?? 'unspecified',
    node: author.node,
    service: author.service,
    gid: numberAt(span.attributes, ATTR.group) ?? author.gid,
    replica: numberAt(span.attributes, ATTR.replica) ?? author.replica,
    status: STATUSES[span.status] ?? 'unset',
    statusMessage: span.statusMessage === '' ? null : span.statusMessage,
    attributes: record(span.attributes),
    events: events.sort((one, other) => one.atMicros - other.atMicros),
    links: [...span.links],
  }
}

export function spanLine(span: OtlpSpan): SpanLine {
  const { traceId, spanId, name, startMicros, durationMicros, node, ...rest } = archivedSpan(span)
  const { gid, replica, status } = rest
  return {
    ...{ traceId, spanId, name, startMicros, durationMicros, node, gid, replica, status },
    slot: numberAt(span.attributes, ATTR.slot),
    shard: numberAt(span.attributes, ATTR.shard),
    config: numberAt(span.attributes, ATTR.config),
    outcome: textAt(span.attributes, ATTR.outcome),
  }
}

export function instanceLine(span: OtlpSpan): InstanceLine {
  const { traceId, spanId, startMicros, durationMicros, events, ...rest } = archivedSpan(span)
  const of = span.attributes
  const after = (name: string): number | null => {
    const found = events.find(event => event.name === name)
    return found === undefined ? null : found.atMicros - startMicros
  }
  return {
    ...{ traceId, spanId, startMicros, durationMicros, node: rest.node, replica: rest.replica },
    gid: rest.gid ?? 0,
    slot: numberAt(of, ATTR.slot) ?? 0,
    ballot: textAt(of, ATTR.ballot),
    origin: textAt(of, ATTR.origin),
    path: textAt(of, ATTR.path),
    outcome: textAt(of, ATTR.outcome),
    commands: numberAt(of, ATTR.commands),
    bytes: numberAt(of, ATTR.bytes),
    quorum: numberAt(of, ATTR.quorum),
    members: numberAt(of, ATTR.members),
    proposedMicros: after(EVENT.proposed),
    decidedMicros: after(EVENT.decided),
    appliedMicros: after(EVENT.applied),
    acceptors: events.flatMap(event => {
      const acceptor = event.attributes[ATTR.acceptor]
      if (event.name !== EVENT.accepted || typeof acceptor !== 'number') return []
      const durable = event.attributes[ATTR.durable]
      return {
        acceptor,
        atMicros: event.atMicros - startMicros,
        durableMicros: typeof durable === 'number' ? durable : null,
        madeQuorum: event.attributes[ATTR.isQuorum] === true,
      }
    }),
  }
}

/** Both sides of a shard's move; a side that was written by several leaders shows its last one. */
export function handoffLine(
  config: number,
  shard: number,
  spans: readonly OtlpSpan[],
): HandoffLine {
  const ordered = [...spans].sort((one, other) => one.startMicros - other.startMicros)
  const start = Math.min(...ordered.map(span => span.startMicros))
  const end = Math.max(...ordered.map(span => span.startMicros + span.durationMicros))
  const last = <T>(read: (list: AttributeList) => T | null): T | null =>
    ordered.reduce<T | null>((found, span) => read(span.attributes) ?? found, null)
  const most = (key: string): number | null => {
    const values = ordered.flatMap(span => numberAt(span.attributes, key) ?? [])
    return values.length === 0 ? null : Math.max(...values)
  }
  const side = (name: string): OtlpSpan | undefined =>
    ordered.filter(span => textAt(span.attributes, ATTR.side) === name).at(-1)
  const outcomes = ordered.flatMap(span => textAt(span.attributes, ATTR.outcome) ?? [])
  return {
    traceId: ordered[0]?.traceId ?? '',
    ...{ config, shard, startMicros: start, durationMicros: end - start },
    from: last(list => numberAt(list, ATTR.from)),
    to: last(list => numberAt(list, ATTR.to)),
    pauseMicros: most(ATTR.pause),
    keys: most(ATTR.keys),
    bytes: most(ATTR.shardBytes),
    chunks: most(ATTR.chunks),
    outcome: outcomes.find(outcome => outcome !== 'ok') ?? outcomes[0] ?? null,
    giver: handoffSide(side('giver')),
    taker: handoffSide(side('taker')),
  }
}

function handoffSide(span: OtlpSpan | undefined): HandoffSide | null {
  if (span === undefined) return null
  const { spanId, gid, node, startMicros, durationMicros, status } = archivedSpan(span)
  const outcome = textAt(span.attributes, ATTR.outcome)
  return { spanId, gid, node, startMicros, durationMicros, outcome, status }
}

export function timelineLine(span: OtlpSpan): TimelineLine {
  const whole = archivedSpan(span)
  const { traceId, spanId, name, startMicros, durationMicros, node, gid, replica, status } = whole
  return {
    ...{ traceId, spanId, name, startMicros, durationMicros, node, gid, replica, status },
    config: numberAt(span.attributes, ATTR.config),
    outcome: textAt(span.attributes, ATTR.outcome),
    text: timelineText(whole),
  }
}

/** Own members only, whatever their names: `__proto__` is one like any other. */
function record(list: AttributeList): Attributes {
  const entries: [string, AttributeValue][] = []
  for (let at = 0; at < list.length; at += 2) entries.push([String(list[at]), list[at + 1] ?? ''])
  return Object.fromEntries(entries)
}

export function numberAt(list: AttributeList, key: string): number | null {
  const value = valueAt(list, key)
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}

export function textAt(list: AttributeList, key: string): string | null {
  const value = valueAt(list, key)
  return typeof value === 'string' ? value : null
}

function valueAt(list: AttributeList, key: string): AttributeValue | undefined {
  for (let at = 0; at < list.length; at += 2) if (list[at] === key) return list[at + 1]
  return undefined
}
