// Rows about the cluster: handoffs (H), requests (R), process and machine (G).

import { by, chaos, type Row } from './row.ts'

const network = by('pitfalls/network')
const directed = by('paxos/directed')
const time = by('pitfalls/time')
const storage = by('pitfalls/storage')
const handoff = by('pitfalls/handoff')
const clients = by('pitfalls/clients')
const wal = by('host/wal')
const lmdb = by('host/store-lmdb')
const host = by('host/host')
const transport = by('host/transport')
const cuts = by('host/transport-cuts')
const write = by('shardkv/write')
const clerk = by('client/clerk')
const gateway = by('http/gateway')
const kvRoutes = by('http/kv-routes')
const change = by('shardmaster/change')
const master = by('shardmaster/machine')
const masterSession = by('shardmaster/session')
const rebalance = by('shardmaster/rebalance')
const cluster = by('ops/cluster')
const tidy = by('support/tidy')

export const CLUSTER_ROWS: readonly Row[] = [
  {
    id: 'H1',
    pitfall: 'a request runs again where its shard went',
    shown: [handoff('H1')],
  },
  {
    id: 'H2',
    pitfall: 'a write in flight races the handoff',
    shown: [handoff('H2')],
  },
  {
    id: 'H3',
    pitfall: 'two groups serve a shard, or none',
    shown: [
      handoff('H3'),
      by('pitfalls/handoff-chance')('whatever happens to moves'),
      by('shardkv/shard')('in no change do two groups serve'),
    ],
  },
  {
    id: 'H4',
    pitfall: 'deleted before the new owner has it',
    shown: [handoff('H4'), chaos('power-cut')],
  },
  {
    id: 'H5',
    pitfall: 'configurations overtake each other',
    shown: [handoff('H5: configurations'), handoff('H5: a configuration')],
  },
  {
    id: 'H6',
    pitfall: 'a late or doubled part of a shard',
    shown: [handoff('H6: parts'), handoff('H6: a part'), handoff('H6: a shard')],
  },
  {
    id: 'H7',
    pitfall: 'a group without a majority during a move',
    shown: [handoff('H7'), chaos('kill-group')],
  },
  { id: 'H8', pitfall: 'two groups wait for each other', shown: [handoff('H8')] },
  {
    id: 'H9',
    pitfall: 'no shardmaster can be reached',
    shown: [handoff('H9'), chaos('cut-masters')],
  },
  {
    id: 'H10',
    pitfall: 'an old configuration comes back',
    shown: [
      handoff('H10'),
      master('the latest is read with a confirmation only'),
      master('a deposed leader does not answer'),
    ],
  },
  {
    id: 'H11',
    pitfall: 'rebalancing differs from replica to replica, or moves too much',
    shown: [
      rebalance('moves no more shards than the best'),
      rebalance('is even within one'),
      masterSession('the same commands give byte-equal stores'),
    ],
  },
  {
    id: 'H12',
    pitfall: 'a gid is used again',
    shown: [change('a gid that has left never comes back')],
  },
  {
    id: 'H13',
    pitfall: 'all groups leave',
    shown: [handoff('H13'), change('the last group cannot leave'), change('who held a shard last')],
  },
  {
    id: 'H14',
    pitfall: 'shards that do not move stop',
    shown: [handoff('H14'), cluster('join, move and leave go on under writes')],
  },
  {
    id: 'H15',
    pitfall: 'a big shard in one piece',
    shown: [handoff('H15'), by('ops/real-job')('files put through any node are')],
  },
  {
    id: 'H16',
    pitfall: 'a client with an old configuration',
    shown: [
      handoff('H16'),
      clerk('callers that are sent elsewhere ask for the configuration once'),
      kvRoutes('a client that routes by itself'),
    ],
  },
  {
    id: 'R1',
    pitfall: 'a request runs twice over a change of leader',
    shown: [
      write('a repeated request gets the first answer'),
      clients('R1: each request'),
      clients('R1: an answer'),
      clients('R1: the same request'),
      cluster('a repeated request runs once, also at another node'),
    ],
  },
  {
    id: 'R2',
    pitfall: 'one number with other content',
    shown: [
      write('the same number with other content'),
      masterSession('one number with other content'),
    ],
  },
  {
    id: 'R3',
    pitfall: 'sessions grow without bound, or expire in silence',
    shown: [
      write('replies are bounded'),
      write('a retired session refuses'),
      clients('R3: by the time'),
      clients('R3: sessions'),
    ],
  },
  {
    id: 'R4',
    pitfall: 'requests of one client in another order',
    shown: [
      write('requests of one client may arrive in another order'),
      by('http/lanes')('whatever the order of answers'),
    ],
  },
  {
    id: 'R5',
    pitfall: 'a blind retry',
    shown: [clerk('a repeated write keeps its number'), clerk('a write whose answer was lost')],
  },
  { id: 'R6', pitfall: 'client ids collide', shown: [clients('R6')] },
  { id: 'R7', pitfall: 'huge replies are kept', shown: [write('replies are bounded')] },
  {
    id: 'R8',
    pitfall: 'a refusal after proposing is taken for no effect',
    shown: [
      clients('R8'),
      directed('a leader without a quorum of answers'),
      gateway('after one lost attempt no refusal is definite'),
    ],
  },
  {
    id: 'G1',
    pitfall: 'a leader whose disk is slow',
    shown: [directed('a leader whose disk stands still'), chaos('slow-disk')],
  },
  {
    id: 'G2',
    pitfall: 'the event loop stands still',
    shown: [
      host('the tick stands behind the messages'),
      time('T2'),
      chaos('pause-leader'),
      chaos('starved-cpu'),
    ],
  },
  {
    id: 'G3',
    pitfall: 'slow syncs fill the thread pool',
    shown: [wal('a slow disk is probed ever more seldom'), chaos('slow-disk')],
  },
  {
    id: 'G4',
    pitfall: 'a peer that vanished without a word',
    shown: [
      transport('an idle channel is not pinged, a used one is'),
      cuts('a connection that carries nothing any more is replaced within half a second or so'),
      clerk('a silent node costs one attempt'),
      chaos('cut-leader'),
    ],
  },
  { id: 'G5', pitfall: 'no file handles', shown: [storage('G5'), chaos('out-of-handles')] },
  {
    id: 'G6',
    pitfall: 'killed in the middle of a write',
    shown: [lmdb('kill -9 at any moment'), cluster('kill -9 of all'), chaos('out-of-memory')],
  },
  { id: 'G7', pitfall: 'messages from long ago', shown: [network('G7')] },
  {
    id: 'G8',
    pitfall: 'a flood after healing',
    shown: [transport('what waits for a peer that does not read'), transport('a queue drops')],
  },
  {
    id: 'G9',
    pitfall: 'an exception is swallowed, or leaves half of a change',
    shown: [
      host('an exception of the core is fatal'),
      host('an append that throws is fatal'),
      kvRoutes('an unexpected error is a 500'),
    ],
  },
  {
    id: 'G10',
    pitfall: 'errors are handled by ignoring them',
    shown: [storage('G10'), tidy('a catch that does nothing')],
  },
]
