// The pieces of the pages about configurations.

import type { ConfigView } from '../server/client/clerk.ts'
import type { ConfigDiff } from './config-diff.ts'
import { ranges, whole } from './format.ts'
import { Empty, GroupTag, Table } from './layout.tsx'
import { shardMap } from './shard-map.ts'

/** The map as it was, with the shards set off that a difference names. */
export function MapAt({
  config,
  diff,
}: {
  readonly config: ConfigView
  readonly diff: ConfigDiff | null
}) {
  const marked = new Set(diff?.moved.map(({ shard }) => shard) ?? [])
  const before = new Map(diff?.moved.map(({ shard, from }) => [shard, from]) ?? [])
  const cells = config.shards.map((gid, shard) => ({
    shard,
    gid,
    phase: 'steady' as const,
    from: before.get(shard) ?? null,
    keys: null,
    bytes: null,
  }))
  return shardMap({ cells, href: null, marked })
}

const LISTED = 400

export function DiffTable({ diff }: { readonly diff: ConfigDiff }) {
  if (diff.moved.length === 0 && diff.joined.length === 0 && diff.left.length === 0) {
    return <Empty>Nothing differs.</Empty>
  }
  return (
    <Table
      label="Difference"
      head={[
        'Group',
        '',
        ['Before', 'num'],
        ['After', 'num'],
        'Shards gained',
        'Shards given away',
      ]}
    >
      {diff.counts.map(({ gid, before, after }) => (
        <tr>
          <th scope="row">
            <GroupTag gid={gid} />
          </th>
          <td>{diff.joined.includes(gid) ? 'joined' : diff.left.includes(gid) ? 'left' : ''}</td>
          <td class="num">{whole(before)}</td>
          <td class="num">{whole(after)}</td>
          <td class="wrap">{listed(diff, 'to', gid)}</td>
          <td class="wrap">{listed(diff, 'from', gid)}</td>
        </tr>
      ))}
    </Table>
  )
}

function listed(diff: ConfigDiff, side: 'from' | 'to', gid: number): string {
  const shards = diff.moved.filter(move => move[side] === gid).map(({ shard }) => shard)
  const more = shards.length > LISTED ? ` and ${whole(shards.length - LISTED)} more` : ''
  return ranges(shards.slice(0, LISTED)) + more
}
