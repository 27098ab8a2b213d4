// The bounds of a shardkv group's state machine as one value, so that a simulation can draw others.
// What decides how a command is applied must be the same on all replicas of a group.

import * as limits from '../limits.ts'
import { DEFAULT_SESSION_BOUNDS, type SessionBounds } from '../session.ts'

/** Bytes, counts and ms, each as in limits.ts. */
export type ShardkvSettings = {
  readonly handoffChunkBytes: number
  readonly handoffsParallel: number
  readonly sweepKeys: number
  readonly sessionIdleMs: number
  readonly sessionExpiryStep: number
  readonly sessionExpiryIntervalMs: number
  readonly session: SessionBounds
}

export const DEFAULT_SHARDKV_SETTINGS: ShardkvSettings = {
  handoffChunkBytes: limits.HANDOFF_CHUNK_BYTES,
  handoffsParallel: limits.HANDOFFS_PARALLEL,
  sweepKeys: limits.SWEEP_KEYS,
  sessionIdleMs: limits.SESSION_IDLE_MS,
  sessionExpiryStep: limits.SESSION_EXPIRY_STEP,
  sessionExpiryIntervalMs: limits.SESSION_EXPIRY_INTERVAL_MS,
  session: DEFAULT_SESSION_BOUNDS,
}
