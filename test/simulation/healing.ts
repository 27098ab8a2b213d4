// The end of a run's faults, in two steps. First a quorum core of each group is well and its members
// reach each other, while the others stay away, half cut off or slow: that must be enough for
// everything. Then all are well. What was lost for ever stays lost.

import type { Random } from '../support/random.ts'
import type { Cluster } from './cluster.ts'
import { CALM } from './network.ts'
import type { AnyNode } from './node.ts'

type Ailment = 'none' | 'down' | 'cut' | 'mute' | 'deaf' | 'slow'

const AILMENTS: readonly Ailment[] = ['none', 'down', 'cut', 'mute', 'deaf', 'slow']

export class Healing {
  private readonly cluster: Cluster
  private readonly random: Random
  /** Nodes that all others reach. */
  private reachable: readonly AnyNode[] = []

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster
    this.random = random
  }

  healCore(): void {
    const { cluster, random } = this
    const gids = new Set(cluster.nodes.map(node => node.address.gid))
    const core = new Set<AnyNode>()
    for (const gid of gids) {
      const quorum = Math.floor(cluster.group(gid).length / 2) + 1
      for (const node of random.shuffled(cluster.atlas.voters(gid)).slice(0, quorum)) core.add(node)
    }
    this.calm()
    const reachable: AnyNode[] = []
    for (const node of cluster.nodes) {
      const ailment = core.has(node) ? 'none' : random.pick(AILMENTS)
      cluster.world.trace?.(`${cluster.world.now} ${node.name} ails: ${ailment}`)
      this.ail(node, ailment)
      if (ailment === 'none' || ailment === 'slow') reachable.push(node)
    }
    this.reachable = reachable.filter(node => node.isUp)
    cluster.world.count('healed: a quorum core')
  }

  /** Disks that were refused are replaced, and everybody starts. */
  healAll(): void {
    this.calm()
    for (const node of this.cluster.nodes) {
      if (node.isBroken) this.cluster.wipe(node)
      this.ail(node, 'none')
    }
    this.reachable = this.cluster.nodes
  }

  /** A leader of the group that clients and followers can reach. */
  leader(gid: number): AnyNode | null {
    for (const node of this.reachable) {
      if (node.address.gid !== gid) continue
      const status = node.status()
      if (status?.role === 'leader' && status.isReady) return node
    }
    return null
  }

  /** All replicas of a group that are well have applied the same log, and hold the same state. */
  areEqual(): boolean {
    const groups = new Map<number, AnyNode>()
    for (const node of this.reachable) {
      const other = groups.get(node.address.gid)
      groups.set(node.address.gid, node)
      if (other === undefined) continue
      if (other.store.applied() !== node.store.applied()) return false
      if (other.store.hash !== node.store.hash) return false
    }
    return true
  }

  private calm(): void {
    const { cluster } = this
    cluster.network.heal()
    cluster.network.weather = CALM
    for (const node of cluster.nodes) {
      cluster.undeafen(node, true)
      node.disk.setFull(false)
      node.spare()
    }
  }

  private ail(node: AnyNode, ailment: Ailment): void {
    const { cluster } = this
    const { network } = cluster
    const isSlow = ailment === 'slow'
    node.disk.speed = isSlow ? { syncMin: 50_000, syncMax: 1_500_000 } : cluster.options
    if (ailment === 'down') return node.crash()
    node.start()
    if (ailment === 'deaf') cluster.deafen(node)
    for (let place = 0; place < cluster.placeCount; place++) {
      if (ailment === 'cut') network.cut(place, node.place)
      if (ailment === 'cut' || ailment === 'mute') network.cut(node.place, place)
    }
  }
}
