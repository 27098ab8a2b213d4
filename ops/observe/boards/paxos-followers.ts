// The row of the Paxos board about those who follow: lag, catching up, snapshots, messages again.

import type { Panel } from '../board.ts'
import { chosen, maxBy, quantileWithin, rateOf, sumBy } from '../query.ts'

const WHO = '{{role}} {{group}}-{{replica}}'
const GROUP = '{{role}} {{group}}'

export const FOLLOWERS: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Who lags behind the leader?',
    description: 'Slots decided and not applied at each replica, as its leader knows.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassReplicaLagging'],
    badFrom: 1000,
    queries: [
      {
        expr: maxBy('role, group, peer', chosen('paxos_peer_lag_slots')),
        legend: `${GROUP}-{{peer}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Who does not answer the leader?',
    description: 'Since each replica last answered its leader. Above 2 s it counts for nothing.',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassReplicaSilent'],
    badFrom: 10,
    queries: [
      {
        expr: maxBy('role, group, peer', chosen('paxos_peer_silence_seconds')),
        legend: `${GROUP}-{{peer}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Decided, and not applied yet',
    description: 'Slots that a replica knows to be decided and has not run yet. Near 0 when well.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassApplyBehind'],
    badFrom: 1000,
    queries: [
      {
        expr: `${chosen('paxos_decided_slot')} - ${chosen('paxos_applied_slot')}`,
        legend: WHO,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Slots caught up from others',
    description: 'Slots each second that were learned from another replica’s log or store.',
    unit: 'perSecond',
    width: 8,
    page: '/traces?name=paxos.catch_up',
    alerts: ['ShardglassReplicaLagging'],
    queries: [
      {
        expr: sumBy('role, group, source', rateOf('paxos_catch_up_slots_total')),
        legend: `${GROUP} from the {{source}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Catch-ups and snapshots',
    description: 'In ten minutes: how often a replica caught up, and snapshots given to others.',
    unit: 'count',
    width: 8,
    page: '/traces?name=paxos.snapshot',
    queries: [
      {
        expr: `sum by (role, group, source) (increase(${chosen('paxos_catch_ups_total')}[10m]))`,
        legend: `${GROUP} from the {{source}}`,
      },
      {
        expr: `sum by (role, group, op) (increase(${chosen('snapshots_total')}[10m]))`,
        legend: `${GROUP} snapshots {{op}}`,
        emptyWhile: 'no replica was so far behind that it needed a snapshot',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Bytes of snapshots',
    description: 'Bytes each second of stores given to replicas that are too far behind.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/traces?name=paxos.snapshot',
    queries: [
      {
        expr: sumBy('role, group, op', rateOf('snapshot_bytes_total')),
        legend: `${GROUP} {{op}}`,
        emptyWhile: 'no replica was so far behind that it needed a snapshot',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long do catch-ups and snapshots take?',
    description:
      'From falling behind until level with the group, and from the first to the last part of a snapshot (p99 of the last hour).',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=paxos.catch_up',
    queries: [
      {
        expr: quantileWithin('1h', 0.99, 'paxos_catch_up_duration_seconds', 'role, group'),
        legend: `${GROUP} catch-up`,
      },
      {
        expr: quantileWithin('1h', 0.99, 'snapshot_duration_seconds', 'role, group, op'),
        legend: `${GROUP} snapshot {{op}}`,
        emptyWhile: 'no replica was so far behind that it needed a snapshot',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long did a start take?',
    description:
      'From the start of the process until the replica had a leader and was caught up; 0 while it is not yet.',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=node.recovery',
    queries: [
      {
        expr: `max by (role, group, replica) (${chosen('paxos_ready_after_seconds')})`,
        legend: `${GROUP} replica {{replica}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Accepts sent again',
    description: 'To acceptors that did not answer in the usual time: lost messages, mostly.',
    unit: 'perSecond',
    width: 8,
    page: '/instances',
    queries: [{ expr: sumBy('role, group', rateOf('paxos_resends_total')), legend: GROUP }],
  },
]
