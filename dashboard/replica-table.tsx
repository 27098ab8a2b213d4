// The replicas of one group side by side: how far each is, and what it has on its disk.

import { bytes, hostOf, micros, seconds, whole } from './format.ts'
import type { GroupView } from './groups.ts'
import { visible } from './html.ts'
import { Panel, Table } from './layout.tsx'
import { answers, type NodeView } from './node-status.ts'
import { stateText, toneOf } from './pages/overview.tsx'
import type { Disk } from './scrape.ts'

/** By URL of the replica; null: it keeps nothing on a disk; absent: it has not told yet. */
export type Disks = Readonly<Record<string, Disk | null>>

export function disksOf(
  { replicas }: GroupView,
  diskOf: (url: string) => Disk | null | undefined,
): Disks {
  const disks: Record<string, Disk | null> = {}
  for (const { url } of replicas) {
    const disk = diskOf(url)
    if (disk !== undefined) disks[url] = disk
  }
  return disks
}

const REPLICA_HEAD = [
  'Replica',
  'State',
  'Ballot',
  ['First', 'num'],
  ['Decided', 'num'],
  ['Applied', 'num'],
  ['Durable', 'num'],
  ['Lag', 'num'],
  ['Silent', 'num'],
  ['Log', 'num'],
  ['Disk', 'num'],
  ['Config', 'num'],
  'Up',
  'Incarnation',
] as const

type ReplicaTableProps = {
  readonly group: GroupView
  readonly disks: Disks
  /** ms since 1970. */
  readonly at: number
}

export function ReplicaTable({ group, disks, at }: ReplicaTableProps) {
  return (
    <Panel
      title="Replicas"
      note={`${group.answering} of ${group.replicas.length} answer; ${group.majority} are needed`}
    >
      <Table label="Replicas" head={REPLICA_HEAD}>
        {group.replicas.map(node => (
          <ReplicaRow node={node} group={group} disk={disks[node.url]} at={at} />
        ))}
      </Table>
    </Panel>
  )
}

function ReplicaRow({
  node,
  group,
  disk,
  at,
}: {
  readonly node: NodeView
  readonly group: GroupView
  readonly disk: Disk | null | undefined
  readonly at: number
}) {
  const { status } = node
  const asSeen = group.leader?.status?.members.find(({ replica }) => replica === status?.replica)
  const lag = status === null ? null : Math.max(0, (group.decided ?? 0) - status.slots.applied)
  return (
    <tr class={answers(node) ? '' : 'aside'}>
      <th scope="row">
        <span class={`dot ${toneOf(node)}`} /> {node.name}{' '}
        <span class="dim mono">{hostOf(node.url)}</span>
      </th>
      <td class={answers(node) ? '' : 'bad'}>{visible(stateText(node, at))}</td>
      <td class="mono">{status?.ballot ?? '–'}</td>
      <td class="num">{whole(status?.slots.first)}</td>
      <td class="num">{whole(status?.slots.decided)}</td>
      <td class="num">{whole(status?.slots.applied)}</td>
      <td class="num">{whole(status?.slots.durable)}</td>
      <td class="num">{whole(asSeen?.lagSlots ?? lag)}</td>
      <td class="num">{micros(asSeen?.silentMicros)}</td>
      <td class="num">
        {status === null ? '–' : `${whole(status.log.entries)} · ${bytes(status.log.bytes)}`}
      </td>
      <td class="num">{diskText(disk)}</td>
      <td class="num">{whole(status?.machine.config)}</td>
      <td>{status === null ? '–' : seconds(status.uptimeSeconds)}</td>
      <td class="mono">{status?.incarnation.slice(0, 12) ?? '–'}</td>
    </tr>
  )
}

/** Used by its own log and store, and what is left to all. */
function diskText(disk: Disk | null | undefined): string {
  if (disk === undefined) return '–'
  if (disk === null) return 'in memory'
  return `${bytes(disk.used)} · ${bytes(disk.free)} free of ${bytes(disk.size)}`
}
