// Paxos instances: searching them, and one of them replayed step by step.

import type { ArchivedSpan, InstanceLine, InstancesAnswer } from '../../ops/archive/answers.ts'
import { ATTR, SPAN } from '../../ops/trace/span-model.ts'
import { ArchiveNote } from '../archive-note.tsx'
import { type ArchiveSaid, said } from '../archive-said.ts'
import { bytes, clock, micros, time, whole } from '../format.ts'
import { groupName, groupsOf } from '../groups.ts'
import { type Html, visible } from '../html.ts'
import { InstanceTable } from '../instance-table.tsx'
import { instanceFromNodes, recentInstances } from '../instances-of.ts'
import { lanes } from '../lanes.ts'
import { Empty, Panel, Table } from '../layout.tsx'
import { Missing, type PageContext, page, wholeParam } from '../page.ts'
import { type Replay, replayOf } from '../replay.ts'
import { pageLink, type SearchFields, searchOf } from '../search.ts'
import { LeastField, SearchEnd } from '../search-fields.tsx'

type SearchModel = {
  readonly fields: SearchFields
  readonly said: ArchiveSaid<InstancesAnswer>
  readonly gids: readonly number[]
  /** Of the nodes themselves, where the archive is away. */
  readonly live: readonly InstanceLine[]
}

const LIMIT = 50
const LIVE_GROUPS = 8

export const instances = page<SearchModel>({
  path: '/instances',
  role: 'reader',
  section: 'instances',
  title: () => 'Instances',
  async load({ services, session, query }) {
    const view = await services.reader.current()
    const groups = groupsOf(view)
    const fields = searchOf(query)
    const { archive } = services.clients.of(session.token)
    const { gid, origin, minMicros, from, to, order, before } = fields
    const asked = { limit: LIMIT, gid, origin, minMicros, from, to, order, before }
    const found = await said(archive, client => client.instances(asked))
    const asker = { connections: services.connections, token: session.token }
    const wanted = groups
      .filter(group => gid === undefined || group.gid === gid)
      .slice(0, LIVE_GROUPS)
    const live =
      found.value !== null
        ? []
        : await Promise.all(wanted.map(group => recentInstances(asker, group, 20)))
    return { fields, said: found, gids: groups.map(group => group.gid), live: live.flat() }
  },
  view: ({ fields, said: found, gids, live }) => (
    <>
      <h1>Instances</h1>
      <SearchForm fields={fields} gids={gids} />
      <ArchiveNote said={found} />
      {found.value === null ? (
        <Panel title="Told by the leaders themselves">
          {live.length === 0 ? <Empty>None.</Empty> : <InstanceTable rows={live} hasGroup />}
        </Panel>
      ) : (
        <Panel
          title={fields.order === 'slowest' ? 'Slowest first' : 'Newest first'}
          note="* made the quorum"
        >
          {found.value.instances.length === 0 ? (
            <Empty>None is like that.</Empty>
          ) : (
            <InstanceTable rows={found.value.instances} hasGroup />
          )}
          {found.value.next === null ? null : (
            <p>
              <a href={pageLink('/instances', fields, found.value.next)}>More</a>
            </p>
          )}
        </Panel>
      )}
    </>
  ),
})

function SearchForm({
  fields,
  gids,
}: {
  readonly fields: SearchFields
  readonly gids: readonly number[]
}) {
  return (
    <form class="row" method="get" action="/instances">
      <label>
        Group
        <select name="gid">
          <option value="">any</option>
          {gids.map(gid => (
            <option value={gid} selected={gid === fields.gid}>
              {groupName(gid)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Value
        <select name="origin">
          {['', 'own', 'inherited', 'noop'].map(origin => (
            <option value={origin} selected={origin === (fields.origin ?? '')}>
              {origin === '' ? 'any' : origin}
            </option>
          ))}
        </select>
      </label>
      <LeastField fields={fields} />
      <label>
        From (1h, or a time)
        <input name="from" size={12} value={fields.from ?? ''} />
      </label>
      <label>
        To
        <input name="to" size={12} value={fields.to ?? ''} />
      </label>
      <SearchEnd fields={fields} />
    </form>
  )
}

type InstanceModel = {
  readonly gid: number
  readonly slot: number
  readonly step: number
  readonly span: ArchivedSpan
  readonly others: readonly ArchivedSpan[]
  readonly replay: Replay
  readonly said: ArchiveSaid<unknown>
  readonly decided: number | null
}

export const instancePage = page<InstanceModel>({
  path: '/groups/{gid}/instances/{slot}',
  role: 'reader',
  section: 'instances',
  title: ({ gid, slot }) => `Slot ${slot} of ${groupName(gid)}`,
  load: instanceModel,
  json: ({ gid, slot, span, others, replay }) => ({ gid, slot, span, others, replay }),
  view: model => (
    <>
      <h1>{`Slot ${whole(model.slot)} of ${groupName(model.gid)}`}</h1>
      <Neighbours {...model} />
      <ArchiveNote said={model.said} />
      <Player {...model} />
      <div class="halves">
        <Steps {...model} />
        <Facts {...model} />
      </div>
    </>
  ),
})

async function instanceModel(context: PageContext): Promise<InstanceModel | Missing> {
  const { services, session, params, query } = context
  const gid = wholeParam(params.gid, 0, 2 ** 31)
  const slot = wholeParam(params.slot, 1, Number.MAX_SAFE_INTEGER)
  if (gid === null || slot === null) return new Missing(404, 'A slot is a number from 1 on.')
  const view = await services.reader.current()
  const group = groupsOf(view).find(found => found.gid === gid)
  const { archive } = services.clients.of(session.token)
  const asker = { connections: services.connections, token: session.token }
  const found = await said(archive, client => client.instance(gid, slot))
  const kept = found.value?.spans ?? []
  const spans = kept.length > 0 ? kept : await instanceFromNodes(asker, group, slot)
  const leaders = spans.filter(({ name }) => name === SPAN.instance)
  const chosen = leaders.find(({ spanId }) => spanId === query.get('span')) ?? leaders.at(-1)
  if (chosen === undefined)
    return new Missing(404, absentText(found, gid, slot, group?.decided ?? null))
  const replay = replayOf(chosen)
  const step = wholeParam(query.get('step'), 0, 10_000) ?? replay.steps.length - 1
  return {
    ...{ gid, slot, span: chosen, replay, said: found },
    step: Math.min(step, Math.max(0, replay.steps.length - 1)),
    others: spans.filter(({ spanId }) => spanId !== chosen.spanId),
    decided: group?.decided ?? null,
  }
}

function absentText(
  found: ArchiveSaid<unknown>,
  gid: number,
  slot: number,
  decided: number | null,
): string {
  if (decided !== null && slot > decided)
    return `${groupName(gid)} has decided up to slot ${decided}.`
  const why = found.problem ?? 'The archive has no trace of it.'
  return `${why} The nodes themselves remember only their newest instances, and slot ${slot} is not among them.`
}

function Neighbours({ gid, slot, decided }: InstanceModel) {
  const of = (other: number) => `/groups/${gid}/instances/${other}`
  return (
    <p class="buttons">
      {slot > 1 ? (
        <a class="button" rel="prev" href={of(slot - 1)}>{`← slot ${slot - 1}`}</a>
      ) : null}
      {decided === null || slot < decided ? (
        <a class="button" rel="next" href={of(slot + 1)}>{`slot ${slot + 1} →`}</a>
      ) : null}
      <a href={`/groups/${gid}`}>{groupName(gid)}</a>
      <a href={`/instances?gid=${gid}&order=slowest`}>its slowest</a>
    </p>
  )
}

function Player(model: InstanceModel) {
  const { step, replay } = model
  const now = replay.steps[step]
  return (
    <Panel
      title="Replay"
      note={replay.isThin ? 'kept in short form: the main times alone' : undefined}
    >
      <Buttons {...model} />
      <p class="now" role="status">
        {now === undefined
          ? 'No step is known.'
          : `${micros(now.at)}: ${now.text}${now.isEstimate ? ' (time estimated)' : ''}.`}
      </p>
      <section class="scroll" tabindex={0} aria-label="Picture of the instance">
        {lanes(replay, step)}
      </section>
    </Panel>
  )
}

function Buttons({ gid, slot, step, replay, span, others }: InstanceModel) {
  const last = replay.steps.length - 1
  const extra = others.length > 0 ? `&span=${span.spanId}` : ''
  const at = (wanted: number) => `/groups/${gid}/instances/${slot}?step=${wanted}${extra}`
  return (
    <form class="row travel" method="get" action={`/groups/${gid}/instances/${slot}`}>
      {others.length > 0 ? <input type="hidden" name="span" value={span.spanId} /> : null}
      <label class="grow">
        {`Step ${step + 1} of ${last + 1}`}
        <input
          type="range"
          name="step"
          min={0}
          max={Math.max(0, last)}
          value={step}
          data-submits="1"
        />
      </label>
      <button type="submit">Go</button>
      {step > 0 ? (
        <a class="button" id="step-back" href={at(step - 1)}>
          ← Back
        </a>
      ) : null}
      {step < last ? (
        <a class="button" id="step-on" href={at(step + 1)}>
          On →
        </a>
      ) : null}
      {step > 0 ? (
        <a class="button" href={at(0)}>
          Begin
        </a>
      ) : null}
    </form>
  )
}

function Steps({ gid, slot, step, replay, span, others }: InstanceModel) {
  const extra = others.length > 0 ? `&span=${span.spanId}` : ''
  return (
    <Panel title="Steps" note="≈ estimated from the acceptor's own times">
      <Table label="Steps" head={[['After', 'num'], 'What happened']}>
        {replay.steps.map(({ at, text, isEstimate }, index) => (
          <tr class={index === step ? 'now' : index > step ? 'later' : ''}>
            <td class="num">
              <a
                href={`/groups/${gid}/instances/${slot}?step=${index}${extra}`}
                aria-current={index === step ? 'step' : undefined}
              >
                {`${isEstimate ? '≈ ' : ''}${micros(at)}`}
              </a>
            </td>
            <td class="wrap">{visible(text)}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function Facts({ gid, slot, span, others }: InstanceModel) {
  const start = span.startMicros / 1000
  const facts: readonly (readonly [string, Html])[] = [
    ['Leader', visible(span.node)],
    ['Ballot', attributeOf(span, ATTR.ballot)],
    ['Began (UTC)', `${time(start).slice(0, 10)} ${clock(start)}`],
    ['Took', micros(span.durationMicros)],
    ['Value', valueText(span)],
    ['Phases', span.attributes[ATTR.path] === 'full' ? 'prepare and accept' : ONE_PHASE],
    ['Quorum', `${attributeOf(span, ATTR.quorum)} of ${attributeOf(span, ATTR.members)}`],
    ['Outcome', attributeOf(span, ATTR.outcome)],
    ['Trace', <TraceLink traceId={span.traceId} />],
    ...(span.links.length === 0 ? [] : [['Requests in it', <Requests span={span} />] as const]),
    ...others.map(other => ['Also there', <Other gid={gid} slot={slot} span={other} />] as const),
  ]
  return (
    <Panel title="Facts">
      <dl class="facts">
        {facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </Panel>
  )
}

const ONE_PHASE = 'accept alone: one prepare was for all later slots'
const REQUESTS_SHOWN = 20

function attributeOf(span: ArchivedSpan, name: string): string {
  const value = span.attributes[name]
  return value === undefined ? '–' : visible(String(value))
}

function valueText(span: ArchivedSpan): string {
  const size = span.attributes[ATTR.bytes]
  const commands = `${attributeOf(span, ATTR.commands)} commands`
  return [
    attributeOf(span, ATTR.origin),
    commands,
    typeof size === 'number' ? bytes(size) : '–',
  ].join(', ')
}

function TraceLink({ traceId }: { readonly traceId: string }) {
  return (
    <a class="mono" href={`/traces/${encodeURIComponent(traceId)}`}>
      {visible(traceId)}
    </a>
  )
}

function Requests({ span }: { readonly span: ArchivedSpan }) {
  const { links } = span
  return (
    <>
      {links.slice(0, REQUESTS_SHOWN).map(({ traceId }) => (
        <>
          <a class="mono" href={`/traces/${encodeURIComponent(traceId)}`}>
            {visible(traceId.slice(0, 12))}
          </a>{' '}
        </>
      ))}
      {links.length > REQUESTS_SHOWN ? `and ${links.length - REQUESTS_SHOWN} more` : ''}
    </>
  )
}

function Other(props: {
  readonly gid: number
  readonly slot: number
  readonly span: ArchivedSpan
}) {
  const { gid, slot, span } = props
  const text = visible(`${span.name} by ${span.node}, ballot ${attributeOf(span, ATTR.ballot)}`)
  if (span.name !== SPAN.instance)
    return <a href={`/traces/${encodeURIComponent(span.traceId)}`}>{text}</a>
  return (
    <a href={`/groups/${gid}/instances/${slot}?span=${encodeURIComponent(span.spanId)}`}>{text}</a>
  )
}
