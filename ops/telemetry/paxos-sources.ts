// The metrics of a replica's Paxos side, read from its status and from what its events came to.

import type { ReplicaStatus } from '../../server/contract.ts'
import type { Tally } from '../../server/tally.ts'
import { instanceTraceId } from '../trace/span-model.ts'
import { by, type Sample, type SourcesOf, spreadBy } from './metric-sources.ts'
import { named } from './named-counts.ts'
import type { CommonName, NodeNumbers } from './node-metrics.ts'

type InstanceName = Extract<
  CommonName,
  `paxos_${'instance' | 'phase' | 'batch' | 'peer_answer' | 'peer_durable' | 'acceptor'}${string}`
>
type PaxosName =
  | Exclude<Extract<CommonName, `paxos_${string}` | `snapshot${string}`>, InstanceName>
  | 'reads_total'
  | 'read_wait_seconds'

const SECOND = 1e6

/** Trace id of a slot's instance in this group's log; null before the group formed. */
export function tracesOf({ status }: NodeNumbers): (slot: number) => string | null {
  return slot => {
    const { cluster, gid, formation } = status()
    return formation === null ? null : instanceTraceId({ cluster, gid, formation }, slot)
  }
}

export function instanceSources(numbers: NodeNumbers): SourcesOf<InstanceName> {
  const { paxos } = numbers.events
  const traceOf = tracesOf(numbers)
  return {
    paxos_instances_total: () => named(paxos.instances, ['origin', 'outcome']),
    paxos_instance_duration_seconds: () => [
      { labels: { path: 'accept_only' }, tally: paxos.ownInstances, traceOf },
      { labels: { path: 'full' }, tally: paxos.settledInstances, traceOf },
    ],
    paxos_phase_duration_seconds: () =>
      spreadBy('phase', [
        ['queue', paxos.queuePhase],
        ['apply', paxos.applyPhase],
      ]),
    paxos_batch_commands: () => paxos.batchCommands,
    paxos_batch_bytes: () => paxos.batchBytes,
    paxos_peer_answer_seconds: () => spreadBy('peer', paxos.peerAnswers.entries()),
    paxos_peer_durable_seconds: () => spreadBy('peer', paxos.peerDurable.entries()),
    paxos_acceptor_answer_seconds: () => paxos.acceptorAnswers,
  }
}

export function paxosSources(numbers: NodeNumbers): SourcesOf<PaxosName> {
  const { paxos } = numbers.events
  return {
    ...standingSources(numbers),
    paxos_leader_changes_total: () => paxos.leaderChanges,
    paxos_suspicions_total: () => paxos.suspicions,
    paxos_elections_total: () => by('result', paxos.elections.entries()),
    paxos_election_duration_seconds: () => paxos.electionDurations,
    paxos_step_downs_total: () => by('reason', paxos.stepDowns.entries()),
    paxos_rejections_total: () => by('phase', paxos.rejections.entries()),
    paxos_refusals_total: () => named(paxos.refusals, ['phase', 'reason']),
    paxos_resends_total: () => paxos.resends,
    paxos_trimmed_slot: () => paxos.trimmedBelow,
    paxos_catch_ups_total: () => by('source', paxos.catchUps.entries()),
    paxos_catch_up_slots_total: () => by('source', paxos.catchUpSlots.entries()),
    paxos_catch_up_duration_seconds: () => paxos.catchUpDurations,
    paxos_ready_after_seconds: () => paxos.readyAfter / SECOND,
    snapshots_total: () => by('op', paxos.snapshots.entries()),
    snapshot_bytes_total: () => by('op', paxos.snapshotBytes.entries()),
    snapshot_duration_seconds: () => spreadBy('op', used(paxos.snapshotDurations)),
    reads_total: () =>
      by('path', [...Object.entries(paxos.reads), ['stale', numbers.traffic.staleReads]]),
    read_wait_seconds: () => spreadBy('path', used(paxos.readWaits)),
  }
}

type StandingName =
  | Extract<
      PaxosName,
      `paxos_${'is' | 'has' | 'waiting' | 'queue' | 'in_flight' | 'log'}_${string}`
    >
  | Extract<PaxosName, `paxos_${'first' | 'decided' | 'applied' | 'durable'}_slot`>
  | Extract<PaxosName, `paxos_peer_${string}`>
  | 'paxos_members'
  | 'paxos_ballot_round'
  | 'paxos_leader_contact_age_seconds'

/** Those with any value: most nodes never have the others, and each is 18 series. */
function used(tallies: Readonly<Record<string, Tally>>): (readonly [string, Tally])[] {
  return Object.entries(tallies).filter(([, { counts }]) => counts.some(count => count > 0))
}

/** How the replica stands at this moment. */
function standingSources({ status }: NodeNumbers): SourcesOf<StandingName> {
  return {
    paxos_is_leader: () => Number(status().role === 'leader'),
    paxos_has_leader: () => Number(status().leader !== null),
    paxos_is_ready: () => Number(status().isReady),
    paxos_is_voter: () => Number(isVoter(status())),
    paxos_members: () => status().members.length,
    paxos_leader_contact_age_seconds: () => contactAge(status()),
    paxos_ballot_round: () => Number(status().ballot.split('.')[0]),
    paxos_in_flight_instances: () => status().log.inFlight,
    paxos_queue_commands: () => status().waiting.commands,
    paxos_waiting_reads: () => status().waiting.reads,
    paxos_first_slot: () => status().slots.first,
    paxos_decided_slot: () => status().slots.decided,
    paxos_applied_slot: () => status().slots.applied,
    paxos_durable_slot: () => status().slots.durable,
    paxos_log_entries: () => status().log.entries,
    paxos_log_bytes: () => status().log.bytes,
    paxos_peer_lag_slots: () => ofMembers(status(), ({ lagSlots }) => lagSlots),
    paxos_peer_silence_seconds: () =>
      ofMembers(status(), ({ silentMicros }) =>
        silentMicros === null ? null : silentMicros / SECOND,
      ),
  }
}

function isVoter({ role }: ReplicaStatus): boolean {
  return role !== 'forming' && role !== 'stranger'
}

/** Where no leader was ever heard, this is as old as the process. */
function contactAge(status: ReturnType<NodeNumbers['status']>): number {
  const { leaderSilentMicros, uptimeSeconds } = status
  return leaderSilentMicros === null ? uptimeSeconds : leaderSilentMicros / SECOND
}

/** The leader alone knows it of its followers. */
function* ofMembers(
  { members }: ReplicaStatus,
  value: (member: ReplicaStatus['members'][number]) => number | null,
): Iterable<Sample> {
  for (const member of members) {
    const found = value(member)
    if (found !== null) yield { labels: { peer: String(member.replica) }, value: found }
  }
}
