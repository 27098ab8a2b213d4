// Handoffs: those under way, those that were, and one of them across both of its groups.

import type { ArchivedSpan, HandoffLine, HandoffsAnswer } from '../../ops/archive/answers.ts'
import { ATTR } from '../../ops/trace/span-model.ts'
import { ArchiveNote } from '../archive-note.tsx'
import { type ArchiveSaid, said } from '../archive-said.ts'
import { bytes, clock, micros, plural, time, whole } from '../format.ts'
import { HandoffList } from '../handoff-list.tsx'
import type { Moving } from '../handoff-tracker.ts'
import { visible } from '../html.ts'
import { Empty, GroupTag, Notice, Panel, Table, Time } from '../layout.tsx'
import { Missing, page, wholeParam } from '../page.ts'
import { pageLink, type SearchFields, searchOf } from '../search.ts'
import { SpanFigure } from '../span-figure.tsx'

type HandoffsModel = {
  readonly fields: SearchFields
  readonly open: readonly Moving[]
  readonly said: ArchiveSaid<HandoffsAnswer>
}

const LIMIT = 50
const OPEN_SHOWN = 200

export const handoffs = page<HandoffsModel>({
  path: '/handoffs',
  role: 'reader',
  section: 'handoffs',
  title: () => 'Handoffs',
  async load({ services, session, query }) {
    await services.reader.current()
    const fields = searchOf(query)
    const { archive } = services.clients.of(session.token)
    const { gid, shard, config, from, to, before } = fields
    const found = await said(archive, client =>
      client.handoffs({ limit: LIMIT, gid, shard, config, from, to, before }),
    )
    const open = services.reader.handoffs.list().filter(({ phase }) => phase !== 'arrived')
    return { fields, open, said: found }
  },
  view: ({ fields }, _context, part) => (
    <>
      <h1>Handoffs</h1>
      {part('open')}
      <SearchForm fields={fields} />
      {part('past')}
    </>
  ),
  parts: {
    open: ({ open }) => (
      <Panel title="Under way" note={plural(open.length, 'shard')}>
        {open.length === 0 ? (
          <Empty>Every shard is where it belongs.</Empty>
        ) : (
          <HandoffList moving={open.slice(0, OPEN_SHOWN)} />
        )}
      </Panel>
    ),
    past: model => <Past {...model} />,
  },
})

const SEARCH = [
  ['shard', 'Shard'],
  ['config', 'Configuration'],
  ['gid', 'Group'],
  ['from', 'From (1h, or a time)'],
  ['to', 'To'],
] as const

function SearchForm({ fields }: { readonly fields: SearchFields }) {
  return (
    <form class="row" method="get" action="/handoffs">
      {SEARCH.map(([name, text]) => (
        <label>
          {text}
          <input name={name} size={10} value={fields[name] ?? ''} />
        </label>
      ))}
      <button class="primary" type="submit">
        Search
      </button>
    </form>
  )
}

function Past({ said: found, fields }: HandoffsModel) {
  const lines = found.value?.handoffs ?? []
  const next = found.value?.next ?? null
  return (
    <Panel title="In the archive" note="newest first">
      <ArchiveNote said={found} />
      {found.value !== null && lines.length === 0 ? <Empty>None is like that.</Empty> : null}
      {lines.length === 0 ? null : (
        <Table
          label="Handoffs"
          head={[
            'Shard',
            ['Config', 'num'],
            'From',
            'To',
            'Began (UTC)',
            ['Took', 'num'],
            ['Pause', 'num'],
            ['Keys', 'num'],
            ['Size', 'num'],
            'Outcome',
          ]}
        >
          {lines.map(line => (
            <PastRow line={line} />
          ))}
        </Table>
      )}
      {next === null ? null : (
        <p>
          <a href={pageLink('/handoffs', fields, next)}>More</a>
        </p>
      )}
    </Panel>
  )
}

function PastRow({ line }: { readonly line: HandoffLine }) {
  return (
    <tr>
      <th scope="row">
        <a href={`/handoffs/${line.config}/${line.shard}`}>{line.shard}</a>
      </th>
      <td class="num">
        <a href={`/configs/${line.config}`}>{line.config}</a>
      </td>
      <td>{line.from === null ? '–' : <GroupTag gid={line.from} />}</td>
      <td>{line.to === null ? '–' : <GroupTag gid={line.to} />}</td>
      <td>
        <Time ms={line.startMicros / 1000} text={time(line.startMicros / 1000)} />
      </td>
      <td class="num">{micros(line.durationMicros)}</td>
      <td class="num">{micros(line.pauseMicros)}</td>
      <td class="num">{whole(line.keys)}</td>
      <td class="num">{bytes(line.bytes)}</td>
      <td>{visible(line.outcome ?? '–')}</td>
    </tr>
  )
}

type HandoffModel = {
  readonly config: number
  readonly shard: number
  readonly moving: Moving | null
  readonly spans: readonly ArchivedSpan[]
  readonly said: ArchiveSaid<unknown>
}

export const handoffPage = page<HandoffModel>({
  path: '/handoffs/{config}/{shard}',
  role: 'reader',
  section: 'handoffs',
  title: ({ config, shard }) => `Shard ${shard} at configuration ${config}`,
  async load({ services, session, params }) {
    const config = wholeParam(params.config, 0, Number.MAX_SAFE_INTEGER)
    const shard = wholeParam(params.shard, 0, 10_000_000)
    if (config === null || shard === null)
      return new Missing(404, 'A handoff is named by its configuration and its shard.')
    await services.reader.current()
    const { archive } = services.clients.of(session.token)
    const found = await said(archive, client => client.handoff(config, shard))
    const moving =
      services.reader.handoffs.list(config).find(entry => entry.shard === shard) ?? null
    return { config, shard, moving, spans: found.value?.spans ?? [], said: found }
  },
  view: ({ config, shard }, _context, part) => (
    <>
      <h1>{`Shard ${shard} at configuration ${config}`}</h1>
      <p class="buttons">
        <a href={`/configs/${config}`}>{`Configuration ${config}`}</a>
        <a href={`/handoffs?shard=${shard}`}>All moves of this shard</a>
      </p>
      {part('handoff')}
    </>
  ),
  parts: { handoff: model => <Handoff {...model} /> },
})

function Handoff({ moving, spans, said: found }: HandoffModel) {
  return (
    <>
      {moving === null ? null : (
        <Panel title="As the groups tell it">
          <HandoffList moving={[moving]} />
        </Panel>
      )}
      <ArchiveNote said={found} />
      {spans.length > 0 ? <Waterfall spans={spans} /> : null}
      {spans.length === 0 && found.problem === null ? (
        <Notice level="note">
          The archive has nothing of this move, or not yet: a span comes when its side is done.
        </Notice>
      ) : null}
    </>
  )
}

function Waterfall({ spans }: { readonly spans: readonly ArchivedSpan[] }) {
  const sides = spans.filter(({ attributes }) => attributes[ATTR.side] !== undefined)
  const pauses = sides.flatMap(({ attributes }) => {
    const pause = attributes[ATTR.pause]
    return typeof pause === 'number' ? [pause] : []
  })
  return (
    <>
      <Panel
        title="Across both groups"
        note={
          pauses.length === 0
            ? undefined
            : `clients were refused for ${micros(Math.max(...pauses))}`
        }
      >
        <SpanFigure spans={spans} />
      </Panel>
      <Panel title="What happened when">
        <Table label="Events" head={['At (UTC)', 'Side', 'Node', 'What']}>
          {eventsOf(spans).map(({ at, side, node, text }) => (
            <tr>
              <td>{clock(at / 1000)}</td>
              <td>{visible(side)}</td>
              <td>{visible(node)}</td>
              <td class="wrap">{visible(text)}</td>
            </tr>
          ))}
        </Table>
      </Panel>
    </>
  )
}

const WORDS: Readonly<Record<string, string>> = {
  frozen: 'the shard is frozen: clients wait from here on',
  awaited: 'the shard is awaited',
  chunk: 'a part of its keys',
  installed: 'all of it is in the log of a majority: it is served here from now on',
  acknowledged: 'heard that the taker serves it',
  released: 'its own copy is given up',
  swept: 'the last of its copy is deleted',
}

const EVENTS_SHOWN = 200

function eventsOf(spans: readonly ArchivedSpan[]) {
  const all = spans.flatMap(({ node, attributes, events }) =>
    events.map(event => {
      const keys = event.attributes[ATTR.keys]
      const words = Object.hasOwn(WORDS, event.name) ? (WORDS[event.name] ?? '') : event.name
      const amount =
        event.name === 'chunk' && typeof keys === 'number' ? `: ${plural(keys, 'key')}` : ''
      return {
        at: event.atMicros,
        side: String(attributes[ATTR.side] ?? ''),
        node,
        text: words + amount,
      }
    }),
  )
  return all.sort((one, other) => one.at - other.at).slice(0, EVENTS_SHOWN)
}
