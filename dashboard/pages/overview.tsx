// The overview: health in words, where every shard is, the groups, what runs and what happened.

import type { ClusterView } from '../cluster-reader.ts'
import { ago, bytes, clock, micros, plural, short, whole } from '../format.ts'
import { type GroupView, groupsOf } from '../groups.ts'
import { HandoffList } from '../handoff-list.tsx'
import type { Moving } from '../handoff-tracker.ts'
import { type Finding, healthOf } from '../health.ts'
import { visible } from '../html.ts'
import { Empty, Findings, GroupTag, Panel, Table, Time } from '../layout.tsx'
import type { Point } from '../metrics-reader.ts'
import { answers, type NodeView } from '../node-status.ts'
import { causeText, type Observation } from '../observations.ts'
import { page } from '../page.ts'
import { cellsOf, shardMap } from '../shard-map.ts'
import { sparkline } from '../svg.ts'

export type OverviewModel = {
  readonly at: number
  readonly findings: readonly Finding[]
  readonly config: ClusterView['config']
  readonly groups: readonly GroupView[]
  readonly moving: readonly Moving[]
  readonly events: readonly Observation[]
  readonly series: Readonly<Record<string, readonly Point[]>>
}

/** Rows beyond this are for the page of the groups. */
const GROUPS_SHOWN = 400
const EVENTS_SHOWN = 12

export const overview = page<OverviewModel>({
  path: '/overview',
  role: 'reader',
  section: 'overview',
  title: () => 'Overview',
  isReloading: true,
  async load({ services }) {
    const { reader } = services
    const view = await reader.current()
    const groups = groupsOf(view)
    return {
      at: view.at,
      findings: healthOf(view, groups),
      config: view.config,
      groups,
      moving: reader.handoffs.list().filter(({ phase }) => phase !== 'arrived'),
      events: reader.observations.newest(EVENTS_SHOWN),
      series: Object.fromEntries(groups.map(({ gid }) => [gid, reader.metrics.of(gid)])),
    }
  },
  json: model => {
    const groups = model.groups.map(({ held, ...group }) => ({ ...group, held: held.length }))
    const { series: _series, ...rest } = model
    return { ...rest, groups }
  },
  view: (_model, _context, part) => (
    <>
      <h1 class="unseen">Overview</h1>
      {part('health')}
      <div class="columns">
        <div>
          {part('map')}
          {part('groups')}
        </div>
        <div>
          {part('config')}
          {part('events')}
        </div>
      </div>
    </>
  ),
  parts: {
    health: ({ findings }) => <Findings findings={findings} />,
    map: ({ config, groups }) => (
      <Panel
        title="Shards"
        note={config === null ? undefined : `${whole(config.shards.length)}, one cell each`}
      >
        {config === null ? (
          <Empty>No configuration was seen yet.</Empty>
        ) : (
          shardMap({
            cells: cellsOf(config.shards, groups),
            href: shard => `/reconfigure?shard=${shard}`,
          })
        )}
      </Panel>
    ),
    groups: model => <Groups {...model} />,
    config: ({ config, moving }) => (
      <>
        <Panel title="Configuration">
          {config === null ? (
            <Empty>None was seen yet.</Empty>
          ) : (
            <p>
              <a class="big" href={`/configs/${config.num}`}>
                {config.num}
              </a>{' '}
              {visible(causeText(config))}
            </p>
          )}
        </Panel>
        {moving.length === 0 ? null : (
          <Panel title="On the way" note={plural(moving.length, 'shard')}>
            <HandoffList moving={moving.slice(0, 12)} />
          </Panel>
        )}
      </>
    ),
    events: ({ events }) => (
      <Panel title="Last events" note="seen by this dashboard">
        {events.length === 0 ? (
          <Empty>Nothing has changed since it looks.</Empty>
        ) : (
          <Events events={events} />
        )}
      </Panel>
    ),
  },
})

export function Events({ events }: { readonly events: readonly Observation[] }) {
  return (
    <ul class="events">
      {events.map(({ at, text, href, kind }) => (
        <li class={kind}>
          <Time ms={at} text={clock(at).slice(0, 8)} /> <a href={href}>{visible(text)}</a>
        </li>
      ))}
    </ul>
  )
}

function Groups({ groups, series, at }: OverviewModel) {
  const head = [
    'Group',
    'Leader',
    'Replicas',
    ['Shards', 'num'],
    ['Keys', 'num'],
    ['Size', 'num'],
    ['Lag', 'num'],
    'Slots/s',
    'p99',
  ] as const
  return (
    <Panel title="Groups">
      <Table label="Groups" head={head}>
        {groups.slice(0, GROUPS_SHOWN).map(group => (
          <GroupRow group={group} points={series[String(group.gid)] ?? []} at={at} />
        ))}
      </Table>
    </Panel>
  )
}

function GroupRow(props: {
  readonly group: GroupView
  readonly points: readonly Point[]
  readonly at: number
}) {
  const { group, points, at } = props
  const last = points.at(-1)
  const isMaster = group.gid === 0
  return (
    <tr class={group.isMember ? '' : 'aside'}>
      <th scope="row">
        {isMaster ? <a href="/groups/0">masters</a> : <GroupTag gid={group.gid} />}
      </th>
      <td>{group.leader === null ? <span class="bad">none</span> : group.leader.name}</td>
      <td>
        <Replicas group={group} at={at} />
      </td>
      <td class="num">{isMaster ? '' : whole(group.assigned.length)}</td>
      <td class="num">{isMaster ? '' : whole(group.keys)}</td>
      <td class="num">{isMaster ? '' : bytes(group.bytes)}</td>
      <td class="num">{whole(group.lag)}</td>
      <td class="trend">
        {sparkline(
          points.map(({ instances }) => instances),
          `slots per second of ${group.name}`,
        )}{' '}
        {last === undefined || last.instances === null ? '' : short(last.instances)}
      </td>
      <td class="num">{last === undefined || last.p99 === null ? '–' : micros(last.p99 * 1e6)}</td>
    </tr>
  )
}

/** One dot per replica; its state is in words as well. */
export function Replicas({ group, at }: { readonly group: GroupView; readonly at: number }) {
  return (
    <span class="replicas">
      {group.replicas.map(node => (
        <span class={`dot ${toneOf(node)}`} title={`${node.name}: ${stateText(node, at)}`}>
          <span class="unseen">{`${node.name} ${stateText(node, at)}; `}</span>
        </span>
      ))}{' '}
      {group.answering}/{group.replicas.length}
    </span>
  )
}

export function toneOf(node: NodeView): string {
  if (!answers(node)) return 'down'
  if (node.status?.role === 'leader') return 'lead'
  return node.status?.isReady === true ? 'up' : 'unready'
}

export function stateText(node: NodeView, at: number): string {
  if (!answers(node)) {
    const since = node.seenAt === null ? 'never answered' : `last answered ${ago(node.seenAt, at)}`
    return `${node.error ?? 'not asked yet'}, ${since}`
  }
  const ready = node.status?.isReady === true ? '' : ', not ready'
  return `${node.status?.role}${ready}`
}
