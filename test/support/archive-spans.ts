// Spans as a node's exporter writes them: instances with six events each, handoffs, elections, requests,
// as the SDK's own objects, so that its serializers make the bodies.

import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace-base'
import {
  ATTR,
  EVENT,
  handoffTraceId,
  instanceIds,
  SPAN,
  spanIdOf,
} from '../../ops/trace/span-model.ts'

export const CLUSTER = 'test-cluster'

export function nodeResource(gid: number, replica: number): Resource {
  const kind = gid === 0 ? 'shardmaster' : 'shardkv'
  return resourceFromAttributes({
    'service.namespace': CLUSTER,
    'service.name': kind,
    'service.version': '0.1.0',
    'service.instance.id': gid === 0 ? `sm${replica + 1}` : `kv${gid}${'abc'[replica] ?? 'x'}`,
    [ATTR.group]: gid,
    [ATTR.replica]: replica,
  })
}

type SpanFields = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly startMicros: number
  readonly durationMicros: number
  readonly resource: Resource
  readonly attributes?: ReadableSpan['attributes']
  readonly events?: TimedEvent[]
  readonly links?: readonly { traceId: string; spanId: string }[]
  readonly parentSpanId?: string
  readonly kind?: SpanKind
  readonly status?: ReadableSpan['status']
}

const SCOPE = { name: 'shardglass', version: '0.1.0' }

export function readableSpan(fields: SpanFields): ReadableSpan {
  const { traceId, spanId, startMicros, durationMicros } = fields
  const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED }
  const parent = fields.parentSpanId
  return {
    name: fields.name,
    kind: fields.kind ?? SpanKind.INTERNAL,
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: { ...context, spanId: parent } }),
    startTime: hrTime(startMicros),
    endTime: hrTime(startMicros + durationMicros),
    duration: hrTime(durationMicros),
    status: fields.status ?? { code: SpanStatusCode.UNSET },
    attributes: fields.attributes ?? {},
    links: (fields.links ?? []).map(link => ({
      context: { ...link, traceFlags: TraceFlags.SAMPLED },
    })),
    events: fields.events ?? [],
    ended: true,
    resource: fields.resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

export function hrTime(micros: number): [number, number] {
  return [Math.floor(micros / 1e6), (micros % 1e6) * 1000]
}

export function event(name: string, micros: number, attributes = {}): TimedEvent {
  return { name, time: hrTime(micros), attributes, droppedAttributesCount: 0 }
}

export type InstanceFields = {
  readonly gid?: number
  readonly replica?: number
  readonly slot: number
  readonly startMicros: number
  readonly formation?: string
  readonly ballot?: string
  readonly commands?: number
  /** Of one step; the whole takes about 1.4 ms by default. */
  readonly stepMicros?: number
  readonly resource?: Resource
  readonly outcome?: string
  readonly origin?: string
}

/** A small spread that repeats itself: figures of real instances differ in nearly every digit. */
function spread(seed: number, range: number): number {
  return Math.floor((((Math.imul(seed, 2_654_435_761) >>> 0) % 9973) / 9973) * range)
}

/** An instance as its leader writes it: queued, proposed, three acceptors' answers, decided, applied. */
export function instanceSpan(fields: InstanceFields): ReadableSpan {
  const { gid = 1, replica = 0, slot, startMicros, formation = 'f1', ballot = '3.0' } = fields
  const step = fields.stepMicros ?? 200
  const at = (position: number): number =>
    startMicros + position * step + spread(slot * 7 + position, step)
  const accepted = (acceptor: number, position: number, isQuorum: boolean): TimedEvent =>
    event(EVENT.accepted, at(position), {
      [ATTR.acceptor]: acceptor,
      [ATTR.durable]: 180 + spread(slot + acceptor, 400),
      [ATTR.answered]: 230 + spread(slot + acceptor, 400) + spread(slot, 40),
      ...(isQuorum ? { [ATTR.isQuorum]: true } : {}),
    })
  return readableSpan({
    name: SPAN.instance,
    ...instanceIds({ cluster: CLUSTER, gid, formation }, slot, ballot),
    startMicros,
    durationMicros: at(6) - startMicros,
    resource: fields.resource ?? nodeResource(gid, replica),
    attributes: {
      [ATTR.slot]: slot,
      [ATTR.ballot]: ballot,
      [ATTR.origin]: fields.origin ?? 'own',
      [ATTR.path]: 'accept_only',
      [ATTR.commands]: fields.commands ?? 1 + spread(slot, 32),
      [ATTR.bytes]: 120 + spread(slot, 9000),
      [ATTR.quorum]: 2,
      [ATTR.members]: 3,
      [ATTR.outcome]: fields.outcome ?? 'ok',
    },
    events: [
      event(EVENT.proposed, at(0)),
      accepted(1, 2, false),
      accepted(0, 3, true),
      event(EVENT.decided, at(4)),
      accepted(2, 5, false),
      event(EVENT.applied, at(6)),
    ],
  })
}

export type HandoffFields = {
  readonly config: number
  readonly shard: number
  readonly from: number
  readonly to: number
  readonly startMicros: number
}

/** Both sides of a shard's move. */
export function handoffSpans(fields: HandoffFields): readonly ReadableSpan[] {
  const { config, shard, from, to, startMicros } = fields
  const traceId = handoffTraceId(CLUSTER, config, shard)
  const shared = {
    [ATTR.shard]: shard,
    [ATTR.config]: config,
    [ATTR.from]: from,
    [ATTR.to]: to,
    [ATTR.keys]: 40,
    [ATTR.shardBytes]: 81_920,
    [ATTR.chunks]: 2,
    [ATTR.outcome]: 'ok',
  }
  const giver = readableSpan({
    name: SPAN.handoff,
    traceId,
    spanId: spanIdOf(`${traceId}/giver`),
    startMicros,
    durationMicros: 30_000,
    resource: nodeResource(from, 0),
    attributes: { ...shared, [ATTR.side]: 'giver', [ATTR.pause]: 21_000 },
    events: [
      event(EVENT.frozen, startMicros + 1_000),
      event(EVENT.chunk, startMicros + 5_000),
      event(EVENT.released, startMicros + 29_000),
    ],
  })
  const taker = readableSpan({
    name: SPAN.handoff,
    traceId,
    spanId: spanIdOf(`${traceId}/taker`),
    startMicros: startMicros + 500,
    durationMicros: 24_000,
    resource: nodeResource(to, 0),
    attributes: { ...shared, [ATTR.side]: 'taker' },
    events: [event(EVENT.chunk, startMicros + 9_000), event(EVENT.installed, startMicros + 22_000)],
  })
  return [giver, taker]
}

export function protobufBody(spans: readonly ReadableSpan[]): Buffer {
  return Buffer.from(ProtobufTraceSerializer.serializeRequest([...spans]) ?? new Uint8Array())
}

export function jsonBody(spans: readonly ReadableSpan[]): Buffer {
  return Buffer.from(JsonTraceSerializer.serializeRequest([...spans]) ?? new Uint8Array())
}
