// Traces: searching the archive for spans, and one trace with everything that is linked to it.

import type { ArchivedSpan, SpansAnswer } from '../../ops/archive/answers.ts'
import { ATTR, SPAN } from '../../ops/trace/span-model.ts'
import { ArchiveNote } from '../archive-note.tsx'
import { type ArchiveSaid, said } from '../archive-said.ts'
import { clock, micros, plural, time, whole } from '../format.ts'
import { cut, visible } from '../html.ts'
import { Empty, Panel, Table, Time } from '../layout.tsx'
import { Missing, page } from '../page.ts'
import { pageLink, type SearchFields, searchOf } from '../search.ts'
import { LeastField, SearchEnd } from '../search-fields.tsx'
import { labelOf, SpanFigure } from '../span-figure.tsx'

type TracesModel = {
  readonly fields: SearchFields
  readonly said: ArchiveSaid<SpansAnswer>
  readonly id: string | null
}

const LIMIT = 50

export const traces = page<TracesModel>({
  path: '/traces',
  role: 'reader',
  section: 'traces',
  title: () => 'Traces',
  async load({ services, session, query }) {
    const id = query.get('id')?.trim().toLowerCase() ?? ''
    const fields = searchOf(query)
    const { archive } = services.clients.of(session.token)
    const { name, gid, shard, config, outcome, minMicros, from, to, order, before } = fields
    const wanted = {
      name,
      gid,
      shard,
      config,
      outcome,
      minMicros,
      from,
      to,
      order,
      before,
    }
    const found = await said(archive, client => client.spans({ limit: LIMIT, ...wanted }))
    return { fields, said: found, id: id === '' ? null : id }
  },
  view: ({ fields, said: found, id }) => (
    <>
      <h1>Traces</h1>
      <form class="row" method="get" action="/traces/find">
        <label class="grow">
          Trace id, 32 hexadecimal digits
          <input
            name="id"
            required
            pattern="\s*[0-9a-fA-F]{32}\s*"
            value={id ?? ''}
            spellcheck={false}
            autocomplete="off"
          />
        </label>
        <button type="submit">Open</button>
      </form>
      <SearchForm fields={fields} />
      <ArchiveNote said={found} />
      {found.value === null ? null : <Found answer={found.value} fields={fields} />}
    </>
  ),
})

const SEARCH = [
  ['gid', 'Group', 5],
  ['shard', 'Shard', 5],
  ['config', 'Configuration', 8],
  ['outcome', 'Outcome', 10],
  ['from', 'From (1h, or a time)', 12],
  ['to', 'To', 12],
] as const

function SearchForm({ fields }: { readonly fields: SearchFields }) {
  return (
    <form class="row" method="get" action="/traces">
      <label>
        Kind
        <select name="name">
          <option value="">any</option>
          {Object.values(SPAN).map(name => (
            <option value={name} selected={name === fields.name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {SEARCH.map(([name, text, size]) => (
        <label>
          {text}
          <input name={name} size={size} value={fields[name] ?? ''} />
        </label>
      ))}
      <LeastField fields={fields} />
      <SearchEnd fields={fields} />
    </form>
  )
}

function Found({
  answer,
  fields,
}: {
  readonly answer: SpansAnswer
  readonly fields: SearchFields
}) {
  return (
    <Panel title={fields.order === 'slowest' ? 'Slowest first' : 'Newest first'}>
      {answer.spans.length === 0 ? <Empty>None is like that.</Empty> : null}
      {answer.spans.length === 0 ? null : (
        <Table
          label="Spans"
          head={[
            'Kind',
            'Began (UTC)',
            ['Took', 'num'],
            'Node',
            ['Group', 'num'],
            ['Slot', 'num'],
            ['Shard', 'num'],
            ['Config', 'num'],
            'Outcome',
          ]}
        >
          {answer.spans.map(span => (
            <tr>
              <th scope="row">
                <a href={`/traces/${encodeURIComponent(span.traceId)}`}>
                  {visible(cut(span.name, 60))}
                </a>
              </th>
              <td>
                <Time
                  ms={span.startMicros / 1000}
                  text={`${time(span.startMicros / 1000).slice(5, 10)} ${clock(span.startMicros / 1000)}`}
                />
              </td>
              <td class="num">{micros(span.durationMicros)}</td>
              <td>{visible(cut(span.node, 40))}</td>
              <td class="num">{whole(span.gid)}</td>
              <td class="num">{whole(span.slot)}</td>
              <td class="num">{whole(span.shard)}</td>
              <td class="num">{whole(span.config)}</td>
              <td class={span.status === 'error' ? 'bad' : ''}>
                {visible(cut(span.outcome ?? '–', 60))}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {answer.next === null ? null : (
        <p>
          <a href={pageLink('/traces', fields, answer.next)}>More</a>
        </p>
      )}
    </Panel>
  )
}

type TraceModel = {
  readonly traceId: string
  readonly spans: readonly ArchivedSpan[]
  readonly instances: readonly ArchivedSpan[]
}

export const tracePage = page<TraceModel>({
  path: '/traces/{id}',
  role: 'reader',
  section: 'traces',
  title: ({ traceId }) => `Trace ${traceId.slice(0, 12)}`,
  async load({ services, session, params, query }) {
    const given = params.id === 'find' ? (query.get('id') ?? '') : (params.id ?? '')
    const traceId = given.trim().toLowerCase()
    if (!/^[0-9a-f]{32}$/.test(traceId))
      return new Missing(400, 'A trace has an id of 32 hexadecimal digits.')
    const { archive } = services.clients.of(session.token)
    const found = await said(archive, client => client.trace(traceId))
    if (found.value === null)
      return new Missing(
        found.problem === null ? 404 : 503,
        found.problem ?? 'The archive has no trace of this id (any more).',
      )
    const { spans } = found.value
    const isRequest = spans.some(({ name }) => name === SPAN.request)
    const whole_ = isRequest ? await said(archive, client => client.request(traceId)) : null
    return { traceId, spans, instances: whole_?.value?.instances ?? [] }
  },
  view: ({ traceId, spans, instances }) => (
    <>
      <h1>
        Trace <span class="mono">{traceId}</span>
      </h1>
      <Panel title="In time" note={plural(spans.length + instances.length, 'span')}>
        <SpanFigure spans={[...spans, ...instances]} />
      </Panel>
      {[...spans, ...instances].slice(0, SPANS_SHOWN).map(span => (
        <SpanPanel span={span} />
      ))}
    </>
  ),
})

const SPANS_SHOWN = 60
const TEXT_SHOWN = 300

function SpanPanel({ span }: { readonly span: ArchivedSpan }) {
  const { gid, attributes, events, links, status, statusMessage } = span
  const slot = attributes[ATTR.slot]
  return (
    <details class="panel">
      <summary>
        <b>{visible(cut(labelOf(span), 80))}</b> {micros(span.durationMicros)}{' '}
        <span class="dim">{`${clock(span.startMicros / 1000)} UTC`}</span>
        {status === 'error' ? (
          <span class="bad">{` error: ${visible(cut(statusMessage ?? '', TEXT_SHOWN))}`}</span>
        ) : null}
      </summary>
      {typeof slot === 'number' && gid !== null && span.name === SPAN.instance ? (
        <p>
          <a href={`/groups/${gid}/instances/${slot}`}>Replay this instance</a>
        </p>
      ) : null}
      <dl class="facts">
        {Object.entries(attributes).map(([name, value]) => (
          <>
            <dt class="mono">{visible(cut(name, 80))}</dt>
            <dd>{visible(cut(String(value), TEXT_SHOWN))}</dd>
          </>
        ))}
      </dl>
      {events.length === 0 ? null : <Events span={span} />}
      {links.length === 0 ? null : (
        <p>
          {`Linked: `}
          {links.slice(0, 30).map(link => (
            <>
              <a class="mono" href={`/traces/${encodeURIComponent(link.traceId)}`}>
                {visible(link.traceId.slice(0, 12))}
              </a>{' '}
            </>
          ))}
        </p>
      )}
    </details>
  )
}

function Events({ span }: { readonly span: ArchivedSpan }) {
  const { events } = span
  return (
    <Table label="Events" head={[['After', 'num'], 'Event', 'More']}>
      {events.slice(0, 200).map(event => (
        <tr>
          <td class="num">{micros(event.atMicros - span.startMicros)}</td>
          <td>{visible(cut(event.name, 60))}</td>
          <td class="wrap">
            {visible(
              cut(
                Object.entries(event.attributes)
                  .map(([name, value]) => `${name.replace('shardglass.', '')} ${String(value)}`)
                  .join(', '),
                TEXT_SHOWN,
              ),
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}
