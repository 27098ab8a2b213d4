// One shard in one group, as a table of states. A shard is served by a group only in `serving`; a
// group gives it up by freezing it (`leaving`) in its own log before anyone else can have it, and
// the next owner serves it only once its own log holds all of it. So at most one group serves a
// shard at any time, whatever each group knows of the configurations.
//
//   absent → awaited → serving → leaving → releasing → absent
//                         (a later pre-copy: serving and being copied → frozen, within `leaving`)

import { ByteReader, type ByteString, ByteWriter, DecodeError } from '../bytes.ts'
import type { Config } from '../shardmaster/config.ts'

export const PHASES = ['absent', 'awaited', 'serving', 'leaving', 'releasing'] as const
export type Phase = (typeof PHASES)[number]

export type ShardState = {
  readonly phase: Phase
  /** The configuration that brought this phase about (for absent: the last that concerned it). */
  readonly config: number
  /** awaited: the group it comes from; leaving and releasing: the one it goes to (0: nobody yet). */
  readonly gid: number
  /** awaited: the last key received so far, relative to the shard; '' before the first. */
  readonly cursor: ByteString
  /** The newest configuration in which it was taken over here, 0 if never. */
  readonly installed: number
  /**
   * Of the data held: keys, bytes of keys and values, and the counter of writes (versions). A write
   * changes these three in place: a new record for each would be a good part of what it costs.
   */
  keys: number
  bytes: number
  version: number
}

export const ABSENT: Readonly<ShardState> = {
  phase: 'absent',
  config: 0,
  gid: 0,
  cursor: '',
  installed: 0,
  keys: 0,
  bytes: 0,
  version: 0,
}

/** What one configuration means for one shard in group `self`, seen from the one before. */
export type Change = 'none' | 'begin' | 'await' | 'leave' | 'strand' | 'resume'

export function changeOf(self: number, shard: number, before: Config, after: Config): Change {
  const owner = before.shards[shard] ?? 0
  const holder = owner !== 0 ? owner : (before.holders[shard] ?? 0)
  const next = after.shards[shard] ?? 0
  if (next === owner) return 'none'
  if (next === 0) return owner === self ? 'strand' : 'none'
  if (next === holder) return next === self ? 'resume' : 'none'
  if (holder === self) return 'leave'
  if (next !== self) return 'none'
  return holder === 0 ? 'begin' : 'await'
}

/** Whether the shard is where the change can start from; otherwise the configuration must wait. */
export function isReadyFor(state: ShardState, change: Change): boolean {
  switch (change) {
    case 'none':
      return true
    case 'begin':
    case 'await':
      return state.phase === 'absent'
    case 'strand':
      return state.phase === 'serving'
    case 'leave':
      return state.phase === 'serving' || isStranded(state)
    case 'resume':
      return isStranded(state)
  }
}

/** All groups left: the data stays frozen here until a group takes it over. */
export function isStranded(state: ShardState): boolean {
  return state.phase === 'leaving' && state.gid === 0
}

export function change(
  state: ShardState,
  change: Change,
  options: { config: number; from: number; to: number },
): ShardState {
  const { config, from, to } = options
  switch (change) {
    case 'none':
      return state
    case 'begin':
      return { ...ABSENT, phase: 'serving', config, installed: config }
    case 'resume':
      return { ...state, phase: 'serving', config, gid: 0, installed: config }
    case 'await':
      return { ...ABSENT, phase: 'awaited', config, gid: from, installed: state.installed }
    case 'strand':
      return { ...state, phase: 'leaving', config, gid: 0 }
    case 'leave':
      return { ...state, phase: 'leaving', config, gid: to }
  }
}

export function encodeShard(state: ShardState): Uint8Array {
  return new ByteWriter(48)
    .u8(PHASES.indexOf(state.phase))
    .uint(state.config)
    .uint(state.gid)
    .byteString(state.cursor)
    .uint(state.installed)
    .uint(state.keys)
    .uint(state.bytes)
    .uint(state.version)
    .done()
}

export function decodeShard(bytes: Uint8Array): ShardState {
  const reader = new ByteReader(bytes)
  const phase = PHASES[reader.u8()]
  if (phase === undefined) throw new DecodeError('shard phase')
  const state: ShardState = {
    phase,
    config: reader.uint(),
    gid: reader.uint(),
    cursor: reader.byteString(),
    installed: reader.uint(),
    keys: reader.uint(),
    bytes: reader.uint(),
    version: reader.uint(),
  }
  reader.end()
  return state
}
