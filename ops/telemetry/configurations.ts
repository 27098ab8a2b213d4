// A configuration's trace: the change that made it, on the shardmaster, and each group's way through it.
// The trace is computed from its number, so all write into the same one without a message.

import type { ShardkvEvent } from '../../server/shardkv/event.ts'
import type { Cause } from '../../server/shardmaster/config.ts'
import type { ShardmasterEvent } from '../../server/shardmaster/event.ts'
import { ATTR, configTraceId, EVENT, SPAN, spanIdOf } from '../trace/span-model.ts'
import type { HeldSpans } from './held-spans.ts'
import type { Instances } from './instances.ts'
import {
  type Attributes,
  type AttributeValue,
  made,
  randomSpanId,
  randomTraceId,
  type SpanEvent,
} from './span.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends (ShardkvEvent | ShardmasterEvent)['type']> = Extract<
  ShardkvEvent | ShardmasterEvent,
  { type: T }
>

/** Configurations that were heard of and are not settled; more wait only where much is wrong. */
const OPEN_MAX = 256

export class Configurations {
  private readonly context: SpanContext
  private readonly held: HeldSpans
  private readonly instances: Instances
  /** config → when it was heard of. */
  private readonly heard = new Map<number, number>()
  private readonly adopted = new Map<number, { readonly event: Of<'configAdopted'>; at: number }>()

  constructor(context: SpanContext, held: HeldSpans, instances: Instances) {
    this.context = context
    this.held = held
    this.instances = instances
  }

  onHeard({ config }: Of<'configHeard'>): void {
    if (this.heard.size < OPEN_MAX) this.heard.set(config, this.context.time.of(this.context.now))
  }

  onAdopted(event: Of<'configAdopted'>): void {
    if (this.context.isOld(event.loggedMs) || this.adopted.size >= OPEN_MAX) return
    this.adopted.set(event.config, { event, at: this.context.timeOf(event.loggedMs) })
  }

  /** All that was adopted up to there is settled. */
  onSettled({ config, isLeader }: Of<'configSettled'>): void {
    for (const [num, { event, at }] of this.adopted) {
      if (num <= config) this.tellSettled(event, at, isLeader)
    }
    for (const map of [this.heard, this.adopted]) {
      for (const num of map.keys()) if (num <= config) map.delete(num)
    }
  }

  private tellSettled(event: Of<'configAdopted'>, at: number, isLeader: boolean): void {
    const { context } = this
    const { config, slot, gained, lost } = event
    const heardAt = this.heard.get(config)
    const end = context.time.of(context.now)
    const events: SpanEvent[] = [
      { name: EVENT.adopted, at, attributes: { [ATTR.slot]: slot } },
      { name: EVENT.settled, at: end, attributes: {} },
    ]
    if (heardAt !== undefined) events.unshift({ name: EVENT.heard, at: heardAt, attributes: {} })
    const traceId = configTraceId(context.cluster, config)
    this.held.tell(
      made({
        name: SPAN.reconfiguration,
        kind: 'internal',
        traceId,
        spanId: spanIdOf(`reconfiguration/${traceId}/${context.author}`),
        parentSpanId: changeSpanId(traceId),
        start: Math.min(heardAt ?? at, at),
        end: Math.max(at, end),
        status: 'ok',
        attributes: {
          [ATTR.config]: config,
          [ATTR.gained]: gained,
          [ATTR.lost]: lost,
          [ATTR.isLeader]: isLeader,
          [ATTR.outcome]: 'ok',
        },
        events,
        links: [],
      }),
    )
  }

  onDecided(event: Of<'configDecided'>): void {
    if (this.context.isOld(event.loggedMs)) return
    const { num, cause, movedShards, groups, slot, isLeader } = event
    const traceId = configTraceId(this.context.cluster, num)
    this.tellChange(event, {
      traceId,
      spanId: changeSpanId(traceId),
      attributes: {
        ...ofCause(cause),
        [ATTR.config]: num,
        [ATTR.moved]: movedShards,
        [ATTR.groups]: groups,
        [ATTR.slot]: slot,
        [ATTR.isLeader]: isLeader,
        [ATTR.outcome]: 'ok',
      },
    })
  }

  onRefused(event: Of<'changeRefused'>): void {
    if (this.context.isOld(event.loggedMs)) return
    const { op, kind, actor, reason, config, slot, isLeader } = event
    this.tellChange(event, {
      traceId: randomTraceId(),
      spanId: randomSpanId(),
      attributes: {
        [ATTR.op]: op,
        [ATTR.actor]: actor,
        [ATTR.reason]: reason,
        [ATTR.config]: config,
        [ATTR.slot]: slot,
        [ATTR.isLeader]: isLeader,
        [ATTR.outcome]: kind,
      },
    })
  }

  private tellChange(
    event: { readonly slot: number; readonly loggedMs: number },
    told: { readonly traceId: string; readonly spanId: string; readonly attributes: Attributes },
  ): void {
    const { context } = this
    const end = context.timeOf(event.loggedMs)
    const instance = this.instances.of(event.slot)
    const start = Math.min(instance?.start ?? end, end)
    this.held.tell(
      made({
        ...told,
        name: SPAN.change,
        kind: 'server',
        parentSpanId: null,
        start,
        end,
        status: 'ok',
        events: [{ name: EVENT.applied, at: end, attributes: {} }],
        links: instance === null ? [] : [instance.ids],
      }),
    )
  }
}

function changeSpanId(traceId: string): string {
  return spanIdOf(`change/${traceId}`)
}

function ofCause(cause: Cause): Record<string, AttributeValue> {
  if (cause.op === 'init') return { [ATTR.op]: 'init' }
  const { op, gid, actor, reason } = cause
  const by = { [ATTR.op]: op, [ATTR.actor]: actor, [ATTR.reason]: reason }
  if (op === 'leave') return { ...by, [ATTR.from]: gid }
  if (op === 'join') return { ...by, [ATTR.to]: gid }
  return { ...by, [ATTR.to]: gid, [ATTR.shard]: cause.shard }
}
