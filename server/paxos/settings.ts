// The protocol's times and bounds as one value, so that a simulation can draw others: µs, slots, bytes.

import * as limits from '../limits.ts'

export type Settings = {
  readonly heartbeat: number
  readonly electionMin: number
  readonly electionMax: number
  /** Followers keep their vote for so long after hearing a leader. */
  readonly leaseHold: number
  /** A leader counts on so much of it, drift of clocks taken off. */
  readonly leaseUse: number
  /** An accept without an answer is sent again: after as long as answers take, within these. */
  readonly resendMin: number
  readonly resend: number
  /** A candidate asks those again who are silent. */
  readonly electionAsk: number
  readonly ownDisk: number
  /** A decision that no other message carries is told after so long. */
  readonly decideNotice: number
  readonly fetchDelay: number
  /** A request for decided slots is repeated after the first of these, then doubled up to the second. */
  readonly fetchTimeoutMin: number
  readonly fetchTimeout: number
  readonly fetchBytes: number
  readonly candidateLag: number
  readonly hello: number
  /** Between two calls of a follower to its leader, unasked. */
  readonly leaderCall: number
  /** A leader that no quorum has called for so long cannot be reached. */
  readonly leaderUncalled: number
  readonly batchOps: number
  readonly batchBytes: number
  readonly pipelineSlots: number
  readonly pipelineBytes: number
  readonly queueOps: number
  readonly queueBytes: number
  readonly reads: number
  readonly retainedSlots: number
  readonly retainedBytes: number
  readonly snapshotChunkBytes: number
  readonly snapshotIdle: number
  readonly readPath: 'quorum' | 'lease'
}

const MS = 1000

export const DEFAULT_SETTINGS: Settings = {
  heartbeat: limits.HEARTBEAT_MS * MS,
  electionMin: limits.ELECTION_TIMEOUT_MIN_MS * MS,
  electionMax: limits.ELECTION_TIMEOUT_MAX_MS * MS,
  leaseHold: limits.LEASE_MS * MS,
  leaseUse: Math.floor(limits.LEASE_MS * MS * (1 - limits.CLOCK_DRIFT_MAX)),
  resendMin: limits.RESEND_MIN_MS * MS,
  resend: limits.RESEND_MS * MS,
  electionAsk: limits.ELECTION_ASK_MS * MS,
  ownDisk: limits.OWN_DISK_TIMEOUT_MS * MS,
  decideNotice: 5 * MS,
  fetchDelay: limits.FETCH_DELAY_MS * MS,
  fetchTimeoutMin: limits.FETCH_TIMEOUT_MIN_MS * MS,
  fetchTimeout: limits.FETCH_TIMEOUT_MS * MS,
  fetchBytes: limits.FETCH_BYTES_MAX,
  candidateLag: limits.CANDIDATE_LAG_SLOTS_MAX,
  hello: limits.HELLO_MS * MS,
  leaderCall: limits.LEADER_CALL_MS * MS,
  leaderUncalled: limits.LEADER_UNCALLED_MS * MS,
  batchOps: limits.BATCH_OPS_MAX,
  batchBytes: limits.BATCH_BYTES_MAX,
  pipelineSlots: limits.PIPELINE_SLOTS_MAX,
  pipelineBytes: limits.PIPELINE_BYTES_MAX,
  queueOps: limits.QUEUE_OPS_MAX,
  queueBytes: limits.QUEUE_BYTES_MAX,
  reads: limits.READS_MAX,
  retainedSlots: limits.LOG_RETAINED_SLOTS,
  retainedBytes: limits.LOG_RETAINED_BYTES,
  snapshotChunkBytes: limits.SNAPSHOT_CHUNK_BYTES,
  snapshotIdle: limits.SNAPSHOT_IDLE_MS * MS,
  readPath: 'quorum',
}
