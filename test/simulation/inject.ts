// Makes one fault of a run's list happen, and end, at their times.

import { unreachable } from '../../server/assert.ts'
import { Random } from '../support/random.ts'
import type { Admin } from './admin.ts'
import type { Cluster } from './cluster.ts'
import type { Fault } from './faults.ts'
import type { AnyNode } from './node.ts'

type Chaos = {
  readonly admin: Admin | null
  readonly chaosUntil: number
  readonly syncMin: number
  readonly syncMax: number
}

type OfType<Type extends Fault['type']> = Extract<Fault, { type: Type }>

/** Called before the fault's time. */
export function inject(cluster: Cluster, fault: Fault, chaos: Chaos): void {
  const { world } = cluster
  world.after(fault.at - world.now, () => {
    world.count(`fault: ${fault.type}`)
    world.trace?.(`${world.now} fault ${JSON.stringify(fault)}`)
    const later = (run: () => void) => {
      world.after(fault.lasts, () => {
        if (world.now < chaos.chaosUntil) run()
      })
    }
    begin(cluster, fault, chaos, later)
  })
}

type Later = (run: () => void) => void

function begin(cluster: Cluster, fault: Fault, chaos: Chaos, later: Later): void {
  const { network, nodes, world } = cluster
  switch (fault.type) {
    case 'crash':
      return crash([nodeAt(nodes, fault.node)], later)
    case 'crashAll':
      return crash(nodes, later)
    case 'crashLeaders':
      return crash(nodes.filter(isLeading), later)
    case 'isolate':
    case 'oneWay':
      return cut(cluster, linksOf(fault, nodes), later)
    case 'hub':
      return cut(cluster, linksOfHub(fault, nodes), later)
    case 'split':
      return cut(cluster, linksBetween(fault.sides), later)
    case 'links':
      return cut(cluster, fault.pairs, later)
    case 'clogLinks':
      for (const [from, to] of fault.pairs) network.clog(from, to, world.now + fault.lasts)
      return
    case 'clog':
      for (const { place } of nodes) {
        network.clog(place, fault.node, world.now + fault.lasts)
        network.clog(fault.node, place, world.now + fault.lasts)
      }
      return
    case 'storm':
      return chaos.admin?.storm(fault.changes)
    default:
      return beginAtNode(cluster, fault, chaos, later)
  }
}

type AtNode = Exclude<
  Fault,
  {
    type:
      | 'crash'
      | 'crashAll'
      | 'crashLeaders'
      | 'isolate'
      | 'oneWay'
      | 'hub'
      | 'split'
      | 'links'
      | 'clogLinks'
      | 'clog'
      | 'storm'
  }
>

function beginAtNode(cluster: Cluster, fault: AtNode, chaos: Chaos, later: Later): void {
  const node = nodeAt(cluster.nodes, fault.node)
  const restart = () => later(() => node.start())
  switch (fault.type) {
    case 'crashInWrite':
      return node.crashInWrite(chaos.chaosUntil, restart)
    case 'crashInRound':
      return node.crashInRound(restart)
    case 'failedSync':
      return node.failNextSync(restart)
    case 'wipe':
      return wipe(cluster, fault, later)
    case 'damage':
      return damage(cluster, fault, later)
    case 'pause':
      return node.pause(fault.lasts, fault.isInside)
    case 'deaf':
      cluster.deafen(node)
      return later(() => cluster.undeafen(node))
    case 'flush':
      return node.flush()
    case 'handOver':
      return node.handOver()
    case 'slowDisk':
      node.disk.speed = { syncMin: 50_000, syncMax: 1_500_000 }
      return later(() => {
        node.disk.speed = chaos
      })
    case 'fullDisk':
      node.disk.setFull(true)
      return later(() => node.disk.setFull(false))
    case 'wallJump':
      return node.clock.jumpWall(fault.ms)
    case 'clockRate':
      node.clock.setRate(fault.rate)
      return node.deliver({ type: 'tick' })
    case 'clockLeap':
      node.clock.leap(fault.micros)
      return node.deliver({ type: 'tick' })
    default:
      return unreachable(fault)
  }
}

function isLeading(node: AnyNode): boolean {
  return node.status()?.role === 'leader'
}

/** An empty disk under the old name, if the group can bear the loss of the old one. */
function wipe(cluster: Cluster, fault: OfType<'wipe'>, later: Later): void {
  const node = nodeAt(cluster.nodes, fault.node)
  if (!cluster.atlas.canDestroy(node)) return
  cluster.world.count('disk: wiped')
  cluster.wipe(node)
  later(() => node.start())
}

/** Dies, its log is damaged meanwhile; it must refuse to start, and gets an empty disk in the end. */
function damage(cluster: Cluster, fault: OfType<'damage'>, later: Later): void {
  const node = nodeAt(cluster.nodes, fault.node)
  const { world, atlas } = cluster
  if (node.isBroken || !atlas.canDestroy(node)) return
  node.crash()
  // What a torn write left is cut first, as a start that is followed by a power cut would.
  node.start()
  node.crash()
  if (!node.disk.damage(fault.kind, new Random(fault.at, 'damage'))) return node.start()
  atlas.destroy(node)
  world.count(`disk: damaged (${fault.kind})`)
  node.start()
  cluster.oracle.checkDamaged(node)
  later(() => {
    if (node.isBroken) cluster.wipe(node)
    node.start()
  })
}

/** The links of a node that is cut off, in both directions or in one. */
function linksOf(
  fault: OfType<'isolate' | 'oneWay'>,
  nodes: readonly AnyNode[],
): readonly (readonly [number, number])[] {
  const isDeaf = fault.type === 'isolate' || fault.isDeaf
  const isMute = fault.type === 'isolate' || !fault.isDeaf
  return nodes.flatMap(({ place }) => [
    ...(isDeaf ? [[place, fault.node] as const] : []),
    ...(isMute ? [[fault.node, place] as const] : []),
  ])
}

/** Between all replicas of the node's group but those that are to reach each other. */
function linksOfHub(
  fault: OfType<'hub'>,
  nodes: readonly AnyNode[],
): readonly (readonly [number, number])[] {
  const hub = nodeAt(nodes, fault.node)
  const group = nodes.filter(node => node.address.gid === hub.address.gid)
  const isKept = (a: AnyNode, b: AnyNode) =>
    fault.isChain ? Math.abs(a.place - b.place) === 1 : a === hub || b === hub
  return group.flatMap(a =>
    group.flatMap(b => (a === b || isKept(a, b) ? [] : [[a.place, b.place] as const])),
  )
}

function linksBetween(
  sides: readonly (readonly number[])[],
): readonly (readonly [number, number])[] {
  return sides.flatMap((side, index) =>
    sides.flatMap((other, otherIndex) =>
      index === otherIndex ? [] : side.flatMap(a => other.map(b => [a, b] as const)),
    ),
  )
}

function crash(nodes: readonly AnyNode[], later: Later): void {
  for (const node of nodes) node.crash()
  later(() => {
    for (const node of nodes) node.start()
  })
}

function cut(
  { network }: Cluster,
  pairs: readonly (readonly [number, number])[],
  later: Later,
): void {
  for (const [from, to] of pairs) network.cut(from, to)
  later(() => {
    for (const [from, to] of pairs) network.join(from, to)
  })
}

function nodeAt(nodes: readonly AnyNode[], index: number): AnyNode {
  const node = nodes[index]
  if (node === undefined) throw new Error(`no node ${index}`)
  return node
}
