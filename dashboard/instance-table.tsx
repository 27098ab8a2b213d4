// Instances, one line each.

import type { InstanceLine } from '../ops/archive/answers.ts'
import { bytes, clock, micros, whole } from './format.ts'
import { visible } from './html.ts'
import { Table, Time } from './layout.tsx'

const HEAD = [
  ['Slot', 'num'],
  'At (UTC)',
  ['Decided in', 'num'],
  ['Applied in', 'num'],
  'Value',
  ['Commands', 'num'],
  ['Size', 'num'],
  'Answers, in order',
  'Leader',
] as const

export function InstanceTable(props: {
  readonly rows: readonly InstanceLine[]
  readonly hasGroup?: boolean
}) {
  const { rows, hasGroup = false } = props
  return (
    <Table label="Instances" head={hasGroup ? ['Group', ...HEAD] : HEAD}>
      {rows.map(row => (
        <tr>
          {hasGroup ? <td>{row.gid === 0 ? 'masters' : row.gid}</td> : null}
          <th scope="row" class="num">
            <a href={`/groups/${row.gid}/instances/${row.slot}`}>{whole(row.slot)}</a>
          </th>
          <td>
            <Time ms={row.startMicros / 1000} text={clock(row.startMicros / 1000)} />
          </td>
          <td class="num">{micros(row.decidedMicros)}</td>
          <td class="num">{micros(row.appliedMicros)}</td>
          <td>{visible(valueText(row))}</td>
          <td class="num">{whole(row.commands)}</td>
          <td class="num">{bytes(row.bytes)}</td>
          <td>{answersText(row)}</td>
          <td>{visible(row.node)}</td>
        </tr>
      ))}
    </Table>
  )
}

function valueText({ origin, path, outcome }: InstanceLine): string {
  const how = [origin ?? '–', path === 'full' ? 'both phases' : ''].filter(Boolean).join(', ')
  return outcome === null || outcome === 'ok' ? how : `${how}: ${outcome}`
}

function answersText({ acceptors }: InstanceLine): string {
  if (acceptors.length === 0) return '–'
  return acceptors
    .map(({ acceptor, madeQuorum }) => `${acceptor}${madeQuorum ? '*' : ''}`)
    .join(' ')
}
