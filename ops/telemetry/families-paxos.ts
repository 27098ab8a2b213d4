// Metrics of a replica's Paxos side: who leads, instances and their parts, elections, the log.

import {
  COUNT,
  counter,
  gauge,
  histogram,
  LATENCY,
  LONG,
  NODES,
  PEERS,
  ROUND_TRIP,
  SIZE,
  withExemplars,
} from './metric-family.ts'

const PHASES = ['prepare', 'accept', 'heartbeat']
const STEP_DOWN_REASONS = ['ballot', 'noQuorum', 'unreachable', 'slowDisk', 'handedOver']
const SNAPSHOT_OPS = ['sent', 'installed']
const PEER = { peer: PEERS }

export const PAXOS_FAMILIES = {
  paxos_is_leader: gauge(NODES, '1 when this replica leads its group'),
  paxos_has_leader: gauge(NODES, '1 when this replica leads or knows who does'),
  paxos_is_ready: gauge(NODES, '1 when this replica has a leader and is caught up (as /readyz)'),
  paxos_is_voter: gauge(NODES, '1 unless the group is forming or this replica is no member of it'),
  paxos_members: gauge(NODES, 'Voters of the group as formed'),
  paxos_leader_contact_age_seconds: gauge(
    NODES,
    'Since this replica last heard from its leader; 0 on the leader',
  ),
  paxos_ballot_round: gauge(NODES, 'Round of the highest ballot promised here'),
  paxos_leader_changes_total: counter(NODES, 'Times that another leader than before was heard of'),
  paxos_suspicions_total: counter(NODES, 'Times that this replica missed its leader'),
  paxos_elections_total: counter(NODES, 'Elections in which this replica stood', {
    result: ['won', 'lost', 'timeout'],
  }),
  paxos_election_duration_seconds: histogram(
    NODES,
    LONG,
    'From asking for votes to a quorum of promises, on the winner',
  ),
  paxos_step_downs_total: counter(NODES, 'Leaderships that this replica gave up', {
    reason: STEP_DOWN_REASONS,
  }),
  paxos_instances_total: counter(
    NODES,
    'Instances proposed here, by how they ended; learned: another replica told that it is decided',
    { origin: ['own', 'inherited', 'noop'], outcome: ['decided', 'learned', 'abandoned'] },
  ),
  paxos_instance_duration_seconds: withExemplars(
    histogram(
      NODES,
      LATENCY,
      'From proposing to a quorum, on the leader; full: slots that an election had to settle',
      { path: ['accept_only', 'full'] },
    ),
  ),
  paxos_phase_duration_seconds: histogram(
    NODES,
    LATENCY,
    'Around an instance, on the leader: its oldest command waits before it; after it, it is applied and answered',
    { phase: ['queue', 'apply'] },
  ),
  paxos_peer_answer_seconds: histogram(
    NODES,
    ROUND_TRIP,
    "On the leader: from proposing to each acceptor's answer; its own is its record made durable",
    PEER,
  ),
  paxos_peer_durable_seconds: histogram(
    NODES,
    ROUND_TRIP,
    'On the leader: how long each acceptor took to make its record durable, by its own clock',
    PEER,
  ),
  paxos_acceptor_answer_seconds: histogram(
    NODES,
    ROUND_TRIP,
    'On an acceptor: from an accept received until its answer left',
  ),
  paxos_batch_commands: histogram(NODES, COUNT, 'Commands in one decided instance, noops left out'),
  paxos_batch_bytes: histogram(NODES, SIZE, 'Bytes of one decided value, noops left out'),
  paxos_in_flight_instances: gauge(NODES, 'Instances proposed here and not decided yet'),
  paxos_queue_commands: gauge(NODES, 'Commands that wait here for an instance'),
  paxos_waiting_reads: gauge(NODES, 'Reads that wait here for a confirmation'),
  paxos_rejections_total: counter(NODES, "This replica's messages that others refused", {
    phase: PHASES,
  }),
  paxos_refusals_total: counter(NODES, "Others' messages that this replica refused", {
    phase: PHASES,
    reason: ['ballot', 'lease', 'behind'],
  }),
  paxos_resends_total: counter(NODES, 'Accepts sent again to an acceptor that did not answer'),
  paxos_first_slot: gauge(NODES, 'Lowest slot held in memory'),
  paxos_decided_slot: gauge(NODES, 'Slot up to which all are known to be decided'),
  paxos_applied_slot: gauge(NODES, 'Last slot applied to the state machine'),
  paxos_durable_slot: gauge(NODES, 'Last slot whose effect is durable in the store'),
  paxos_trimmed_slot: gauge(NODES, 'The log on disk need not hold slots below this one'),
  paxos_log_entries: gauge(NODES, 'Slots held in memory'),
  paxos_log_bytes: gauge(NODES, 'Bytes of the values held in memory'),
  paxos_peer_lag_slots: gauge(NODES, 'On the leader: slots decided and not applied there', PEER),
  paxos_peer_silence_seconds: gauge(NODES, 'On the leader: since that replica last answered', PEER),
  paxos_catch_ups_total: counter(NODES, 'Times that another replica gave slots, or its store', {
    source: ['log', 'snapshot'],
  }),
  paxos_catch_up_slots_total: counter(NODES, 'Slots learned that way', {
    source: ['log', 'snapshot'],
  }),
  paxos_catch_up_duration_seconds: histogram(
    NODES,
    LONG,
    'From falling behind until everything known to be decided was here',
  ),
  paxos_ready_after_seconds: gauge(
    NODES,
    'From the start of the process until it had a leader and was caught up; 0 before that',
  ),
  snapshots_total: counter(NODES, 'Snapshots of a store given to another replica, or taken over', {
    op: SNAPSHOT_OPS,
  }),
  snapshot_bytes_total: counter(NODES, 'Bytes of these snapshots', { op: SNAPSHOT_OPS }),
  snapshot_duration_seconds: histogram(NODES, LONG, 'From the first part to the last', {
    op: SNAPSHOT_OPS,
  }),
} as const
