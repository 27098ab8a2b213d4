// What a change would do, before it is made: the shardmasters' own plan, with what the dashboard
// knows beside it (who answers, what past moves cost), and the reasons not to.

import type { ArchiveClient } from '../ops/archive/client.ts'
import type { ShardmasterClient } from '../server/client/clerk.ts'
import { changesOf, type Wish } from './change-form.ts'
import type { ClusterView } from './cluster-reader.ts'
import { type GroupView, groupName, groupsOf } from './groups.ts'
import type { NodeStatus } from './node-status.ts'
import { type PlanDetail, planOf } from './plan.ts'

export type Preview = {
  readonly wish: Wish
  /** Applied only while this is the latest configuration. */
  readonly base: number
  readonly moves: PlanDetail['moves']
  readonly groups: PlanDetail['groups']
  readonly movesMin: number | null
  /** Of shards whose size is known. */
  readonly keys: number
  readonly bytes: number
  readonly unknownSizes: number
  readonly cost: Cost | null
  /** It is not made while there is one of these. */
  readonly obstacles: readonly string[]
  readonly warnings: readonly string[]
}

/** From moves that the archive has. */
export type Cost = {
  readonly count: number
  /** Medians; µs. */
  readonly pauseMicros: number
  readonly durationMicros: number
}

export type PreviewParts = {
  readonly view: ClusterView
  readonly shardmasters: ShardmasterClient
  readonly archive: ArchiveClient | null
  /** Asks one node; null: no answer. */
  readonly probe: (url: string) => Promise<NodeStatus | null>
}

/** Rejects with a ShardglassError where the shardmasters refuse or do not answer. */
export async function previewOf(wish: Wish, parts: PreviewParts): Promise<Preview> {
  const { shardmasters, archive, view } = parts
  const changes = changesOf(wish)
  const [plans, cost] = await Promise.all([
    Promise.all(
      changes.map(async change => planOf(await shardmasters.plan(change, { timeoutMs: PLAN_MS }))),
    ),
    costOf(archive),
  ])
  const first = plans[0]
  const moves = plans.flatMap(plan => plan.moves)
  const groups = wish.op === 'move' ? countsAfter(view, moves) : (first?.groups ?? [])
  const findings = await checks(wish, parts, moves.length)
  const told = plans.flatMap(plan => plan.warnings).filter(text => !SIZE_OF_MOVE.test(text))
  const warnings = [...new Set([...told, ...findings.warnings])]
  return {
    wish,
    base: Math.max(...plans.map(plan => plan.base)),
    moves,
    groups,
    movesMin: wish.op === 'move' ? null : (first?.movesMin ?? null),
    keys: sum(moves.map(({ keys }) => keys ?? 0)),
    bytes: sum(moves.map(({ bytes }) => bytes ?? 0)),
    unknownSizes: moves.filter(({ keys }) => keys === null).length,
    cost,
    obstacles: findings.obstacles,
    warnings,
  }
}

/** The plan says so too; a preview shows it at greater length. */
const SIZE_OF_MOVE = /^moves \d+ shards? \(/

/** A page does not wait longer. */
const PLAN_MS = 2_000

type Findings = { readonly obstacles: readonly string[]; readonly warnings: readonly string[] }

async function checks(wish: Wish, parts: PreviewParts, moved: number): Promise<Findings> {
  const obstacles: string[] = []
  const warnings: string[] = []
  const groups = groupsOf(parts.view)
  const byGid = new Map(groups.map(group => [group.gid, group]))
  if (wish.op === 'join') {
    const found = await joinFindings(wish, parts)
    obstacles.push(...found.obstacles)
    warnings.push(...found.warnings)
  }
  for (const gid of takersOf(wish, groups))
    obstacles.push(...weakness(byGid.get(gid), 'takes shards'))
  for (const gid of giversOf(wish, parts.view, groups)) {
    if (moved > 0) obstacles.push(...weakness(byGid.get(gid), 'gives shards away'))
  }
  const open = groups.flatMap(({ held }) => held.filter(({ phase }) => phase === 'awaited'))
  if (open.length > 0) {
    warnings.push(
      `${open.length} shards of an earlier configuration are still on their way; those that this change moves again wait for it.`,
    )
  }
  return { obstacles, warnings }
}

/** A group without a majority can neither take nor give: its shards would be out of use. */
function weakness(group: GroupView | undefined, role: string): readonly string[] {
  if (group === undefined || group.answering >= group.majority) return []
  const { gid, answering, replicas } = group
  return [
    `${groupName(gid)} ${role} and has no majority: ${answering} of ${replicas.length} replicas answer. The shards concerned could not be used until it has one; start its replicas first.`,
  ]
}

function takersOf(wish: Wish, groups: readonly GroupView[]): readonly number[] {
  if (wish.op === 'join') return []
  if (wish.op === 'move') return [wish.gid]
  return groups
    .filter(({ gid, isMember }) => isMember && gid > 0 && gid !== wish.gid)
    .map(({ gid }) => gid)
}

function giversOf(wish: Wish, view: ClusterView, groups: readonly GroupView[]): readonly number[] {
  if (wish.op === 'leave') return [wish.gid]
  if (wish.op === 'join')
    return groups
      .filter(({ gid, isMember }) => isMember && gid > 0 && gid !== wish.gid)
      .map(({ gid }) => gid)
  return [...new Set(wish.shards.map(shard => view.config?.shards[shard] ?? 0))].filter(
    gid => gid > 0,
  )
}

/** Whether the servers answer, are of this cluster, and are that group. */
async function joinFindings(
  wish: Extract<Wish, { op: 'join' }>,
  parts: PreviewParts,
): Promise<Findings> {
  const obstacles: string[] = []
  const warnings: string[] = []
  const cluster = parts.view.nodes.find(({ status }) => status !== null)?.status?.cluster ?? null
  const found = await Promise.all(wish.servers.map(parts.probe))
  for (const [replica, status] of found.entries()) {
    const url = wish.servers[replica] ?? ''
    if (status === null) continue
    if (status.kind !== 'shardkv')
      obstacles.push(`${url} is a shardmaster, not a replica of a group.`)
    else if (cluster !== null && status.cluster !== cluster)
      obstacles.push(`${url} is of another cluster (${status.cluster}).`)
    else if (status.gid !== wish.gid)
      obstacles.push(`${url} is of group ${status.gid}, not of group ${wish.gid}.`)
    else if (status.replica !== replica)
      obstacles.push(`${url} is replica ${status.replica}; its place in the list is ${replica}.`)
  }
  const silent = wish.servers.filter((_, replica) => found[replica] === null)
  const majority = Math.floor(wish.servers.length / 2) + 1
  if (wish.servers.length - silent.length < majority) {
    obstacles.push(
      `Only ${wish.servers.length - silent.length} of ${wish.servers.length} servers answer, and a majority is needed: ${silent.join(', ')} ${silent.length === 1 ? 'does' : 'do'} not.`,
    )
  } else if (silent.length > 0) {
    warnings.push(
      `${silent.join(', ')} does not answer: the group would begin with fewer replicas to spare.`,
    )
  }
  return { obstacles, warnings }
}

const COST_OF = 200

async function costOf(archive: ArchiveClient | null): Promise<Cost | null> {
  const found = await archive?.handoffs({ limit: COST_OF })
  if (found?.type !== 'found') return null
  const done = found.value.handoffs.filter(({ pauseMicros }) => pauseMicros !== null)
  if (done.length === 0) return null
  return {
    count: done.length,
    pauseMicros: median(done.map(({ pauseMicros }) => pauseMicros ?? 0)),
    durationMicros: median(done.map(({ durationMicros }) => durationMicros)),
  }
}

function countsAfter(view: ClusterView, moves: Preview['moves']): Preview['groups'] {
  const shards = view.config?.shards ?? []
  const gids = Object.keys(view.config?.groups ?? {}).map(Number)
  const owner = new Map(moves.map(({ shard, to }) => [shard, to]))
  return gids.map(gid => ({
    gid,
    before: shards.filter(found => found === gid).length,
    after: shards.filter((found, shard) => (owner.get(shard) ?? found) === gid).length,
  }))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
