// The kinds of faults by name: what each needs of the machine and of its cluster, and one round of it.
// A round leaves things broken for a while and mends what it broke, unless the run's time is over:
// then all is mended at once.

import type { Arena } from './arena.ts'
import { fakeClockLibrary, type Layout } from './cluster.ts'
import { hasProgram } from './command.ts'
import { DISK_FAULTS } from './faults-disk.ts'
import { NETWORK_FAULTS } from './faults-network.ts'
import { CLOCK_FAULTS, PROCESS_FAULTS, RESOURCE_FAULTS } from './faults-process.ts'
import { controlGroupReason, noRoomReason } from './isolation.ts'

export type Need =
  /** Networks, mounts and processes of its own: root on Linux. */
  'room' | 'iptables' | 'strace' | 'ext4' | 'faketime' | 'memory-group' | 'cpu-group' | 'prlimit'

export type Fault = {
  readonly name: string
  readonly summary: string
  readonly needs: readonly Need[]
  readonly layout?: Layout
  /** Keeps big values coming, so that disks fill. */
  readonly hasBallast?: boolean
  round(arena: Arena): Promise<void>
}

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...RESOURCE_FAULTS,
]

/** Why this kind cannot be made here; null if it can. */
export function missingFor(fault: Pick<Fault, 'needs'>): string | null {
  const reasons = fault.needs.map(reasonOf).filter(reason => reason !== null)
  return reasons.length === 0 ? null : reasons.join(', ')
}

function reasonOf(need: Need): string | null {
  switch (need) {
    case 'room':
      return noRoomReason()
    case 'ext4':
      return hasProgram('mkfs.ext4') && hasProgram('perl') ? null : 'needs mkfs.ext4 and perl'
    case 'faketime':
      return fakeClockLibrary() === null ? 'needs libfaketime' : null
    case 'memory-group':
      return controlGroupReason('memory')
    case 'cpu-group':
      return controlGroupReason('cpu')
    case 'iptables':
      return hasProgram('iptables-restore') ? null : 'needs iptables'
    case 'strace':
    case 'prlimit':
      return hasProgram(need) ? null : `needs ${need}`
  }
}
