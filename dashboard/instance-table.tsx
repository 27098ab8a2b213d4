// Instances, one line each.

import { bytes, clock, micros, whole } from './format.ts'
import { visible } from './html.ts'
import type { InstanceRow } from './instances-of.ts'
import { Table, Time } from './layout.tsx'

export function InstanceTable({ rows }: { readonly rows: readonly InstanceRow[] }) {
  return (
    <Table
      label="Instances"
      head={[
        ['Slot', 'num'],
        'At (UTC)',
        ['Decided in', 'num'],
        ['Applied in', 'num'],
        'Origin',
        ['Commands', 'num'],
        ['Size', 'num'],
        'Answers from',
        'Leader',
      ]}
    >
      {rows.map(row => (
        <tr>
          <th scope="row" class="num">
            <a href={`/groups/${row.gid}/instances/${row.slot}`}>{whole(row.slot)}</a>
          </th>
          <td>
            <Time ms={row.startMicros / 1000} text={clock(row.startMicros / 1000)} />
          </td>
          <td class="num">{micros(row.decidedMicros)}</td>
          <td class="num">{micros(row.appliedMicros)}</td>
          <td>{visible(originText(row))}</td>
          <td class="num">{whole(row.commands)}</td>
          <td class="num">{bytes(row.bytes)}</td>
          <td>{row.acceptors.length === 0 ? '–' : row.acceptors.join(', ')}</td>
          <td>{visible(row.node)}</td>
        </tr>
      ))}
    </Table>
  )
}

function originText({ origin, outcome }: InstanceRow): string {
  const how = origin ?? '–'
  return outcome === null || outcome === 'ok' ? how : `${how}, ${outcome}`
}
