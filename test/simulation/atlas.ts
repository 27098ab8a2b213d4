// Which copies of the data are destroyed. A group of n replicas promises to keep what it has decided
// as long as fewer than a majority of its disks are lost: faults that destroy a disk's contents ask
// here first, so that a violation is never the test's own doing.

import type { AnyNode } from './node.ts'

export class Atlas {
  private readonly destroyed = new Set<AnyNode>()
  private readonly nodes: readonly AnyNode[]

  constructor(nodes: readonly AnyNode[]) {
    this.nodes = nodes
  }

  isDestroyed(node: AnyNode): boolean {
    return this.destroyed.has(node)
  }

  /** Whether its group can bear the loss of this disk. */
  canDestroy(node: AnyNode): boolean {
    if (this.destroyed.has(node)) return true
    const group = this.nodes.filter(other => other.address.gid === node.address.gid)
    const lost = group.filter(other => this.destroyed.has(other)).length
    return (lost + 1) * 2 < group.length
  }

  destroy(node: AnyNode): void {
    this.destroyed.add(node)
  }

  /** Replicas of a group whose votes count. */
  voters(gid: number): AnyNode[] {
    return this.nodes.filter(node => node.address.gid === gid && !this.destroyed.has(node))
  }
}
