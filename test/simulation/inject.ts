// Makes one fault of a run's list happen, and end, at their times.

import { unreachable } from '../../server/assert.ts'
import type { Cluster } from './cluster.ts'
import type { Fault } from './faults.ts'
import type { AnyNode } from './node.ts'

type Recovery = { readonly chaosUntil: number; readonly syncMin: number; readonly syncMax: number }

/** Called before the fault's time. */
export function inject(cluster: Cluster, fault: Fault, recovery: Recovery): void {
  const { world } = cluster
  world.after(fault.at - world.now, () => {
    world.count(`fault: ${fault.type}`)
    world.trace?.(`${world.now} fault ${JSON.stringify(fault)}`)
    begin(cluster, fault, recovery)
  })
}

function begin(cluster: Cluster, fault: Fault, recovery: Recovery): void {
  const { world, network, nodes } = cluster
  const later = (run: () => void) => {
    world.after(fault.lasts, () => {
      if (world.now < recovery.chaosUntil) run()
    })
  }
  const all = nodes.map(node => node.place)
  switch (fault.type) {
    case 'crash':
      return crash([nodeAt(nodes, fault.node)], later)
    case 'crashAll':
      return crash(nodes, later)
    case 'crashLeaders':
      return crash(nodes.filter(isLeading), later)
    case 'pause':
      return nodeAt(nodes, fault.node).pause(fault.lasts)
    case 'slowDisk': {
      const { disk } = nodeAt(nodes, fault.node)
      disk.speed = { syncMin: 50_000, syncMax: 1_500_000 }
      return later(() => {
        disk.speed = recovery
      })
    }
    case 'isolate':
    case 'oneWay':
      return cut(cluster, linksOf(fault, all), later)
    case 'split':
      network.split(fault.sides)
      return later(() => network.split([all]))
    case 'links':
      return cut(cluster, fault.pairs, later)
    case 'clog':
      for (const other of all) {
        network.clog(other, fault.node, world.now + fault.lasts)
        network.clog(fault.node, other, world.now + fault.lasts)
      }
      return
    case 'flush':
      return nodeAt(nodes, fault.node).flush()
    case 'handOver':
      return nodeAt(nodes, fault.node).handOver()
    case 'wallJump':
      return nodeAt(nodes, fault.node).jumpWall(fault.ms)
    default:
      return unreachable(fault)
  }
}

function isLeading(node: AnyNode): boolean {
  return node.status()?.role === 'leader'
}

/** The links of a node that is cut off, in both directions or in one. */
function linksOf(
  fault: Extract<Fault, { type: 'isolate' | 'oneWay' }>,
  all: readonly number[],
): readonly (readonly [number, number])[] {
  const isDeaf = fault.type === 'isolate' || fault.isDeaf
  const isMute = fault.type === 'isolate' || !fault.isDeaf
  return all.flatMap(other => [
    ...(isDeaf ? [[other, fault.node] as const] : []),
    ...(isMute ? [[fault.node, other] as const] : []),
  ])
}

function crash(nodes: readonly AnyNode[], later: (run: () => void) => void): void {
  for (const node of nodes) node.crash()
  later(() => {
    for (const node of nodes) node.start()
  })
}

function cut(
  { network }: Cluster,
  pairs: readonly (readonly [number, number])[],
  later: (run: () => void) => void,
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
