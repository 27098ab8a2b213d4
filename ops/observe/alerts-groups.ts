// Alerts on groups: can each decide, does it have one leader, and do its replicas keep up?

import type { Alert } from './alert.ts'
import { GROUP_LABELS, REPLICAS_UP } from './recording-rules.ts'

export const QUORUM_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassReplicaDown',
    expr: `${REPLICAS_UP} == 0`,
    forSeconds: 60,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }} is down',
    description:
      'Prometheus cannot scrape it. Its group goes on while a majority is up, and clients notice nothing but one pause if it led.',
    panel: ['overview', 'Replicas that Prometheus reaches'],
  },
  {
    name: 'ShardglassOneFailureFromLoss',
    expr: 'group:shardglass_failures_survived:min == 0 and group:shardglass_voters:sum < group:shardglass_replicas:count',
    forSeconds: 300,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }} is one failure from losing its majority',
    description:
      'So few replicas have a vote and are up that the next failure stops the group. Nothing is lost yet.',
    panel: ['overview', 'Failures that the weakest group survives'],
  },
  {
    name: 'ShardglassQuorumLost',
    expr: 'group:shardglass_failures_survived:min < 0',
    forSeconds: 15,
    severity: 'critical',
    summary: '{{ $labels.role }} {{ $labels.group }} has lost its majority',
    description:
      'Fewer than a majority of its replicas are up and have a vote. It decides nothing: its shards are neither read nor written, and what was acknowledged is safe on the disks.',
    panel: ['overview', 'Failures that the weakest group survives'],
  },
  {
    name: 'ShardglassNoLeader',
    expr: `max by (${GROUP_LABELS}) (shardglass_paxos_is_leader) == 0`,
    forSeconds: 10,
    severity: 'critical',
    summary: '{{ $labels.role }} {{ $labels.group }} has no leader',
    description:
      'None of its replicas leads. An election takes about a second; one that does not end has no majority, or no way between the replicas.',
    panel: ['paxos', 'Who leads?'],
  },
  {
    name: 'ShardglassTwoLeaders',
    expr: `sum by (${GROUP_LABELS}) (shardglass_paxos_is_leader) > 1`,
    forSeconds: 30,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}: {{ $value }} replicas think that they lead',
    description:
      'Safe, since only one of them has a majority’s promises; but the older one should have stepped down within an election timeout.',
    panel: ['paxos', 'Who leads?'],
  },
  {
    name: 'ShardglassLeaderFlapping',
    expr: `max by (${GROUP_LABELS}) (increase(shardglass_paxos_leader_changes_total[15m])) >= 4`,
    forSeconds: 60,
    severity: 'warning',
    summary:
      '{{ $labels.role }} {{ $labels.group }} changed its leader {{ $value | humanize }} times',
    description:
      'At least four changes in a quarter of an hour. Each is a pause of about a second for its shards. Mostly a slow disk, a saturated process or a bad network.',
    panel: ['paxos', 'Elections and changes of leaders'],
  },
  {
    name: 'ShardglassReplicaNotReady',
    expr: 'shardglass_paxos_is_ready == 0',
    forSeconds: 60,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }} is up and not ready',
    description: 'It has no leader or is not caught up; its /readyz says 503.',
    panel: ['paxos', 'Who is ready, and who has a vote?'],
  },
  {
    name: 'ShardglassReplicaHasNoVote',
    expr: 'shardglass_paxos_is_voter == 0',
    forSeconds: 300,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }} has no vote',
    description:
      'Its group is still forming, or its disk was emptied: then it learns and does not vote until its group takes it back.',
    panel: ['paxos', 'Who is ready, and who has a vote?'],
  },
]

export const REPLICA_ALERTS: readonly Alert[] = [
  {
    name: 'ShardglassReplicaLagging',
    expr: `max by (${GROUP_LABELS}, peer) (shardglass_paxos_peer_lag_slots) > 1000`,
    forSeconds: 60,
    severity: 'warning',
    summary:
      '{{ $labels.role }} {{ $labels.group }}-{{ $labels.peer }} is {{ $value }} slots behind',
    description:
      'As its leader knows. It has to catch up from the log, or with a snapshot if the log does not reach back so far.',
    panel: ['paxos', 'Who lags behind the leader?'],
  },
  {
    name: 'ShardglassReplicaSilent',
    expr: `max by (${GROUP_LABELS}, peer) (shardglass_paxos_peer_silence_seconds) > 10`,
    forSeconds: 30,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.peer }} does not answer its leader',
    description:
      'For {{ $value | humanizeDuration }}. Where Prometheus reaches it (ReplicaDown is silent), the way between the two is broken, or the process is stopped.',
    panel: ['paxos', 'Who does not answer the leader?'],
  },
  {
    name: 'ShardglassApplyBehind',
    expr: 'shardglass_paxos_decided_slot - shardglass_paxos_applied_slot > 1000',
    forSeconds: 30,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.replica }} applies too slowly',
    description: '{{ $value }} slots are decided and not run there. Reads there wait for them.',
    panel: ['paxos', 'Decided, and not applied yet'],
  },
  {
    name: 'ShardglassPeerSlow',
    expr: `histogram_quantile(0.99, sum by (${GROUP_LABELS}, peer, le) (rate(shardglass_paxos_peer_answer_seconds_bucket[5m]))) > 0.15`,
    forSeconds: 300,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}-{{ $labels.peer }} accepts slowly',
    description:
      'One accept in a hundred takes over {{ $value | humanizeDuration }} there. Writes are slow when a quorum needs it.',
    panel: ['paxos', 'Which acceptor answers late?'],
  },
  {
    name: 'ShardglassDuellingProposers',
    expr: `sum by (${GROUP_LABELS}) (rate(shardglass_paxos_rejections_total{phase!="heartbeat"}[1m])) > 5`,
    forSeconds: 60,
    severity: 'warning',
    summary: '{{ $labels.role }} {{ $labels.group }}: proposals are refused',
    description:
      '{{ $value | humanize }} prepares and accepts each second were refused for a higher ballot: two replicas outbid each other.',
    panel: ['paxos', 'Who is refused?'],
  },
]
