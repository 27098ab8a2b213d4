// Metrics of shards: where they are and how they move, of the configurations behind that, and of the
// shardmasters that decide them.

import { GROUPS_MAX } from '../../server/limits.ts'
import {
  counter,
  GROUPS,
  gauge,
  histogram,
  LONG,
  MASTERS,
  OWNER_SERIES_MAX,
  SHARDS,
} from './metric-family.ts'

const SHARD = { shard: SHARDS }
const DIRECTION = { direction: ['in', 'out'] }

export const SHARD_FAMILIES = {
  shards: gauge(GROUPS, 'Shards held here, by phase', {
    phase: ['awaited', 'serving', 'leaving', 'releasing'],
  }),
  shard_serving: gauge(
    GROUPS,
    '1 when this replica would serve the shard, 0 otherwise; not where there are over 256 shards',
    SHARD,
  ),
  shard_keys: gauge(GROUPS, 'Keys in a shard that is held here', SHARD),
  shard_bytes: gauge(GROUPS, 'Bytes of keys and values in a shard that is held here', SHARD),
  config_number: gauge(
    GROUPS,
    'Configuration adopted by this group, as this replica knows; -1: none',
  ),
  config_heard_number: gauge(
    GROUPS,
    'Newest configuration that this replica heard of as leader; -1: none',
  ),
  config_settled_number: gauge(
    GROUPS,
    'Newest configuration whose shards are all where they belong',
  ),
  config_poll_age_seconds: gauge(
    GROUPS,
    'On the leader: since a shardmaster last answered; 0 on others',
  ),
  handoffs_in_progress: gauge(GROUPS, 'Shards on their way to or from this group', DIRECTION),
  handoff_oldest_age_seconds: gauge(
    GROUPS,
    'Age of the oldest of these, since this process first saw it; 0 when there is none',
  ),
  handoffs_total: counter(GROUPS, 'Handoffs done: taken over, or given away', DIRECTION),
  handoff_phase_duration_seconds: histogram(
    GROUPS,
    LONG,
    'Taker: awaited to serving. Giver: frozen to released (send), released to deleted (sweep)',
    { phase: ['receive', 'send', 'sweep'] },
  ),
  handoff_bytes_total: counter(GROUPS, 'Bytes of parts of shards, repeats included', DIRECTION),
  handoff_keys_total: counter(GROUPS, 'Keys in parts of shards, repeats included', DIRECTION),
  reconfiguration_duration_seconds: histogram(
    GROUPS,
    LONG,
    'From adopting a configuration until all its shards are where they belong',
  ),
  sessions_retired_total: counter(
    GROUPS,
    'Sessions that gave up their replies after long idleness',
  ),
  master_config_number: gauge(MASTERS, 'Newest configuration applied here; -1 when there is none'),
  master_config_timestamp_seconds: gauge(MASTERS, 'Unix time at which it was decided'),
  master_groups: gauge(MASTERS, 'Groups in it'),
  master_group_shards: gauge(
    MASTERS,
    'Shards of each group in it; 0 is no group; not where there are over 64 groups',
    { owner: { bound: `group ids, of ${GROUPS_MAX} at most`, max: OWNER_SERIES_MAX + 1 } },
  ),
  master_shard_spread: gauge(MASTERS, 'Most shards of a group minus fewest; 0 or 1 when balanced'),
  master_changes_total: counter(MASTERS, 'Changes in the log, by outcome', {
    op: ['join', 'leave', 'move'],
    result: ['decided', 'unknown-group', 'conflict', 'bad-request', 'condition-failed'],
  }),
  master_shards_moved_total: counter(MASTERS, 'Shards given to another group by changes'),
} as const
