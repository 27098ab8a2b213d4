// A node's own spans in the shape in which the archive answers: who reads one can read the other.

import type { z } from 'zod'
import type { archivedSpan, instanceLine } from '../archive/answers.ts'
import { ATTR, EVENT } from '../trace/span-model.ts'
import type { InstanceRecord } from './instance-record.ts'
import type { Resource } from './open-telemetry.ts'
import type { Span } from './span.ts'

export type ArchivedSpan = z.infer<typeof archivedSpan>
export type InstanceLine = z.infer<typeof instanceLine>

export function archivedForm(span: Span, resource: Resource): ArchivedSpan {
  const { traceId, spanId, parentSpanId, name, kind, start, end, status, attributes } = span
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind,
    startMicros: start,
    durationMicros: end - start,
    node: resource.name,
    service: resource.kind,
    gid: resource.gid,
    replica: resource.replica,
    status,
    statusMessage: null,
    attributes: { ...attributes },
    events: span.events.map(event => ({
      name: event.name,
      atMicros: event.at,
      attributes: { ...event.attributes },
    })),
    links: span.links.map(link => ({ ...link })),
  }
}

export function lineOf(record: InstanceRecord, resource: Resource): InstanceLine {
  const span = record.span(false)
  const { traceId, spanId, start, end, attributes } = span
  const after = (name: string): number | null => {
    const event = span.events.find(found => found.name === name)
    return event === undefined ? null : event.at - start
  }
  const { facts, group } = record
  return {
    traceId,
    spanId,
    gid: resource.gid,
    slot: record.slot,
    startMicros: start,
    durationMicros: end - start,
    node: resource.name,
    replica: resource.replica,
    ballot: String(attributes[ATTR.ballot]),
    origin: facts.origin,
    path: String(attributes[ATTR.path]),
    outcome: String(attributes[ATTR.outcome]),
    commands: facts.commands,
    bytes: facts.bytes,
    quorum: group.quorum,
    members: group.members,
    proposedMicros: after(EVENT.proposed),
    decidedMicros: after(EVENT.decided),
    appliedMicros: after(EVENT.applied),
    acceptors: span.events
      .filter(({ name }) => name === EVENT.accepted)
      .map(event => ({
        acceptor: Number(event.attributes[ATTR.acceptor]),
        atMicros: event.at - start,
        durableMicros: Number(event.attributes[ATTR.durable]),
        madeQuorum: event.attributes[ATTR.isQuorum] === true,
      })),
  }
}
