// The core's own times and bounds, drawn small now and then: short logs, tiny batches and chunks,
// quick elections make its rare paths common. Each is drawn from a stream of its own.

import { DEFAULT_SETTINGS, type Settings } from '../../server/paxos/settings.ts'
import { DEFAULT_SHARDKV_SETTINGS, type ShardkvSettings } from '../../server/shardkv/settings.ts'
import { Random } from '../support/random.ts'

/** Draws one of the values for a setting of this name. */
type Draw = <T>(name: string, values: readonly T[]) => T

function drawFrom(seed: number): Draw {
  return (name, values) => new Random(seed, `buggify ${name}`).pick(values)
}

export function drawSettings(seed: number): Settings {
  const draw = drawFrom(seed)
  const times = DEFAULT_SETTINGS
  const scale = draw('times', [1, 1, 1, 0.5, 0.2])
  const scaled = (value: number) => Math.floor(value * scale)
  return {
    ...times,
    heartbeat: scaled(times.heartbeat),
    electionMin: scaled(times.electionMin),
    electionMax: scaled(times.electionMax),
    leaseHold: scaled(times.leaseHold),
    leaseUse: scaled(times.leaseUse),
    resend: draw('resend', [times.resend, 50_000]),
    decideNotice: draw('decideNotice', [times.decideNotice, 0, 40_000]),
    fetchDelay: draw('fetchDelay', [times.fetchDelay, 1_000]),
    fetchTimeout: draw('fetchTimeout', [times.fetchTimeout, 100_000]),
    batchOps: draw('batchOps', [1, 2, times.batchOps]),
    batchBytes: draw('batchBytes', [100, times.batchBytes, times.batchBytes]),
    pipelineSlots: draw('pipelineSlots', [1, 3, times.pipelineSlots]),
    queueOps: draw('queueOps', [3, times.queueOps, times.queueOps]),
    reads: draw('reads', [2, times.reads, times.reads]),
    retainedSlots: draw('retainedSlots', [2, 10, 100, times.retainedSlots]),
    candidateLag: draw('candidateLag', [8, times.candidateLag]),
    snapshotChunkBytes: draw('snapshotChunk', [100, 2_000, times.snapshotChunkBytes]),
    snapshotIdle: draw('snapshotIdle', [300_000, times.snapshotIdle]),
    fetchBytes: draw('fetchBytes', [200, times.fetchBytes]),
    readPath: draw<Settings['readPath']>('readPath', ['quorum', 'quorum', 'lease']),
  }
}

export function drawShardkvSettings(seed: number): ShardkvSettings {
  const draw = drawFrom(seed)
  const usual = DEFAULT_SHARDKV_SETTINGS
  return {
    handoffChunkBytes: draw('handoffChunk', [30, 200, usual.handoffChunkBytes]),
    handoffsParallel: draw('handoffsParallel', [1, 2, usual.handoffsParallel]),
    sweepKeys: draw('sweepKeys', [1, 3, usual.sweepKeys]),
    sessionIdleMs: draw('sessionIdle', [1_000, usual.sessionIdleMs]),
    sessionExpiryStep: draw('sessionStep', [1, usual.sessionExpiryStep]),
    sessionExpiryIntervalMs: draw('sessionInterval', [500, usual.sessionExpiryIntervalMs]),
    session: draw('session', [{ replies: 1, bytes: 1 }, usual.session]),
  }
}
