// What the dashboard itself saw happen, newest first: changes of leaders, of configurations, of who
// answers. It needs no archive and forgets with the process; the archive's time line has more.

import type { ConfigView } from '../server/client/clerk.ts'
import type { ClusterView } from './cluster-reader.ts'
import { groupName } from './groups.ts'
import type { NodeView } from './node-status.ts'

export type Observation = {
  /** ms since 1970. */
  readonly at: number
  readonly kind: 'leader' | 'config' | 'node' | 'shard'
  readonly text: string
  readonly href: string
}

const KEPT = 200

export class Observations {
  private readonly kept: Observation[] = []
  /** gid → name of the last leader seen: between two leaders there is a while without one. */
  private readonly leaders = new Map<number, string>()

  /** Newest first. */
  newest(count: number, gid: number | null = null): readonly Observation[] {
    const ofGroup = (entry: Observation) => gid === null || entry.href === `/groups/${gid}`
    return this.kept.filter(ofGroup).slice(-count).reverse()
  }

  note(before: ClusterView, after: ClusterView): void {
    if (before.version > 0) {
      this.noteConfigs(before.config, after)
      for (const node of after.nodes) this.noteNode(node, before, after.at)
    }
    for (const { status, error, name } of after.nodes) {
      if (error !== null || status?.role !== 'leader') continue
      const known = this.leaders.get(status.gid)
      this.leaders.set(status.gid, name)
      if (known === undefined || known === name) continue
      const text = `${name} leads ${groupOfText(status.gid)} now, after ${known}`
      this.add({ at: after.at, kind: 'leader', text, href: `/groups/${status.gid}` })
    }
  }

  private noteConfigs(before: ConfigView | null, after: ClusterView): void {
    const news = after.recent.filter(({ num }) => before !== null && num > before.num).reverse()
    for (const config of news) {
      const text = `configuration ${config.num}: ${causeText(config)}`
      this.add({ at: config.at || after.at, kind: 'config', text, href: `/configs/${config.num}` })
    }
  }

  private noteNode(node: NodeView, before: ClusterView, at: number): void {
    const known = before.nodes.find(({ url }) => url === node.url)
    if (known === undefined || (known.error === null) === (node.error === null)) return
    const gid = node.status?.gid ?? 0
    const text =
      node.error === null
        ? `${node.name} answers again`
        : `${node.name} does not answer: ${node.error}`
    this.add({ at, kind: 'node', text, href: `/groups/${gid}` })
  }

  private add(entry: Observation): void {
    this.kept.push(entry)
    if (this.kept.length > KEPT) this.kept.shift()
  }
}

function groupOfText(gid: number): string {
  return gid === 0 ? 'the shardmasters' : groupName(gid)
}

/** `join of group 3 by admin: why`. */
export function causeText(config: ConfigView): string {
  const { op, actor, reason, gid, shard } = config.cause
  const subject =
    op === 'move'
      ? `move of shard ${shard} to group ${gid}`
      : gid === undefined
        ? 'the beginning'
        : `${op} of group ${gid}`
  const who = typeof actor === 'string' && actor !== '' ? ` by ${actor}` : ''
  const why = typeof reason === 'string' && reason !== '' ? ` (${reason})` : ''
  return subject + who + why
}
