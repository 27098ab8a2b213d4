// How a group's state machine stands, for `/v1/status` and for metrics.

import type { Handoff } from './handoff.ts'
import type { Phase } from './shard.ts'
import type { GroupState } from './state.ts'

export type ShardkvStatus = {
  /** The adopted configuration; null before the first. */
  readonly config: number | null
  /** Shards of the group by phase; absent ones are those that it once had. */
  readonly phases: Readonly<Record<Phase, number>>
  /** All but the absent ones. `peer`: the other group, if it is on its way. */
  readonly shards: readonly {
    readonly shard: number
    readonly phase: Phase
    readonly config: number
    readonly peer: number
    readonly keys: number
    readonly bytes: number
  }[]
  readonly handoffs: ReturnType<Handoff['progress']>
  /** Clients' sessions in all of them. */
  readonly sessions: number
  /** On the leader: µs without an answer of a shardmaster, as of its last question; else 0. */
  readonly shardmasterSilentMicros: number
  /** Nothing of value is left here: the group's processes may be stopped. */
  readonly isSafeToStop: boolean
}

export function statusOf(
  state: GroupState,
  leader: Pick<ShardkvStatus, 'handoffs' | 'shardmasterSilentMicros'>,
): ShardkvStatus {
  const shards = [...state.shards]
    .filter(([, { phase }]) => phase !== 'absent')
    .map(([shard, { phase, config, gid, keys, bytes }]) => {
      return { shard, phase, config, peer: gid, keys, bytes }
    })
  return {
    config: state.config?.num ?? null,
    phases: countPhases(shards),
    shards,
    sessions: state.sessions.total,
    ...leader,
    isSafeToStop: state.config?.groups[String(state.gid)] === undefined && shards.length === 0,
  }
}

function countPhases(shards: ShardkvStatus['shards']): ShardkvStatus['phases'] {
  const phases = { absent: 0, awaited: 0, serving: 0, leaving: 0, releasing: 0 }
  for (const { phase } of shards) phases[phase] += 1
  return phases
}
