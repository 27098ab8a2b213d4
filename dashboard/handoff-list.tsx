// Shards on their way, one line each, with what was sent so far.

import { bytes, plural, seconds } from './format.ts'
import type { Moving } from './handoff-tracker.ts'
import { GroupTag, Table } from './layout.tsx'

export function HandoffList({ moving }: { readonly moving: readonly Moving[] }) {
  return (
    <Table
      label="Shards on their way"
      head={['Shard', 'From', 'To', 'Phase', 'Sent', ['Rate', 'num']]}
    >
      {moving.map(entry => (
        <tr class={entry.phase}>
          <th scope="row">
            <a href={`/handoffs/${entry.config}/${entry.shard}`}>{entry.shard}</a>
          </th>
          <td>
            <GroupTag gid={entry.from} />
          </td>
          <td>
            <GroupTag gid={entry.to} />
          </td>
          <td>{phaseText(entry)}</td>
          <td>
            <progress
              max={Math.max(1, entry.bytes)}
              value={shareOf(entry)}
              aria-label={`shard ${entry.shard}`}
            />{' '}
            {amountText(entry)}
          </td>
          <td class="num">
            {entry.rate === null || entry.rate <= 0 ? '' : `${bytes(entry.rate)}/s`}
          </td>
        </tr>
      ))}
    </Table>
  )
}

function phaseText({ phase, since, doneAt }: Moving): string {
  if (phase === 'arrived')
    return doneAt === null ? 'arrived' : `arrived in ${seconds(Math.max(0, doneAt - since) / 1000)}`
  return phase === 'copying' ? 'being copied' : 'waiting'
}

/** An empty shard has nothing to send: it is there or not. */
function shareOf({ phase, bytes: size, sentBytes }: Moving): number {
  if (phase === 'arrived') return Math.max(1, size)
  return Math.min(sentBytes, size)
}

function amountText({ keys, bytes: size, sentBytes, phase }: Moving): string {
  if (phase === 'arrived') return `${plural(keys, 'key')}, ${bytes(size)}`
  return `${bytes(Math.min(sentBytes, size))} of ${bytes(size)}, ${plural(keys, 'key')}`
}
