// The groups as a page shows them, from the configuration and what the nodes say: who leads, who
// answers, which shards are where, and in words what that means.

import type { ConfigView } from '../server/client/clerk.ts'
import type { ClusterView } from './cluster-reader.ts'
import { answers, type HeldShard, type NodeView, type Transfer } from './node-status.ts'

export type GroupView = {
  /** 0: the shardmasters. */
  readonly gid: number
  readonly name: string
  /** Whether the latest configuration has it. */
  readonly isMember: boolean
  /** It was in a recent configuration, and is in the latest no more. */
  readonly hasLeft: boolean
  /** Base URLs that the configuration names, or the nodes known to be of it. */
  readonly replicas: readonly NodeView[]
  readonly leader: NodeView | null
  readonly answering: number
  readonly majority: number
  /** Shards that the configuration gives it. */
  readonly assigned: readonly number[]
  /** As its leader, or else who applied most, says. */
  readonly held: readonly HeldShard[]
  readonly transfers: readonly Transfer[]
  readonly configNum: number | null
  readonly keys: number
  readonly bytes: number
  /** Slots by which the slowest of those that answer is behind. */
  readonly lag: number | null
  readonly decided: number | null
  readonly isSafeToStop: boolean
}

export function groupsOf(view: ClusterView): readonly GroupView[] {
  const gids = new Set<number>([0])
  for (const gid of Object.keys(view.config?.groups ?? {})) gids.add(Number(gid))
  for (const { status } of view.nodes) if (status !== null) gids.add(status.gid)
  const byUrl = new Map(view.nodes.map(node => [node.url, node]))
  const byGid = new Map<number, NodeView[]>()
  for (const node of view.nodes) {
    const gid = node.status?.gid
    if (gid === undefined) continue
    const known = byGid.get(gid)
    if (known === undefined) byGid.set(gid, [node])
    else known.push(node)
  }
  const assigned = assignedOf(view.config)
  const left = new Set(
    view.recent.filter(({ cause }) => cause.op === 'leave').map(({ cause }) => cause.gid),
  )
  return [...gids]
    .sort((one, other) => one - other)
    .map(gid => {
      const urls = view.config?.groups[String(gid)]
      const known = byGid.get(gid) ?? []
      const named = urls?.map(url => byUrl.get(url) ?? unknownNode(url))
      return groupOf(gid, named ?? mastersOf(gid, view, known), {
        isMember: gid === 0 || urls !== undefined,
        hasLeft: gid !== 0 && urls === undefined && left.has(gid),
        assigned: assigned.get(gid) ?? [],
      })
    })
}

/** Of shardmasters none of which ever answered, the status cannot tell that they are such. */
function mastersOf(gid: number, view: ClusterView, known: readonly NodeView[]) {
  if (gid !== 0) return known
  const silent = view.nodes.filter(node => node.status === null && /^sm\d/.test(node.name))
  return [...known, ...silent]
}

function assignedOf(config: ConfigView | null): ReadonlyMap<number, readonly number[]> {
  const assigned = new Map<number, number[]>()
  for (const [shard, gid] of (config?.shards ?? []).entries()) {
    const shards = assigned.get(gid)
    if (shards === undefined) assigned.set(gid, [shard])
    else shards.push(shard)
  }
  return assigned
}

function unknownNode(url: string): NodeView {
  return {
    url,
    name: url.replace(/^https?:\/\//, ''),
    status: null,
    seenAt: null,
    error: 'not asked yet',
  }
}

function groupOf(
  gid: number,
  replicas: readonly NodeView[],
  facts: Pick<GroupView, 'isMember' | 'hasLeft' | 'assigned'>,
): GroupView {
  const live = replicas.filter(answers)
  const leaders = live.filter(({ status }) => status?.role === 'leader')
  const leader = leaders.sort((one, other) => roundOf(other) - roundOf(one))[0] ?? null
  const best = leader ?? [...live].sort((one, other) => appliedOf(other) - appliedOf(one))[0]
  const machine = best?.status?.machine ?? null
  const held = machine?.shards ?? []
  const decided = best?.status?.slots.decided ?? null
  const lags = live.map(node => Math.max(0, (decided ?? 0) - appliedOf(node)))
  return {
    gid,
    name: groupName(gid),
    ...facts,
    replicas,
    leader,
    answering: live.length,
    majority: Math.floor(replicas.length / 2) + 1,
    held,
    transfers: machine?.handoffs ?? [],
    configNum: machine?.config ?? null,
    keys: sumOf(held, 'keys'),
    bytes: sumOf(held, 'bytes'),
    lag: lags.length === 0 ? null : Math.max(...lags),
    decided,
    isSafeToStop: live.length > 0 && live.every(({ status }) => status?.machine.isSafeToStop),
  }
}

export function groupName(gid: number): string {
  return gid === 0 ? 'shardmasters' : `group ${gid}`
}

function sumOf(held: readonly HeldShard[], what: 'keys' | 'bytes'): number {
  return held
    .filter(({ phase }) => phase === 'serving' || phase === 'leaving')
    .reduce((sum, shard) => sum + shard[what], 0)
}

export function appliedOf(node: NodeView): number {
  return node.status?.slots.applied ?? 0
}

/** A ballot reads `round.replica…`. */
function roundOf(node: NodeView): number {
  return Number.parseInt(node.status?.ballot ?? '0', 10) || 0
}
