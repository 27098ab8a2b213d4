// What a collection of seeds must have met at least once in all, or it tests less than it says. A
// run of many seeds in which one of these stayed at zero is a failed run.

import type { Totals } from './totals.ts'

/** So many seeds must have seen everything. */
export const SEEDS_FOR_ALL = 500

const EVERYWHERE = [
  'caughtUp: log',
  'caughtUp: snapshot',
  'clerk: outcome unknown',
  'crash: between write and sync',
  'crash: follower',
  'crash: leader',
  'disk: damage refused',
  'disk: process stopped by a failed sync',
  'disk: segments trimmed',
  'disk: untold records found',
  'disk: waiting records lost',
  'disk: waits for room',
  'disk: wiped',
  'disk: write kept in a crash',
  'disk: write lost in a crash',
  'disk: write torn in a crash',
  'election: gaps filled',
  'election: several inherited values',
  'electionLost: ballot',
  'electionLost: timeout',
  'electionWon: inherited values',
  'inherited: a chosen value, proposed again',
  'inherited: a value not yet chosen',
  'inherited: an open value that the quorum did not see',
  'inherited: one of several open values',
  'reads: by lease',
  'reads: by quorum',
  'rebuilt from disk',
  'refused: ballot',
  'refused: behind',
  'refused: lease',
  'resent',
  'session: answered again',
  'session: answered again by a new leader',
  'snapshot: one or two behind',
  'steppedDown: ballot',
  'steppedDown: handedOver',
  'steppedDown: noQuorum',
  'steppedDown: slowDisk',
  'steppedDown: unreachable',
  'store: crash between rounds',
  'stranger: asked for a promise',
  'stranger: asked to accept',
  'stranger: caught up',
] as const

const WITH_SHARDS = [
  'clerk: sessionExpired',
  'configuration',
  'handoff: content compared',
  'handoff: goes on after its giver crashed',
  'handoff: goes on under another leader',
  'handoff: in several parts',
  'handoff: installed with data',
  'handoffReleased',
  'requestRepeated',
  'session: answered again after a move',
  'session: retired',
  'shardSwept',
] as const

/** Of what must happen sometimes, the names that never did. */
export function neverSeen(totals: Totals, isSingle: boolean): readonly string[] {
  const names: readonly string[] = isSingle ? EVERYWHERE : [...EVERYWHERE, ...WITH_SHARDS]
  return names.filter(name => (totals.counters[name]?.count ?? 0) === 0)
}
