// How the groups decide: who leads, how long an instance takes and which part of it, and who lags.

import type { Board, Panel } from '../board.ts'
import {
  bucketsOf,
  chosen,
  maxBy,
  meanOf,
  quantileOf,
  quantileWithin,
  rateOf,
  sumBy,
} from '../query.ts'
import { FOLLOWERS } from './paxos-followers.ts'

const WHO = '{{role}} {{group}}-{{replica}}'
const GROUP = '{{role}} {{group}}'

const leaders: readonly Panel[] = [
  {
    kind: 'states',
    title: 'Who leads?',
    description: 'One row per replica; a group is well when exactly one of its rows says leader.',
    unit: 'state',
    width: 12,
    page: '/groups',
    alerts: ['ShardglassNoLeader', 'ShardglassTwoLeaders', 'ShardglassLeaderFlapping'],
    words: [
      [0, 'follows', 'blue'],
      [1, 'leads', 'green'],
      [-1, 'knows no leader', 'red'],
    ],
    queries: [
      {
        expr: `${chosen('paxos_is_leader')} - (${chosen('paxos_has_leader')} == bool 0)`,
        legend: WHO,
      },
    ],
  },
  {
    kind: 'states',
    title: 'Who is ready, and who has a vote?',
    description:
      'Ready: has a leader and is caught up. A replica whose disk was emptied learns, and has no vote until its group takes it back.',
    unit: 'state',
    width: 12,
    page: '/groups',
    alerts: ['ShardglassReplicaNotReady', 'ShardglassReplicaHasNoVote'],
    words: [
      [0, 'no vote, not ready', 'red'],
      [1, 'ready, no vote', 'orange'],
      [2, 'votes, not ready', 'yellow'],
      [3, 'ready', 'green'],
    ],
    queries: [
      { expr: `2 * ${chosen('paxos_is_voter')} + ${chosen('paxos_is_ready')}`, legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'Elections and changes of leaders',
    description:
      'In ten minutes: elections by result, and how often a replica heard of another leader. Silence is good.',
    unit: 'count',
    width: 8,
    page: '/traces?name=paxos.election',
    alerts: ['ShardglassLeaderFlapping'],
    queries: [
      {
        expr: `sum by (role, group, result) (increase(${chosen('paxos_elections_total')}[10m]))`,
        legend: `${GROUP} {{result}}`,
      },
      {
        expr: `max by (role, group) (increase(${chosen('paxos_leader_changes_total')}[10m]))`,
        legend: `${GROUP} leader changes`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Why were leaders missed or given up?',
    description:
      'In ten minutes: times that a replica missed its leader, and leaderships given up by reason.',
    unit: 'count',
    width: 8,
    page: '/traces?name=paxos.election',
    alerts: ['ShardglassLeaderFlapping'],
    queries: [
      {
        expr: `sum by (role, group) (increase(${chosen('paxos_suspicions_total')}[10m]))`,
        legend: `${GROUP} missed its leader`,
      },
      {
        expr: `sum by (role, group, reason) (increase(${chosen('paxos_step_downs_total')}[10m]))`,
        legend: `${GROUP} stepped down: {{reason}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long do elections take?',
    description: 'On the winner, from asking for votes to a quorum: 99 of 100 were faster.',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=paxos.election&order=slowest',
    queries: [
      {
        expr: quantileWithin('1h', 0.99, 'paxos_election_duration_seconds', 'role, group'),
        legend: GROUP,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long ago was the leader heard?',
    description: 'Grows where the way from the leader is broken, up to the election timeout.',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    queries: [
      { expr: maxBy('role, group', chosen('paxos_leader_contact_age_seconds')), legend: GROUP },
    ],
  },
  {
    kind: 'lines',
    title: 'Round of the ballot, and members',
    description: 'Each election raises the round. Members are the voters of the group as formed.',
    unit: 'count',
    width: 8,
    page: '/groups',
    queries: [
      { expr: maxBy('role, group', chosen('paxos_ballot_round')), legend: `${GROUP} round` },
      { expr: maxBy('role, group', chosen('paxos_members')), legend: `${GROUP} members` },
    ],
  },
  {
    kind: 'lines',
    title: 'Who is refused?',
    description:
      'Each second: own messages that others refused (rejected), and others’ that were refused here, by reason.',
    unit: 'perSecond',
    width: 8,
    page: '/traces?name=paxos.accept',
    alerts: ['ShardglassDuellingProposers'],
    queries: [
      {
        expr: sumBy('role, group, phase', rateOf('paxos_rejections_total')),
        legend: `${GROUP} {{phase}} rejected`,
        emptyWhile: 'nobody proposed under an older ballot than another one',
      },
      {
        expr: sumBy('role, group, reason', rateOf('paxos_refusals_total')),
        legend: `${GROUP} refused: {{reason}}`,
        emptyWhile: 'nobody proposed under an older ballot than another one',
      },
    ],
  },
]

const instances: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'How many instances are decided?',
    description: 'Each second, by origin: own values, values of earlier leaders, and noops.',
    unit: 'perSecond',
    width: 8,
    page: '/instances',
    queries: [
      {
        expr: sumBy('role, group, origin, outcome', rateOf('paxos_instances_total')),
        legend: `${GROUP} {{origin}} {{outcome}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does an instance take?',
    description:
      'From proposing to a quorum, on the leader: 99 of 100 are faster. Dots are instances; a click opens the trace.',
    unit: 'seconds',
    width: 8,
    page: '/instances?order=slowest',
    alerts: ['ShardglassSlowRequests', 'ShardglassFsyncSlow'],
    queries: [
      {
        expr: quantileOf(0.99, 'paxos_instance_duration_seconds', { by: 'role, group, path' }),
        legend: `${GROUP} {{path}}`,
        hasExemplars: true,
      },
    ],
  },
  {
    kind: 'heat',
    title: 'Instances by duration',
    description: 'How many instances took how long. Two bands mean two kinds of instances.',
    unit: 'seconds',
    width: 8,
    page: '/instances?order=slowest',
    queries: [
      { expr: bucketsOf('paxos_instance_duration_seconds'), legend: '{{le}}', hasExemplars: true },
    ],
  },
  {
    kind: 'stacked',
    title: 'Where does the time of an instance go?',
    description:
      'Means of its parts: the oldest command waits in the queue, a quorum accepts, the state machine applies.',
    unit: 'seconds',
    width: 8,
    page: '/instances?order=slowest',
    alerts: ['ShardglassSlowRequests'],
    queries: [
      { expr: meanOf('paxos_phase_duration_seconds', 'phase'), legend: '{{phase}}' },
      { expr: meanOf('paxos_instance_duration_seconds', ''), legend: 'accept' },
    ],
  },
  {
    kind: 'lines',
    title: 'Which acceptor answers late?',
    description:
      'From proposing to the answer of each acceptor, late ones too: 99 of 100 were faster.',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassPeerSlow'],
    badFrom: 0.15,
    queries: [
      {
        expr: quantileOf(0.99, 'paxos_peer_answer_seconds', { by: 'role, group, peer' }),
        legend: `${GROUP}, acceptor {{peer}}`,
      },
      {
        expr: quantileOf(0.99, 'paxos_acceptor_answer_seconds', { by: 'role, group, replica' }),
        legend: `${GROUP}, by acceptor {{replica}} itself`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Which acceptor’s disk is slow?',
    description: 'How long each acceptor took to make its record durable, by its own clock (p99).',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassFsyncSlow'],
    queries: [
      {
        expr: quantileOf(0.99, 'paxos_peer_durable_seconds', { by: 'role, group, peer' }),
        legend: `${GROUP}, acceptor {{peer}}`,
      },
    ],
  },
  {
    kind: 'heat',
    title: 'Commands in one instance',
    description: 'Batches grow by themselves under load: what waits goes into the next instance.',
    unit: 'count',
    width: 8,
    page: '/instances',
    queries: [{ expr: bucketsOf('paxos_batch_commands'), legend: '{{le}}' }],
  },
  {
    kind: 'lines',
    title: 'Bytes of one instance',
    description: 'Half of the values are smaller than the first line, 99 of 100 than the second.',
    unit: 'bytes',
    width: 8,
    page: '/instances',
    queries: [0.5, 0.99].map(quantile => ({
      expr: quantileOf(quantile, 'paxos_batch_bytes', { by: 'role, group' }),
      legend: `${GROUP} p${quantile * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'What is under way, and what waits?',
    description:
      'On the leader: instances proposed and not decided, commands waiting for one, reads waiting for a confirmation.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassOverloaded'],
    queries: [
      {
        expr: sumBy('role, group', chosen('paxos_in_flight_instances')),
        legend: `${GROUP} instances`,
      },
      { expr: sumBy('role, group', chosen('paxos_queue_commands')), legend: `${GROUP} commands` },
      { expr: sumBy('role, group', chosen('paxos_waiting_reads')), legend: `${GROUP} reads` },
    ],
  },
]

export const PAXOS: Board = {
  name: 'paxos',
  title: 'Shardglass: Paxos',
  description: 'Who leads, how long an instance takes and which part of it, and who lags behind.',
  rows: [
    { title: 'Leaders', panels: leaders },
    { title: 'Instances', panels: instances },
    { title: 'Followers', panels: FOLLOWERS },
  ],
}
