// A plan on the screen: what would go where, how much that is, what it costs, and the button.

import { fieldsOf, wishText } from './change-form.ts'
import { bytes, micros, plural, ranges, whole } from './format.ts'
import { visible } from './html.ts'
import { Csrf, GroupTag, Notice, Panel, Table } from './layout.tsx'
import type { Preview } from './preview.ts'
import type { Session } from './session.ts'

type Props = { readonly preview: Preview; readonly session: Session; readonly notice?: string }

const MOVES_SHOWN = 200

export function PreviewView({ preview, session, notice }: Props) {
  const { wish, moves, obstacles, warnings } = preview
  return (
    <>
      <h1>Plan: {wishText(wish)}</h1>
      {notice === undefined ? null : <Notice level="warn">{notice}</Notice>}
      {obstacles.length === 0 ? null : (
        <Notice level="bad">
          <p>This is not done, because:</p>
          <ul>
            {obstacles.map(text => (
              <li>{visible(sentence(text))}</li>
            ))}
          </ul>
        </Notice>
      )}
      {warnings.length === 0 ? null : (
        <Notice level="warn">
          <ul>
            {warnings.map(text => (
              <li>{visible(sentence(text))}</li>
            ))}
          </ul>
        </Notice>
      )}
      <div class="halves">
        <Panel title="Effect">
          <Effect preview={preview} />
        </Panel>
        <Panel title="Shards per group">
          <Balance preview={preview} />
        </Panel>
      </div>
      {obstacles.length > 0 ? null : <Apply preview={preview} session={session} />}
      <Moves moves={moves} />
    </>
  )
}

function Moves({ moves }: Pick<Preview, 'moves'>) {
  if (moves.length === 0) return null
  return (
    <Panel
      title="Moves"
      note={
        moves.length > MOVES_SHOWN
          ? `the first ${MOVES_SHOWN} of ${whole(moves.length)}`
          : undefined
      }
    >
      <Table label="Moves" head={['Shard', 'From', 'To', ['Keys', 'num'], ['Size', 'num']]}>
        {moves.slice(0, MOVES_SHOWN).map(({ shard, from, to, keys, bytes: size }) => (
          <tr>
            <th scope="row">{shard}</th>
            <td>
              <GroupTag gid={from} />
            </td>
            <td>
              <GroupTag gid={to} />
            </td>
            <td class="num">{whole(keys)}</td>
            <td class="num">{bytes(size)}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function Effect({ preview }: { readonly preview: Preview }) {
  const { moves, movesMin, keys, bytes: size, unknownSizes, cost, base } = preview
  const fewest =
    movesMin === null || moves.length === 0
      ? ''
      : `; fewer than ${movesMin} cannot even out the groups`
  const unknown = unknownSizes === 0 ? '' : `, and ${plural(unknownSizes, 'shard')} of unknown size`
  return (
    <dl class="facts">
      <dt>Moves</dt>
      <dd>
        {moves.length === 0
          ? 'no shard: what is asked for holds already, or nothing is owned'
          : `${plural(moves.length, 'shard')}${fewest}`}
      </dd>
      <dt>Data</dt>
      <dd>{`${plural(keys, 'key')}, ${bytes(size)}${unknown}`}</dd>
      <dt>Cost</dt>
      <dd>
        {cost === null
          ? 'no earlier move is in the archive to tell from'
          : `as ${plural(cost.count, 'earlier move')}: each shard refuses clients for about ${micros(cost.pauseMicros)} (median), which they wait out, and takes ${micros(cost.durationMicros)} in all`}
      </dd>
      <dt>Made on</dt>
      <dd>{`configuration ${base}; it is refused if that has moved on`}</dd>
    </dl>
  )
}

function Balance({ preview }: { readonly preview: Preview }) {
  const { groups, moves } = preview
  const most = Math.max(1, ...groups.map(({ before, after }) => Math.max(before, after)))
  return (
    <Table
      label="Shards per group"
      head={['Group', ['Before', 'num'], ['After', 'num'], '', 'Shards that move']}
    >
      {groups.map(({ gid, before, after }) => {
        const gone = moves.filter(({ from }) => from === gid).map(({ shard }) => shard)
        const come = moves.filter(({ to }) => to === gid).map(({ shard }) => shard)
        return (
          <tr>
            <th scope="row">
              <GroupTag gid={gid} />
            </th>
            <td class="num">{whole(before)}</td>
            <td class="num">{whole(after)}</td>
            <td>
              <progress max={most} value={after} aria-label={`group ${gid} after`} />
            </td>
            <td class="wrap">
              {gone.length === 0 ? '' : `away: ${ranges(gone.slice(0, 500))} `}
              {come.length === 0 ? '' : `in: ${ranges(come.slice(0, 500))}`}
            </td>
          </tr>
        )
      })}
    </Table>
  )
}

function Apply({ preview, session }: { readonly preview: Preview; readonly session: Session }) {
  const { wish, moves, base } = preview
  if (session.grant.role !== 'admin') {
    return <Notice level="note">Applying it takes a token with the role admin.</Notice>
  }
  const isFinal = wish.op === 'leave'
  const effect =
    moves.length === 0
      ? wishText(wish)
      : `${wishText(wish)}: ${plural(moves.length, 'shard moves', 'shards move')}`
  return (
    <Panel title="Apply" class={isFinal ? 'danger' : ''}>
      <form class="stack" method="post" action="/reconfigure/apply">
        <Csrf session={session} />
        {fieldsOf(wish).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <input type="hidden" name="base" value={base} />
        <label>
          Reason, kept in the configuration
          <input name="reason" maxlength={200} autocomplete="off" />
        </label>
        {isFinal ? (
          <label>
            {`A group that left cannot come back under its number. Type “group ${wish.gid}” to confirm`}
            <input
              name="confirm"
              required
              autocomplete="off"
              pattern={`\\s*group ${wish.gid}\\s*`}
            />
          </label>
        ) : null}
        <div class="buttons">
          <button class={isFinal ? 'danger' : 'primary'} type="submit">
            {effect.charAt(0).toUpperCase() + effect.slice(1)}
          </button>
          <a href="/reconfigure">Back</a>
        </div>
      </form>
    </Panel>
  )
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(capital) ? capital : `${capital}.`
}
