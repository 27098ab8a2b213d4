// What the events of state machines come to: configurations, handoffs, changes. Durations are those
// between steps of this process; what a restarted replica applies again in one step has none.

import { unreachable } from '../../server/assert.ts'
import type { ShardkvEvent } from '../../server/shardkv/event.ts'
import type { ShardmasterEvent } from '../../server/shardmaster/event.ts'
import { Tally } from '../../server/tally.ts'
import { LONG } from './metric-family.ts'
import { NamedCounts } from './named-counts.ts'

type Of<Type extends ShardkvEvent['type']> = Extract<ShardkvEvent, { type: Type }>

const SECOND = 1e6
/** Configurations adopted and not settled; older ones are given up. */
const UNSETTLED_MAX = 1024

/** A shard held here, as `/v1/status` tells. */
export type HeldShard = { readonly shard: number; readonly phase: string; readonly peer: number }

export class ShardMetrics {
  heard = -1
  settled = -1
  readonly handoffs = { in: 0, out: 0 }
  readonly bytes = { in: 0, out: 0 }
  readonly keys = { in: 0, out: 0 }
  readonly phases = {
    receive: new Tally(LONG),
    send: new Tally(LONG),
    sweep: new Tally(LONG),
  } as const
  readonly reconfigurations = new Tally(LONG)
  /** `op result` */
  readonly changes = new NamedCounts()
  movedShards = 0
  repeated = 0
  retired = 0
  private readonly gid: number
  /** config → when it was adopted. */
  private readonly adoptedAt = new Map<number, number>()
  /** shard → since when it has been on its way, and in its phase. */
  private readonly moving = new Map<number, { readonly since: number; phaseSince: number }>()

  /** `gid`: the own group. */
  constructor(gid: number) {
    this.gid = gid
  }

  on(event: ShardkvEvent, micros: number): void {
    switch (event.type) {
      case 'requestRepeated':
        this.repeated += 1
        return
      case 'handoffChunk':
        this.keys[event.direction] += event.keys
        this.bytes[event.direction] += event.bytes
        return
      case 'configHeard':
        this.heard = Math.max(this.heard, event.config)
        return
      case 'configAdopted':
        return this.onAdopted(event, micros)
      case 'configSettled':
        return this.onSettled(event, micros)
      case 'handoffFrozen':
        return this.onFrozen(event, micros)
      case 'handoffAwaited':
        return this.begin(event.shard, micros)
      case 'handoffInstalled':
        return this.onInstalled(event, micros)
      case 'handoffReleased':
        return this.onReleased(event, micros)
      case 'shardSwept':
        return this.onSwept(event, micros)
      case 'sessionsRetired':
        this.retired += event.count
        return
      case 'handoffAcknowledged': // the release follows it
        return
      default:
        return unreachable(event)
    }
  }

  private onAdopted({ config }: Of<'configAdopted'>, micros: number): void {
    this.adoptedAt.set(config, micros)
    const [oldest] = this.adoptedAt.keys()
    if (this.adoptedAt.size > UNSETTLED_MAX && oldest !== undefined) this.adoptedAt.delete(oldest)
  }

  /** With a configuration, all older ones are settled. */
  private onSettled({ config }: Of<'configSettled'>, micros: number): void {
    this.settled = config
    for (const [num, at] of this.adoptedAt) {
      if (num > config) continue
      this.adoptedAt.delete(num)
      if (micros > at) this.reconfigurations.add((micros - at) / SECOND)
    }
  }

  /** To nobody: it stays here, and is on no way. */
  private onFrozen({ shard, to }: Of<'handoffFrozen'>, micros: number): void {
    if (to !== 0) this.begin(shard, micros)
  }

  /** A shard that is new, or whose data had stayed here, was handed over by nobody. */
  private onInstalled({ shard, from }: Of<'handoffInstalled'>, micros: number): void {
    const way = this.moving.get(shard)
    this.moving.delete(shard)
    if (from === 0 || from === this.gid) return
    this.handoffs.in += 1
    if (way !== undefined && micros > way.since)
      this.phases.receive.add((micros - way.since) / SECOND)
  }

  private onReleased({ shard }: Of<'handoffReleased'>, micros: number): void {
    this.handoffs.out += 1
    const way = this.moving.get(shard)
    if (way === undefined) return
    if (micros > way.phaseSince) this.phases.send.add((micros - way.phaseSince) / SECOND)
    way.phaseSince = micros
  }

  private onSwept({ shard }: Of<'shardSwept'>, micros: number): void {
    const way = this.moving.get(shard)
    this.moving.delete(shard)
    if (way !== undefined && micros > way.phaseSince) {
      this.phases.sweep.add((micros - way.phaseSince) / SECOND)
    }
  }

  onRefused({ op, kind }: Extract<ShardmasterEvent, { type: 'changeRefused' }>): void {
    this.changes.add(`${op} ${kind}`)
  }

  onDecided({ cause, movedShards }: Extract<ShardmasterEvent, { type: 'configDecided' }>): void {
    if (cause.op === 'init') return
    this.changes.add(`${cause.op} decided`)
    this.movedShards += movedShards
  }

  /**
   * Seconds that the oldest of these shards has been on its way. Whatever was on its way when this
   * process started counts from the first look; what a snapshot brought to its end is forgotten.
   */
  oldestAge(held: readonly HeldShard[], micros: number): number {
    const onTheWay = new Set(held.filter(isMoving).map(({ shard }) => shard))
    for (const shard of this.moving.keys()) if (!onTheWay.has(shard)) this.moving.delete(shard)
    let oldest = micros
    for (const shard of onTheWay) {
      if (!this.moving.has(shard)) this.begin(shard, micros)
      oldest = Math.min(oldest, this.moving.get(shard)?.since ?? micros)
    }
    return (micros - oldest) / SECOND
  }

  private begin(shard: number, micros: number): void {
    this.moving.set(shard, { since: micros, phaseSince: micros })
  }
}

/** Between two groups; one that is frozen and goes to nobody is not. */
export function isMoving({ phase, peer }: HeldShard): boolean {
  return phase === 'awaited' || phase === 'releasing' || (phase === 'leaving' && peer !== 0)
}
