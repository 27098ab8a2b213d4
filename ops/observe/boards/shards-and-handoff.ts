// Where the shards are, how they move, and the configurations behind that.

import type { Board, Panel } from '../board.ts'
import { bucketsOf, chosen, inCluster, maxBy, quantileWithin, rateOf, sumBy } from '../query.ts'

const GROUP = 'group {{group}}'
/** What only a leader knows for certain: followers apply a little later. */
const onLeaders = (expr: string): string =>
  `${expr} and on (cluster, group, replica) ${inCluster('paxos_is_leader')} == 1`

const configurations: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Does every group follow the configuration?',
    description:
      'The newest configuration, and those that each group has heard of, adopted and settled. Lines lie on each other when all shards are where they belong.',
    unit: 'state',
    width: 8,
    page: '/configs',
    alerts: ['ShardglassConfigBehind', 'ShardglassMasterUnreachable'],
    queries: [
      { expr: `max(${inCluster('master_config_number')})`, legend: 'newest' },
      { expr: maxBy('group', chosen('config_heard_number')), legend: `${GROUP} heard` },
      { expr: maxBy('group', chosen('config_number')), legend: `${GROUP} adopted` },
      { expr: maxBy('group', chosen('config_settled_number')), legend: `${GROUP} settled` },
    ],
  },
  {
    kind: 'lines',
    title: 'How many shards does each group have?',
    description: 'Shards assigned to each group by the newest configuration; 0 is no group.',
    unit: 'count',
    width: 8,
    page: '/',
    alerts: ['ShardglassShardsUnassigned', 'ShardglassUnbalanced'],
    queries: [
      {
        expr: maxBy('owner', inCluster('master_group_shards')),
        legend: 'group {{owner}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Groups, and how even their shares are',
    description: 'Groups in the newest configuration; most shards of a group minus fewest.',
    unit: 'count',
    width: 8,
    page: '/configs',
    alerts: ['ShardglassUnbalanced'],
    queries: [
      { expr: `max(${inCluster('master_groups')})`, legend: 'groups' },
      { expr: `max(${inCluster('master_shard_spread')})`, legend: 'most minus fewest' },
    ],
  },
  {
    kind: 'lines',
    title: 'What was asked of the shardmasters?',
    description:
      'In ten minutes: joins, leaves and moves by outcome, and shards that changed hands.',
    unit: 'count',
    width: 8,
    page: '/configs',
    queries: [
      {
        expr: `max by (op, result) (increase(${inCluster('master_changes_total')}[10m]))`,
        legend: '{{op}} {{result}}',
      },
      {
        expr: `max(increase(${inCluster('master_shards_moved_total')}[10m]))`,
        legend: 'shards moved',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long ago did a shardmaster answer?',
    description: 'As the leader of each group knows. Polls are kept open for a second.',
    unit: 'seconds',
    width: 8,
    page: '/configs',
    alerts: ['ShardglassMasterUnreachable'],
    badFrom: 10,
    queries: [{ expr: maxBy('group', chosen('config_poll_age_seconds')), legend: GROUP }],
  },
  {
    kind: 'number',
    title: 'When was the newest configuration decided?',
    description: 'Since then nothing was moved, joined or left.',
    unit: 'instant',
    width: 8,
    height: 8,
    page: '/configs',
    queries: [
      {
        expr: `max(${inCluster('master_config_timestamp_seconds')}) * 1000`,
        legend: 'decided',
      },
    ],
  },
]

const handoffs: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'In which phase are the shards?',
    description:
      'awaited: on its way here. serving. leaving: frozen, given away. releasing: being deleted.',
    unit: 'count',
    width: 8,
    page: '/handoffs',
    alerts: ['ShardglassHandoffStuck', 'ShardglassShardNoOwner'],
    queries: [{ expr: maxBy('group, phase', chosen('shards')), legend: `${GROUP} {{phase}}` }],
  },
  {
    kind: 'lines',
    title: 'How long have handoffs been under way?',
    description: 'Age of the oldest that has not ended, and how many there are.',
    unit: 'seconds',
    width: 8,
    page: '/handoffs',
    alerts: ['ShardglassHandoffStuck'],
    badFrom: 60,
    queries: [{ expr: maxBy('group', chosen('handoff_oldest_age_seconds')), legend: GROUP }],
  },
  {
    kind: 'lines',
    title: 'Handoffs under way',
    description: 'Shards on their way to a group (in) or from it (out).',
    unit: 'count',
    width: 8,
    page: '/handoffs',
    queries: [
      {
        expr: maxBy('group, direction', chosen('handoffs_in_progress')),
        legend: `${GROUP} {{direction}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Handoffs done',
    description: 'In ten minutes: shards taken over (in) and given away (out), by group.',
    unit: 'count',
    width: 8,
    page: '/handoffs',
    queries: [
      {
        expr: `max by (group, direction) (increase(${chosen('handoffs_total')}[10m]))`,
        legend: `${GROUP} {{direction}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does each part of a handoff take?',
    description:
      'receive: the taker waits until it serves, for so long clients wait too. send: frozen until released. sweep: deleting. 95 of 100 in the last hour were faster.',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=shardkv.handoff&order=slowest',
    alerts: ['ShardglassHandoffStuck'],
    queries: [
      {
        expr: quantileWithin('1h', 0.95, 'handoff_phase_duration_seconds', 'phase'),
        legend: '{{phase}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'How long does a configuration take to settle?',
    description:
      'In each group, from adopting it until its shards are in place (p95 of the last hour).',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=shardkv.reconfiguration&order=slowest',
    queries: [
      {
        expr: quantileWithin('1h', 0.95, 'reconfiguration_duration_seconds', 'group'),
        legend: GROUP,
      },
    ],
  },
  {
    kind: 'heat',
    title: 'Handoffs by the time that clients waited',
    description: 'How many shards were received in which time; during it the shard is refused.',
    unit: 'seconds',
    width: 8,
    page: '/traces?name=shardkv.handoff&order=slowest',
    queries: [
      { expr: bucketsOf('handoff_phase_duration_seconds', 'phase="receive"'), legend: '{{le}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Bytes of handoffs',
    description: 'Bytes of parts of shards each second, repeats included.',
    unit: 'bytesPerSecond',
    width: 8,
    page: '/handoffs',
    queries: [
      {
        expr: sumBy('group, direction', rateOf('handoff_bytes_total')),
        legend: `${GROUP} {{direction}}`,
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Keys of handoffs',
    description: 'Keys in these parts each second.',
    unit: 'perSecond',
    width: 8,
    page: '/handoffs',
    queries: [
      {
        expr: sumBy('group, direction', rateOf('handoff_keys_total')),
        legend: `${GROUP} {{direction}}`,
      },
    ],
  },
]

const shards: readonly Panel[] = [
  {
    kind: 'states',
    title: 'Is every shard served, and by one group?',
    description:
      'One row per shard: how many groups’ leaders would serve it now. One is right, none is a pause or an outage, two must never be.',
    unit: 'state',
    width: 24,
    height: 16,
    page: '/',
    alerts: ['ShardglassShardNoOwner', 'ShardglassShardTwoOwners'],
    words: [
      [0, 'nobody', 'red'],
      [1, 'one group', 'green'],
      [2, 'two groups', 'dark-purple'],
    ],
    queries: [
      {
        expr: sumBy('shard', maxBy('group, shard', onLeaders(inCluster('shard_serving')))),
        legend: 'shard {{shard}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Which shards are hot?',
    description: 'The ten shards with the most operations each second, as answered to clients.',
    unit: 'operationsPerSecond',
    width: 12,
    page: '/',
    queries: [
      {
        expr: `topk(10, ${sumBy('shard', rateOf('shard_operations_total'))})`,
        legend: 'shard {{shard}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Reads and writes of keys',
    description: 'Operations on keys each second, by kind.',
    unit: 'operationsPerSecond',
    width: 12,
    page: '/',
    queries: [
      { expr: sumBy('group, kind', rateOf('operations_total')), legend: `${GROUP} {{kind}}` },
    ],
  },
  {
    kind: 'lines',
    title: 'Which shards are large?',
    description: 'The ten shards with the most bytes of keys and values.',
    unit: 'bytes',
    width: 8,
    page: '/',
    queries: [
      { expr: `topk(10, ${maxBy('shard', chosen('shard_bytes'))})`, legend: 'shard {{shard}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Which shards have many keys?',
    description: 'The ten shards with the most keys.',
    unit: 'count',
    width: 8,
    page: '/',
    queries: [
      { expr: `topk(10, ${maxBy('shard', chosen('shard_keys'))})`, legend: 'shard {{shard}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Sessions retired',
    description: 'In an hour: sessions that gave up their replies after long idleness.',
    unit: 'count',
    width: 8,
    page: '/',
    queries: [
      {
        expr: `max by (group) (increase(${chosen('sessions_retired_total')}[1h]))`,
        legend: GROUP,
      },
    ],
  },
]

export const SHARDS_AND_HANDOFF: Board = {
  name: 'shards-and-handoff',
  title: 'Shardglass: shards and handoff',
  description: 'Where the shards are, how they move, and the configurations behind that.',
  rows: [
    { title: 'Configurations', panels: configurations },
    { title: 'Handoffs', panels: handoffs },
    { title: 'Shards', panels: shards },
  ],
}
