// Each side of a shard's move, as its group sees it: the giver from the freeze until the shard is
// deleted, the taker from the configuration until it serves. Both write into one computed trace.

import type { ShardkvEvent } from '../../server/shardkv/event.ts'
import { ATTR, EVENT, handoffTraceId, SPAN, spanIdOf } from '../trace/span-model.ts'
import type { HeldSpans } from './held-spans.ts'
import { type Attributes, type AttributeValue, made, type SpanEvent } from './span.ts'
import type { SpanContext } from './span-context.ts'

type Of<T extends ShardkvEvent['type']> = Extract<ShardkvEvent, { type: T }>
type Side = 'giver' | 'taker'

type Move = {
  readonly side: Side
  readonly config: number
  readonly shard: number
  readonly from: number
  readonly to: number
  readonly start: number
  readonly events: SpanEvent[]
  chunks: number
  keys: number
  bytes: number
  /** When clients were served again, as far as this side can tell; 0: not yet. */
  servedAt: number
  isReleased: boolean
}

/** Of more parts, only the count is told. */
const CHUNK_EVENTS_MAX = 64
/** Shards on the move here at once, and those whose end was never seen. */
const MOVES_MAX = 4096
/** A large shard takes long to delete: its span does not wait for it. */
const SWEEP_MS_MAX = 2_000

export class Handoffs {
  private readonly context: SpanContext
  private readonly held: HeldSpans
  /** `side/config/shard` → what is known of it. */
  private readonly moves = new Map<string, Move>()
  private readonly sweeping = new Set<NodeJS.Timeout>()

  constructor(context: SpanContext, held: HeldSpans) {
    this.context = context
    this.held = held
  }

  onFrozen(event: Of<'handoffFrozen'>): void {
    const { to, keys, bytes, slot, isLeader } = event
    const move = this.begin('giver', event, { from: this.context.gid, to })
    move.keys = keys
    move.bytes = bytes
    this.add(move, EVENT.frozen, this.at(event), { [ATTR.slot]: slot })
    // All groups left: it stays here, and the configuration that moves it on begins anew.
    if (to === 0) this.end(move, { outcome: 'stranded', isOld: this.isOld(event), isLeader })
  }

  onAwaited(event: Of<'handoffAwaited'>): void {
    const move = this.begin('taker', event, { from: event.from, to: this.context.gid })
    this.add(move, EVENT.awaited, this.at(event), { [ATTR.slot]: event.slot })
  }

  onChunk({ config, shard, direction, keys, bytes }: Of<'handoffChunk'>): void {
    const move = this.moves.get(keyOf(direction === 'out' ? 'giver' : 'taker', { config, shard }))
    if (move === undefined) return
    move.chunks += 1
    if (move.chunks > CHUNK_EVENTS_MAX) return
    this.add(move, EVENT.chunk, this.now, { [ATTR.keys]: keys, [ATTR.bytes]: bytes })
  }

  onInstalled(event: Of<'handoffInstalled'>): void {
    const { from, keys, bytes, slot, isFirst, isLeader } = event
    if (isFirst) return
    const { gid } = this.context
    const begun = this.moves.get(keyOf('taker', event))
    const move = begun ?? this.begin('taker', event, { from, to: gid })
    move.keys = keys
    move.bytes = bytes
    move.servedAt = this.at(event)
    this.add(move, EVENT.installed, move.servedAt, { [ATTR.slot]: slot })
    const outcome = from === gid ? 'resumed' : 'ok'
    this.end(move, { outcome, isOld: this.isOld(event), isLeader })
  }

  onAcknowledged(event: Of<'handoffAcknowledged'>): void {
    const move = this.moves.get(keyOf('giver', event))
    if (move === undefined) return
    move.servedAt = this.now
    this.add(move, EVENT.acknowledged, move.servedAt)
  }

  onReleased(event: Of<'handoffReleased'>): void {
    const { slot, to, isLeader } = event
    const begun = this.moves.get(keyOf('giver', event))
    const move = begun ?? this.begin('giver', event, { from: this.context.gid, to })
    const at = this.at(event)
    if (move.servedAt === 0) move.servedAt = at
    move.isReleased = true
    this.add(move, EVENT.released, at, { [ATTR.slot]: slot })
    if (this.isOld(event)) return this.end(move, { outcome: 'ok', isOld: true, isLeader })
    const timer = setTimeout(() => {
      this.sweeping.delete(timer)
      this.end(move, { outcome: 'ok', isOld: false, isLeader })
    }, SWEEP_MS_MAX)
    timer.unref()
    this.sweeping.add(timer)
  }

  onSwept(event: Of<'shardSwept'>): void {
    const move = this.moves.get(keyOf('giver', event))
    if (move === undefined || !move.isReleased) return
    this.add(move, EVENT.swept, this.at(event))
    this.end(move, { outcome: 'ok', isOld: this.isOld(event), isLeader: event.isLeader })
  }

  /** What was released and is still being deleted is told as it is. */
  stop(): void {
    for (const timer of this.sweeping) clearTimeout(timer)
    this.sweeping.clear()
    for (const move of [...this.moves.values()]) {
      if (move.isReleased) this.end(move, { outcome: 'ok', isOld: false, isLeader: false })
    }
  }

  private get now(): number {
    return this.context.time.of(this.context.now)
  }

  private at({ loggedMs }: { readonly loggedMs: number }): number {
    return this.context.timeOf(loggedMs)
  }

  private isOld({ loggedMs }: { readonly loggedMs: number }): boolean {
    return this.context.isOld(loggedMs)
  }

  private begin(
    side: Side,
    event: { readonly config: number; readonly shard: number; readonly loggedMs: number },
    ends: { readonly from: number; readonly to: number },
  ): Move {
    const { config, shard } = event
    const sizes = { chunks: 0, keys: 0, bytes: 0, servedAt: 0, isReleased: false }
    const move: Move = { side, config, shard, ...ends, start: this.at(event), events: [], ...sizes }
    this.moves.set(keyOf(side, move), move)
    const [oldest] = this.moves.keys()
    if (this.moves.size > MOVES_MAX && oldest !== undefined) this.moves.delete(oldest)
    return move
  }

  private add(move: Move, name: string, at: number, attributes: Attributes = {}): void {
    move.events.push({ name, at, attributes })
  }

  private end(
    move: Move,
    how: { readonly outcome: string; readonly isOld: boolean; readonly isLeader: boolean },
  ): void {
    if (this.moves.get(keyOf(move.side, move)) !== move) return
    this.moves.delete(keyOf(move.side, move))
    if (how.isOld) return
    const { context } = this
    const { side, config, shard, start, events } = move
    const traceId = handoffTraceId(context.cluster, config, shard)
    this.held.tell(
      made({
        name: SPAN.handoff,
        kind: side === 'giver' ? 'client' : 'server',
        traceId,
        spanId: spanIdOf(`handoff/${traceId}/${side}/${context.author}`),
        parentSpanId: null,
        start,
        end: Math.max(start, events.at(-1)?.at ?? start),
        status: 'ok',
        attributes: attributesOf(move, how),
        events,
        links: [],
      }),
    )
  }
}

function attributesOf(
  move: Move,
  how: { readonly outcome: string; readonly isLeader: boolean },
): Record<string, AttributeValue> {
  const { side, config, shard, from, to, keys, bytes, chunks, servedAt, start } = move
  const attributes: Record<string, AttributeValue> = {
    [ATTR.shard]: shard,
    [ATTR.config]: config,
    [ATTR.side]: side,
    [ATTR.from]: from,
    [ATTR.to]: to,
    [ATTR.keys]: keys,
    [ATTR.shardBytes]: bytes,
    [ATTR.chunks]: chunks,
    [ATTR.isLeader]: how.isLeader,
    [ATTR.outcome]: how.outcome,
  }
  if (servedAt !== 0) attributes[ATTR.pause] = Math.max(0, servedAt - start)
  return attributes
}

function keyOf(side: Side, of: { readonly config: number; readonly shard: number }): string {
  return `${side}/${of.config}/${of.shard}`
}
