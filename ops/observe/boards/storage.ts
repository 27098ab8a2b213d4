// What is on disk: the write-ahead log that makes promises durable, and the store behind it.

import type { Board, Panel } from '../board.ts'
import { bucketsOf, chosen, maxBy, quantileOf, rateOf, sumBy } from '../query.ts'

const WHO = '{{role}} {{group}}-{{replica}}'
const BY_WHO = 'role, group, replica'

const log: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'How long does the disk take?',
    description:
      'One write to the log with its fdatasync: 99 of 100 were faster. Every answer waits for one on a quorum of disks. Empty with --storage memory.',
    unit: 'seconds',
    width: 12,
    page: '/groups',
    alerts: ['ShardglassFsyncSlow'],
    badFrom: 0.1,
    queries: [{ expr: quantileOf(0.99, 'wal_sync_duration_seconds', { by: BY_WHO }), legend: WHO }],
  },
  {
    kind: 'heat',
    title: 'Writes to the log by duration',
    description: 'How many took how long. A second band means that something shares the disk.',
    unit: 'seconds',
    width: 12,
    page: '/groups',
    alerts: ['ShardglassFsyncSlow'],
    queries: [{ expr: bucketsOf('wal_sync_duration_seconds'), legend: '{{le}}' }],
  },
  {
    kind: 'lines',
    title: 'Bytes written to the log',
    description: 'Bytes each second that are made durable before anything is answered.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/groups',
    queries: [{ expr: sumBy(BY_WHO, rateOf('wal_written_bytes_total')), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'How many records does one sync carry?',
    description: 'Records made durable over writes with fdatasync; more under load is good.',
    unit: 'count',
    width: 8,
    page: '/groups',
    queries: [
      {
        expr: `${sumBy(BY_WHO, rateOf('wal_records_total'))} / ${sumBy(BY_WHO, rateOf('wal_sync_duration_seconds_count'))}`,
        legend: WHO,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Records that wait for the disk',
    description: 'Written and not durable yet. Grows when the disk does not keep up.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassFsyncSlow', 'ShardglassDiskFull'],
    queries: [{ expr: chosen('wal_waiting_records'), legend: WHO }],
  },
  {
    kind: 'states',
    title: 'Has a disk no room left?',
    description:
      'Full: records are kept in memory and tried again; the replica answers nothing that needs its disk.',
    unit: 'state',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassDiskFull'],
    words: [
      [0, 'has room', 'green'],
      [1, 'full', 'red'],
    ],
    queries: [{ expr: chosen('wal_is_full'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'How much room is left?',
    description: 'Free share of the disk with the data directory. Replicas may share a disk.',
    unit: 'ratio',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassDiskFilling', 'ShardglassDiskFull'],
    queries: [{ expr: `${chosen('disk_free_bytes')} / ${chosen('disk_size_bytes')}`, legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Size of the log',
    description: 'All files of the log, those made ahead included. Cut behind the durable store.',
    unit: 'bytes',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [{ expr: chosen('wal_bytes'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Files of the log',
    description: 'Segments that hold records which are still needed.',
    unit: 'count',
    width: 8,
    page: '/groups',
    queries: [{ expr: chosen('wal_segments'), legend: WHO }],
  },
]

const slots: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Applied, and not durable in the store yet',
    description:
      'Slots whose effect would be read from the log again after a crash. Falls with each round of the store.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [
      { expr: `${chosen('paxos_applied_slot')} - ${chosen('paxos_durable_slot')}`, legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'Durable, and still in the log on disk',
    description: 'Slots that the log need not hold any more once others have them.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [
      { expr: `${chosen('paxos_durable_slot')} - ${chosen('paxos_trimmed_slot')}`, legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'Log in memory: bytes',
    description: 'Values kept for replicas that ask for them.',
    unit: 'bytes',
    width: 8,
    page: '/groups',
    queries: [{ expr: maxBy(BY_WHO, chosen('paxos_log_bytes')), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Log in memory: slots',
    description:
      'Slots held, and how far back they reach. Who is further behind than that gets a snapshot.',
    unit: 'count',
    width: 8,
    page: '/groups',
    queries: [
      { expr: chosen('paxos_log_entries'), legend: `${WHO} held` },
      {
        expr: `${chosen('paxos_decided_slot')} - ${chosen('paxos_first_slot')}`,
        legend: `${WHO} back`,
      },
    ],
  },
]

const store: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'How long does a round of the store take?',
    description:
      'Changes are written in rounds, one disk transaction each, beside everything else (p99).',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [
      { expr: quantileOf(0.99, 'store_round_duration_seconds', { by: BY_WHO }), legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'How long until the store is durable?',
    description: 'From asking for it up to a slot until it is there (p99).',
    unit: 'seconds',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [
      { expr: quantileOf(0.99, 'store_flush_duration_seconds', { by: BY_WHO }), legend: WHO },
    ],
  },
  {
    kind: 'lines',
    title: 'Bytes written by the store',
    description: 'Bytes of changes each second in these rounds.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/groups',
    queries: [{ expr: sumBy(BY_WHO, rateOf('store_round_bytes_total')), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Changes in memory',
    description: 'Bytes of changes that the store has not on disk yet.',
    unit: 'bytes',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassStoreBehind'],
    queries: [{ expr: chosen('store_layer_bytes'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Size of the store',
    description: 'Of each replica, changes in memory included.',
    unit: 'bytes',
    width: 8,
    page: '/groups',
    queries: [{ expr: chosen('store_bytes'), legend: WHO }],
  },
  {
    kind: 'lines',
    title: 'Rounds that found the disk full',
    description: 'In ten minutes: rounds that had no room and were tried again. 0 when well.',
    unit: 'count',
    width: 8,
    page: '/groups',
    alerts: ['ShardglassDiskFull'],
    badFrom: 1,
    queries: [
      {
        expr: `max by (role, group, replica) (increase(${chosen('store_full_rounds_total')}[10m]))`,
        legend: WHO,
      },
    ],
  },
]

export const STORAGE: Board = {
  name: 'storage',
  title: 'Shardglass: storage',
  description: 'The write-ahead log that makes promises durable, and the store behind it.',
  rows: [
    { title: 'Write-ahead log', panels: log },
    { title: 'Slots', panels: slots },
    { title: 'Store', panels: store },
  ],
}
