// The names in Shardglass's traces: what nodes write, the archive indexes, and pages and commands read.
// Conventions for consensus do not exist; so they are our own, below `shardglass.`, dotted lower case.
// Keys and values are never in a span; a shard's number is.

import * as crypto from 'node:crypto'

/** Span names. A name is also the span's kind in the archive. */
export const SPAN = {
  /** One Paxos instance, written by the leader that proposed in its slot; root of its own trace. */
  instance: 'paxos.instance',
  /** An acceptor's own view of one instance: refused, slow, sampled or asked for. */
  accept: 'paxos.accept',
  election: 'paxos.election',
  /** One leader's time, from its election until it stepped down; in the trace of the election. */
  leadership: 'paxos.leadership',
  /** A replica learned slots from another one's log. */
  catchUp: 'paxos.catch_up',
  /** A replica took over another one's store. */
  snapshot: 'paxos.snapshot',
  /** A replica's start: log read, store opened, until it is ready. */
  recovery: 'node.recovery',
  /** One group's way through one configuration: heard of, in its log, all shards settled. */
  reconfiguration: 'shardkv.reconfiguration',
  /** One shard's move; `shardglass.side` tells giver from taker. Both are in one trace. */
  handoff: 'shardkv.handoff',
  /** A join, leave or move, on the shardmaster that decided it. */
  change: 'shardmaster.change',
  /** One client request on the node that received it. */
  request: 'request',
} as const

export type SpanName = (typeof SPAN)[keyof typeof SPAN]

/** Attributes. Times in µs, sizes in bytes, unless the name says otherwise. */
export const ATTR = {
  // Of the resource: which process wrote it (with service.name = shardkv | shardmaster,
  // service.namespace = cluster, service.instance.id = kv1a or host:port).
  group: 'shardglass.group',
  replica: 'shardglass.replica',
  // Of instances.
  slot: 'shardglass.slot',
  /** `round.replica`. */
  ballot: 'shardglass.ballot',
  /** own | inherited | noop. */
  origin: 'shardglass.origin',
  /** accept_only (phase 1 was done for all slots before) | full. */
  path: 'shardglass.path',
  commands: 'shardglass.batch.commands',
  bytes: 'shardglass.batch.bytes',
  quorum: 'shardglass.quorum',
  members: 'shardglass.members',
  // Of an `accepted` event, and of paxos.accept.
  acceptor: 'shardglass.acceptor',
  /** From receipt to the durable record, on the acceptor's clock. */
  durable: 'shardglass.durable_us',
  /** From receipt until the answer left, on the acceptor's clock. */
  answered: 'shardglass.answered_us',
  isQuorum: 'shardglass.made_quorum',
  /** What a refusing acceptor had promised. */
  promised: 'shardglass.promised',
  /** ok | a reason in words (ballot, lease, behind, noQuorum, …). */
  outcome: 'shardglass.outcome',
  reason: 'shardglass.reason',
  // Of handoffs and configurations.
  shard: 'shardglass.shard',
  config: 'shardglass.config',
  /** giver | taker. */
  side: 'shardglass.side',
  from: 'shardglass.from_group',
  to: 'shardglass.to_group',
  keys: 'shardglass.keys',
  shardBytes: 'shardglass.shard.bytes',
  chunks: 'shardglass.chunks',
  /** How long the shard refused clients during the move. */
  pause: 'shardglass.pause_us',
  /** Of what every replica of a group sees: whether the one that wrote the span led then. */
  isLeader: 'shardglass.is_leader',
  gained: 'shardglass.shards.gained',
  lost: 'shardglass.shards.lost',
  /** join | leave | move. */
  op: 'shardglass.op',
  actor: 'shardglass.actor',
  moved: 'shardglass.shards.moved',
  groups: 'shardglass.groups',
  // Of requests. The key is there as a keyed hash only.
  keyHash: 'shardglass.key_hash',
  /** quorum | lease | stale | log. */
  readPath: 'shardglass.read_path',
  attempts: 'shardglass.attempts',
  /** Of an attempt. */
  took: 'shardglass.took_us',
  /** The group and slot that decided a write; of a read, up to where it saw. */
  decidedGroup: 'shardglass.decided.group',
  decidedSlot: 'shardglass.decided.slot',
  // Of a thinned instance, in place of its events: `replica:arrived after start/durable/answered` in
  // µs, comma-separated, and the other times after the start.
  acceptors: 'shardglass.acceptors',
  proposedAfter: 'shardglass.proposed_us',
  decidedAfter: 'shardglass.decided_us',
  appliedAfter: 'shardglass.applied_us',
  // Of elections, catch-ups, snapshots, recoveries.
  /** log | snapshot. */
  source: 'shardglass.source',
  peer: 'shardglass.peer',
  peerGroup: 'shardglass.peer.group',
  entries: 'shardglass.entries',
  promises: 'shardglass.promises',
  inherited: 'shardglass.inherited',
  noops: 'shardglass.noops',
  leaderBefore: 'shardglass.leader.before',
  slotFrom: 'shardglass.slot.from',
  slotTo: 'shardglass.slot.to',
} as const

/** Events inside spans, each with its own time. */
export const EVENT = {
  /** Instance: the oldest command of the batch came in; accepts left; a quorum; run here. */
  queued: 'queued',
  proposed: 'proposed',
  /** With acceptor, durable_us, answered_us; the time is the leader's, at the answer's arrival. */
  accepted: 'accepted',
  refused: 'refused',
  resent: 'resent',
  /** The leader ceased to lead: what is decided there, the next one tells. */
  abandoned: 'abandoned',
  decided: 'decided',
  applied: 'applied',
  /** Election: the leader was missed; votes; won, lost. */
  suspected: 'suspected',
  prepare: 'prepare',
  promise: 'promise',
  won: 'won',
  lost: 'lost',
  /** Configuration: known to the leader, in this group's log, every shard where it belongs. */
  heard: 'heard',
  adopted: 'adopted',
  settled: 'settled',
  /** Handoff: on the giver frozen, chunk…, acknowledged, released, swept; on the taker awaited,
   * chunk…, installed. */
  frozen: 'frozen',
  awaited: 'awaited',
  chunk: 'chunk',
  installed: 'installed',
  acknowledged: 'acknowledged',
  released: 'released',
  swept: 'swept',
  /** Request: passed on, asked again. */
  attempt: 'attempt',
  /** Recovery: log and store were read; all that is decided is applied, and a leader known. */
  recovered: 'recovered',
  ready: 'ready',
} as const

export type TraceIds = { readonly traceId: string; readonly spanId: string }

/**
 * Ids of an instance's trace, which anyone can compute: the log is named by its group's formation.
 * Each leader that proposes in the slot writes its own span there, told apart by the ballot.
 */
export function instanceIds(log: LogName, slot: number, ballot: string): TraceIds {
  const trace = digest('instance', log.cluster, log.gid, log.formation, slot)
  const traceId = trace.slice(0, 32)
  return { traceId, spanId: spanIdOf(`${trace}/${ballot}`) }
}

/** A group's log: another formation of the same group is another log. */
export type LogName = {
  readonly cluster: string
  readonly gid: number
  readonly formation: string
}

/** An election's trace; the leader's time is in it too. */
export function electionTraceId(log: LogName, ballot: string): string {
  return digest('election', log.cluster, log.gid, log.formation, ballot).slice(0, 32)
}

export function instanceTraceId(log: LogName, slot: number): string {
  return digest('instance', log.cluster, log.gid, log.formation, slot).slice(0, 32)
}

/** One trace for a shard's move, into which both groups write. */
export function handoffTraceId(cluster: string, config: number, shard: number): string {
  return digest('handoff', cluster, config, shard).slice(0, 32)
}

/** One trace for a configuration: the change that made it, and each group's way through it. */
export function configTraceId(cluster: string, config: number): string {
  return digest('config', cluster, config).slice(0, 32)
}

/** The span of that name and author inside a computed trace. */
export function spanIdOf(name: string): string {
  return sha256(name).slice(0, 16)
}

function digest(...parts: readonly (string | number)[]): string {
  return sha256(parts.join('/'))
}

/** Half the time where Node has it in one call (from 20.12 on). */
function sha256(text: string): string {
  if (typeof crypto.hash === 'function') return crypto.hash('sha256', text, 'hex')
  return crypto.createHash('sha256').update(text).digest('hex')
}
