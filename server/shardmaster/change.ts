// What a join, a leave or a move makes of the latest configuration. Pure: the log's command holds
// everything that it depends on, so every replica comes to the same configuration.

import { assert, unreachable } from '../assert.ts'
import { GID_MAX, GROUP_SERVERS_MAX, GROUPS_MAX } from '../limits.ts'
import { parseBaseUrl } from './base-url.ts'
import type { Cause, Config } from './config.ts'
import type { Change } from './operation.ts'
import { rebalance } from './rebalance.ts'

export type RefusalKind = 'unknown-group' | 'conflict' | 'bad-request'

/** The change cannot be made. */
export type Refusal = {
  readonly type: 'refused'
  readonly kind: RefusalKind
  readonly detail: string
}

export type ChangeResult =
  | { readonly type: 'config'; readonly config: Config }
  /** What was asked for holds already. */
  | { readonly type: 'unchanged'; readonly config: Config }
  | Refusal

/** What a change depends on besides the latest configuration. */
export type ChangeFacts = {
  readonly actor: string
  readonly reason: string
  /** Logged wall time, in ms since 1970. */
  readonly at: number
  /** Whether a group of this gid has ever joined, also if it has left. */
  readonly wasUsed: (gid: number) => boolean
  /**
   * Keys in the cluster, as the groups last told the leader that proposed this; null: unknown.
   * The last group owns all shards, so these would be its keys.
   */
  readonly lastLeaveKeys: number | null
}

/** The configuration that follows `latest` by `change`. */
export function applyChange(latest: Config, change: Change, facts: ChangeFacts): ChangeResult {
  const problem = problemOf(change, latest.shards.length)
  if (problem !== null) return refuse('bad-request', problem)
  switch (change.op) {
    case 'join':
      return join(latest, change, facts)
    case 'leave':
      return leave(latest, change, facts)
    case 'move':
      return move(latest, change, facts)
    default:
      return unreachable(change)
  }
}

/** What is wrong with a change whatever the groups are, in words; null: nothing. */
export function problemOf(change: Change, shardCount: number): string | null {
  if (!isWhole(change.gid, 1, GID_MAX)) return `gid must be a whole number from 1 to ${GID_MAX}`
  if (change.op === 'move' && !isWhole(change.shard, 0, shardCount - 1)) {
    return `shard must be a whole number from 0 to ${shardCount - 1}`
  }
  return change.op === 'join' ? problemOfServers(change.servers) : null
}

/** gids of a configuration's groups, ascending. */
export function gidsOf(groups: Config['groups']): number[] {
  return Object.keys(groups)
    .map(Number)
    .sort((left, right) => left - right)
}

/** Whether a group is part of a configuration. */
export function isPresent(config: Config, gid: number): boolean {
  return Object.hasOwn(config.groups, String(gid))
}

function join(
  latest: Config,
  { gid, servers }: Extract<Change, { op: 'join' }>,
  facts: ChangeFacts,
): ChangeResult {
  const urls = servers.map(server => parseBaseUrl(server)?.url ?? '')
  const present = Object.hasOwn(latest.groups, String(gid)) ? latest.groups[String(gid)] : undefined
  if (present !== undefined) {
    if (isSameList(present, urls)) return { type: 'unchanged', config: latest }
    return refuse('conflict', `group ${gid} has joined already, with other servers`)
  }
  if (facts.wasUsed(gid)) {
    return refuse('conflict', `group ${gid} has joined and left: gids are never reused`)
  }
  if (Object.keys(latest.groups).length >= GROUPS_MAX) {
    return refuse('conflict', `there are ${GROUPS_MAX} groups, which is the most`)
  }
  const groups = { ...latest.groups, [String(gid)]: urls }
  const cause: Cause = { op: 'join', gid, servers: urls, ...by(facts) }
  const shards = rebalance(latest.shards, gidsOf(groups))
  return { type: 'config', config: following(latest, { groups, shards, cause, at: facts.at }) }
}

function leave(
  latest: Config,
  { gid }: Extract<Change, { op: 'leave' }>,
  facts: ChangeFacts,
): ChangeResult {
  if (!isPresent(latest, gid)) {
    if (facts.wasUsed(gid)) return { type: 'unchanged', config: latest }
    return refuse('unknown-group', `no group ${gid} has ever joined`)
  }
  const { [String(gid)]: _left, ...groups } = latest.groups
  const gids = gidsOf(groups)
  const keys = facts.lastLeaveKeys ?? 0
  if (gids.length === 0 && keys > 0) {
    return refuse(
      'conflict',
      `group ${gid} is the last one and holds ${keys} keys: let another group join first, ` +
        'or delete the keys; nothing could be read or written without a group',
    )
  }
  const cause: Cause = { op: 'leave', gid, ...by(facts) }
  const shards = rebalance(latest.shards, gids)
  return { type: 'config', config: following(latest, { groups, shards, cause, at: facts.at }) }
}

/** Nothing else is rebalanced: the next join or leave does that. */
function move(
  latest: Config,
  { shard, gid }: Extract<Change, { op: 'move' }>,
  facts: ChangeFacts,
): ChangeResult {
  if (!isPresent(latest, gid)) return refuse('unknown-group', `there is no group ${gid}`)
  if (latest.shards[shard] === gid) return { type: 'unchanged', config: latest }
  const cause: Cause = { op: 'move', shard, gid, ...by(facts) }
  const shards = latest.shards.with(shard, gid)
  const { groups } = latest
  return { type: 'config', config: following(latest, { groups, shards, cause, at: facts.at }) }
}

function following(
  latest: Config,
  made: Pick<Config, 'groups' | 'shards' | 'cause' | 'at'>,
): Config {
  assert(made.shards.length === latest.shards.length, 'the number of shards never changes')
  return {
    num: latest.num + 1,
    shards: made.shards,
    holders: holdersOf(made.shards, latest.holders),
    groups: made.groups,
    partitioner: latest.partitioner,
    cause: made.cause,
    at: Math.max(latest.at, made.at),
  }
}

/** The owners, and where there is none, whoever was it last. */
function holdersOf(shards: readonly number[], former: readonly number[]): readonly number[] {
  if (!shards.includes(0)) return shards
  return shards.map((gid, shard) => (gid === 0 ? (former[shard] ?? 0) : gid))
}

function by({ actor, reason }: ChangeFacts): { actor: string; reason: string } {
  return { actor, reason }
}

function problemOfServers(servers: readonly string[]): string | null {
  if (servers.length < 1 || servers.length > GROUP_SERVERS_MAX) {
    return `servers must be 1 to ${GROUP_SERVERS_MAX} base URLs`
  }
  const places = new Set<string>()
  for (const server of servers) {
    const parsed = parseBaseUrl(server)
    if (parsed === null) return `not a base URL of a server: ${server.slice(0, 100)}`
    if (places.has(parsed.identity)) return `named twice among the servers: ${parsed.url}`
    places.add(parsed.identity)
  }
  return null
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index])
}

function refuse(kind: RefusalKind, detail: string): Refusal {
  return { type: 'refused', kind, detail }
}
