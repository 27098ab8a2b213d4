// The archive's answers: the shapes that it sends, and that its client checks what it gets against.
// Times are whole µs since 1970, durations µs, unless the name says otherwise. Null: not known, or
// not said by the one that wrote the span.

import { z } from 'zod'

const whole = z.int()
const known = whole.nullable()
const text = z.string().nullable()

const scalar = z.union([z.string(), z.number(), z.boolean()])
const attributes = z.record(z.string(), z.union([scalar, z.array(scalar)]))
const ids = z.object({ traceId: z.string(), spanId: z.string() })

export const archivedSpan = z.object({
  ...ids.shape,
  parentSpanId: text,
  name: z.string(),
  kind: z.enum(['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']),
  startMicros: whole,
  durationMicros: whole,
  /** The process that wrote it: `service.instance.id`. */
  node: z.string(),
  /** `service.name`. */
  service: z.string(),
  gid: known,
  replica: known,
  status: z.enum(['unset', 'ok', 'error']),
  statusMessage: text,
  attributes,
  /** In order of time. */
  events: z.array(z.object({ name: z.string(), atMicros: whole, attributes })),
  links: z.array(ids),
})

/** A Paxos instance as its leader saw it. */
export const instanceLine = z.object({
  ...ids.shape,
  gid: whole,
  slot: whole,
  startMicros: whole,
  durationMicros: whole,
  node: z.string(),
  replica: known,
  ballot: text,
  /** own | inherited | noop. */
  origin: text,
  /** accept_only | full. */
  path: text,
  outcome: text,
  commands: known,
  bytes: known,
  quorum: known,
  members: known,
  /** From the start of the span until accepts left, a quorum had it, and it had run here. */
  proposedMicros: known,
  decidedMicros: known,
  appliedMicros: known,
  /** Acceptors whose answer is in the span, in order of arrival. */
  acceptors: z.array(
    z.object({
      acceptor: whole,
      /** From the start of the span until its answer had arrived. */
      atMicros: whole,
      /** By its own clock, from receipt until its record was durable. */
      durableMicros: known,
      madeQuorum: z.boolean(),
    }),
  ),
})

/** What one side of a handoff wrote. */
export const handoffSide = z.object({
  spanId: z.string(),
  gid: known,
  node: z.string(),
  startMicros: whole,
  durationMicros: whole,
  outcome: text,
  status: archivedSpan.shape.status,
})

/** One shard's move at one configuration, giver and taker in one. */
export const handoffLine = z.object({
  traceId: z.string(),
  config: whole,
  shard: whole,
  from: known,
  to: known,
  /** From the first to the last that either side tells. */
  startMicros: whole,
  durationMicros: whole,
  /** How long clients were refused. */
  pauseMicros: known,
  keys: known,
  bytes: known,
  chunks: known,
  outcome: text,
  giver: handoffSide.nullable(),
  taker: handoffSide.nullable(),
})

/** An election, leader, configuration, recovery, snapshot or catch-up. */
export const timelineLine = z.object({
  ...ids.shape,
  name: z.string(),
  startMicros: whole,
  durationMicros: whole,
  node: z.string(),
  gid: known,
  replica: known,
  config: known,
  outcome: text,
  status: archivedSpan.shape.status,
  /** What happened, in a few words. */
  text: z.string(),
})

/** A span without what is inside. */
export const spanLine = z.object({
  ...ids.shape,
  name: z.string(),
  startMicros: whole,
  durationMicros: whole,
  node: z.string(),
  gid: known,
  replica: known,
  slot: known,
  shard: known,
  config: known,
  outcome: text,
  status: archivedSpan.shape.status,
})

const page = {
  /** Where the next page begins, for `before`; null where there is none. */
  next: text,
  /** The time for a search was over before everything was looked at: there may be more. */
  isPartial: z.boolean(),
}

export const traceAnswer = z.object({ traceId: z.string(), spans: z.array(archivedSpan) })
export const instanceAnswer = z.object({ gid: whole, slot: whole, spans: z.array(archivedSpan) })
export const instancesAnswer = z.object({ instances: z.array(instanceLine), ...page })
export const handoffsAnswer = z.object({ handoffs: z.array(handoffLine), ...page })
export const handoffAnswer = z.object({
  config: whole,
  shard: whole,
  spans: z.array(archivedSpan),
})
export const timelineAnswer = z.object({ entries: z.array(timelineLine), ...page })
export const spansAnswer = z.object({ spans: z.array(spanLine), ...page })
export const requestAnswer = z.object({
  traceId: z.string(),
  /** Of the request's own trace. */
  spans: z.array(archivedSpan),
  /** The instances that its spans are linked to. */
  instances: z.array(archivedSpan),
  /** The time was over before all of them were looked for. */
  isPartial: z.boolean(),
})
export const archiveStatus = z.object({
  version: z.string(),
  schemaVersion: whole,
  spans: whole,
  bytes: whole,
  /** Start of the oldest and the newest span kept. */
  oldestMicros: known,
  newestMicros: known,
  segments: whole,
  /** Since this process started. */
  fates: z.object({ stored: whole, duplicate: whole, rejected: whole, expired: whole }),
  bounds: z.object({ bytesMax: whole, ageMsMax: whole }),
  /** Why it takes nothing at the moment (a full disk); null when it does. */
  refusing: text,
})

export type AttributeValue = z.infer<typeof attributes>[string]
export type Attributes = Readonly<Record<string, AttributeValue>>
export type ArchivedSpan = z.infer<typeof archivedSpan>
export type InstanceLine = z.infer<typeof instanceLine>
export type HandoffSide = z.infer<typeof handoffSide>
export type HandoffLine = z.infer<typeof handoffLine>
export type TimelineLine = z.infer<typeof timelineLine>
export type SpanLine = z.infer<typeof spanLine>
export type TraceAnswer = z.infer<typeof traceAnswer>
export type InstanceAnswer = z.infer<typeof instanceAnswer>
export type InstancesAnswer = z.infer<typeof instancesAnswer>
export type HandoffsAnswer = z.infer<typeof handoffsAnswer>
export type HandoffAnswer = z.infer<typeof handoffAnswer>
export type TimelineAnswer = z.infer<typeof timelineAnswer>
export type SpansAnswer = z.infer<typeof spansAnswer>
export type RequestAnswer = z.infer<typeof requestAnswer>
export type ArchiveStatus = z.infer<typeof archiveStatus>
