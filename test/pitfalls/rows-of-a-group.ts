// Rows about one group: agreement (P), reads and time (T), storage (S), identity (C).

import { by, chaos, type Row } from './row.ts'

const network = by('pitfalls/network')
const paxos = by('pitfalls/paxos')
const directed = by('paxos/directed')
const found = by('paxos/found')
const record = by('paxos/record')
const time = by('pitfalls/time')
const storage = by('pitfalls/storage')
const handoff = by('pitfalls/handoff')
const clients = by('pitfalls/clients')
const wal = by('host/wal')
const walCrash = by('host/wal-crash')
const walDamage = by('host/wal-damage')
const walFault = by('host/wal-fault')
const lmdb = by('host/store-lmdb')
const identity = by('host/identity')
const starts = by('host/peer-starts')
const cluster = by('ops/cluster')
const simulation = by('simulation/simulation')
const tidy = by('support/tidy')

const MEMBERSHIP = 'waits for changes of a group’s membership'

export const GROUP_ROWS: readonly Row[] = [
  {
    id: 'P1',
    pitfall: 'a promise or a vote is told before it is durable',
    shown: [
      directed('nothing is claimed before'),
      directed('a leader counts its own vote only'),
      paxos('P1'),
      chaos('power-cut'),
    ],
  },
  {
    id: 'P2',
    pitfall: 'an answer to an older ballot is counted for a newer one',
    shown: [directed('a promise for an older ballot'), paxos('P2')],
  },
  {
    id: 'P3',
    pitfall: 'an accept does not raise the promise',
    shown: [directed('an accept raises the promise'), paxos('P3')],
  },
  {
    id: 'P4',
    pitfall: 'a ballot is used again after a restart',
    shown: [directed('a prepare leaves only'), paxos('P4: the end'), paxos('P4: ballots')],
  },
  {
    id: 'P5',
    pitfall: 'a doubled vote is counted twice',
    shown: [directed('a doubled accepted counts once'), paxos('P5')],
  },
  {
    id: 'P6',
    pitfall: 'of accepted values not the one of the highest ballot is proposed again',
    shown: [directed('of two accepted values'), found('of open values in one slot')],
  },
  {
    id: 'P7',
    pitfall: 'a noop over a value, or applying past a gap',
    shown: [directed('a hole is filled'), paxos('P7')],
  },
  {
    id: 'P8',
    pitfall: 'what an acceptor keeps does not come back as it was written',
    shown: [record('every record comes back'), record('recovery takes the highest promise')],
  },
  {
    id: 'P9',
    pitfall: 'a slot is forgotten that a peer needs, or none because a peer is dead',
    shown: [directed('a replica far behind takes a snapshot'), storage('S11: a lost chunk')],
  },
  { id: 'P10', pitfall: 'proposers outbid each other for ever', shown: [network('P10')] },
  {
    id: 'P11',
    pitfall: 'no leader although one replica reaches a quorum',
    shown: [
      network('P11: a leader without'),
      network('P11: a hub'),
      network('P11: of a chain'),
      chaos('cut-bridge'),
    ],
  },
  {
    id: 'P12',
    pitfall:
      'a link that works in one direction unseats a leader, or keeps one that is out of reach',
    shown: [network('P12'), by('paxos/unreachable-leader')('of $'), chaos('one-way')],
  },
  {
    id: 'P13',
    pitfall: 'a value of an older ballot is taken for safe',
    shown: [paxos('P13: an inherited'), paxos('P13: a watermark')],
  },
  {
    id: 'P14',
    pitfall: 'a replica without its memory votes; safety is tested, liveness is not',
    shown: [
      paxos('C1: a replica with an emptied disk'),
      by('pitfalls/agreement-chance')('whatever happens to one group'),
      simulation('a cluster with moving shards keeps every promise'),
    ],
    open: `log entries after a change of members: ${MEMBERSHIP}`,
  },
  {
    id: 'T1',
    pitfall: 'a deposed leader answers reads',
    shown: [
      directed('a deposed leader answers no read'),
      time('T1: a deposed leader'),
      time('T1: a new leader'),
      found('a read waits for a confirmation'),
    ],
  },
  {
    id: 'T2',
    pitfall: 'a lease is checked, then the process stands still',
    shown: [time('T2'), chaos('pause-leader')],
  },
  {
    id: 'T3',
    pitfall: 'clocks jump',
    shown: [time('T3'), tidy('each kind of impurity in the core is found'), chaos('clock-jump')],
  },
  { id: 'T4', pitfall: 'clocks run at different rates', shown: [time('T4')] },
  { id: 'T5', pitfall: 'a lease outlives the shard', shown: [handoff('T5')] },
  {
    id: 'T6',
    pitfall: 'a lease counts from its answer',
    shown: [
      directed('the vote kept for a lease'),
      time('T6: a lease counts'),
      time('T6: a vote'),
      time('T6: the late word'),
    ],
  },
  {
    id: 'S1',
    pitfall: 'acknowledged before the sync',
    shown: [
      wal('what was appended together is one write and one sync'),
      wal('nothing is announced from within flush'),
      walCrash('every crash point'),
      chaos('power-cut-all'),
    ],
  },
  {
    id: 'S2',
    pitfall: 'a failed sync is ignored or tried again',
    shown: [walFault('a failed sync is the end'), chaos('sync-error')],
  },
  {
    id: 'S3',
    pitfall: 'a folder is not synced after create or rename',
    shown: [walCrash('every crash point'), walFault('a folder that cannot be made durable')],
  },
  {
    id: 'S4',
    pitfall: 'a torn tail',
    shown: [walDamage('a tail torn at any byte'), walDamage('of a write torn in the middle')],
  },
  {
    id: 'S5',
    pitfall: 'damage in the middle is cut like a torn tail',
    shown: [
      walDamage('a bit flipped anywhere in a record that others follow'),
      walDamage('damage in an earlier segment'),
    ],
  },
  {
    id: 'S6',
    pitfall: 'records or segments that were swapped, doubled or left from an earlier use',
    shown: [
      walDamage('swapped records'),
      walDamage('a record doubled over another'),
      walDamage('a missing, swapped or replayed segment'),
      walDamage('each use of a file'),
    ],
  },
  {
    id: 'S7',
    pitfall: 'a full disk',
    shown: [
      walFault('a full disk loses and acknowledges nothing'),
      walFault('without room for another segment'),
      chaos('full-disk'),
    ],
  },
  {
    id: 'S8',
    pitfall: 'a write that is short without an error',
    shown: [walFault('short writes are gone on with')],
  },
  {
    id: 'S9',
    pitfall: 'store and log are not cut as one',
    shown: [
      storage('S9: the log'),
      storage('S9: the applied slot'),
      storage('S9: a store'),
      walCrash('whatever is trimmed'),
      found('a value that lost, under a snapshot'),
      lmdb('kill -9 at any moment'),
    ],
  },
  {
    id: 'S10',
    pitfall: 'a snapshot races the log',
    shown: [
      storage('S10: a snapshot that comes'),
      storage('S10: what the state machine'),
      storage('S10: an older snapshot'),
      storage('S10: an accepted value'),
    ],
  },
  {
    id: 'S11',
    pitfall: 'catching up after the log was cut',
    shown: [storage('S11: a lost chunk'), storage('S11: a chunk that was damaged')],
  },
  {
    id: 'S12',
    pitfall: 'restarts that make the next one harder',
    shown: [
      wal('restarts without writes in between'),
      by('course/restarts')('50 kills during writes'),
      chaos('flicker'),
    ],
  },
  {
    id: 'S13',
    pitfall: 'what a newer version wrote is misread',
    shown: [
      record('a record cut short'),
      walDamage('a format that is not known'),
      lmdb('a file of another format'),
      identity('a newer format'),
    ],
  },
  {
    id: 'S14',
    pitfall: 'secrets on disk',
    shown: [clients('S14'), by('http/auth')('a token file is read strictly')],
  },
  {
    id: 'C1',
    pitfall: 'an emptied disk votes under its old name',
    shown: [
      directed('a replica with an emptied disk'),
      paxos('C1: a vote'),
      paxos('C1: a replica'),
      paxos('C1: a group'),
      identity('an emptied directory is another incarnation'),
    ],
  },
  { id: 'C2', pitfall: 'two changes of members at once', shown: [], open: MEMBERSHIP },
  { id: 'C3', pitfall: 'a removed replica disturbs', shown: [], open: MEMBERSHIP },
  { id: 'C4', pitfall: 'replacing a replica stops the group', shown: [], open: MEMBERSHIP },
  { id: 'C5', pitfall: 'a learner that lags is counted', shown: [], open: MEMBERSHIP },
  {
    id: 'C6',
    pitfall: 'two processes on one data directory',
    shown: [
      identity('another process is refused while one holds it'),
      identity('of many who try at the same time'),
      cluster('a data directory of another node is refused'),
      starts('the copy that starts later is turned away'),
      starts('a restart is no copy'),
    ],
    open: 'with POSTs in place of channels, or different peers in reach, a copy is not turned away',
  },
]
