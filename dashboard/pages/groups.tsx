// The groups: all of them with their replicas, and one with everything that it says of itself.

import type { InstanceLine, TimelineAnswer } from '../../ops/archive/answers.ts'
import { ArchiveNote } from '../archive-note.tsx'
import { type ArchiveSaid, said } from '../archive-said.ts'
import { bytes, hostOf, micros, plural, ranges, time, whole } from '../format.ts'
import { hasRole } from '../gate.ts'
import { type GroupView, groupName, groupsOf } from '../groups.ts'
import { type Finding, findingsOf } from '../health.ts'
import { visible } from '../html.ts'
import { InstanceTable } from '../instance-table.tsx'
import { recentInstances } from '../instances-of.ts'
import { Csrf, Empty, Findings, GroupTag, Notice, Panel, Table, Time } from '../layout.tsx'
import type { Observation } from '../observations.ts'
import { type Action, Missing, type PageContext, page, wholeParam } from '../page.ts'
import { type Disks, disksOf, ReplicaTable } from '../replica-table.tsx'
import { Events, Replicas } from './overview.tsx'

type GroupsModel = { readonly at: number; readonly groups: readonly GroupView[] }

export const groupsPage = page<GroupsModel>({
  path: '/groups',
  role: 'reader',
  section: 'groups',
  title: () => 'Groups',
  isReloading: true,
  async load({ services }) {
    const view = await services.reader.current()
    return { at: view.at, groups: groupsOf(view) }
  },
  json: ({ at, groups }) => ({ at, groups: groups.map(({ held: _, ...group }) => group) }),
  view: (_model, _context, part) => (
    <>
      <h1>Groups</h1>
      {part('groups')}
    </>
  ),
  parts: {
    groups: ({ groups, at }) => (
      <Panel title="All groups">
        <Table
          label="All groups"
          head={[
            'Group',
            'In the configuration',
            'Leader',
            'Replicas',
            ['Shards', 'num'],
            ['Keys', 'num'],
            ['Size', 'num'],
            ['Config', 'num'],
            ['Decided', 'num'],
            ['Lag', 'num'],
            'Servers',
          ]}
        >
          {groups.map(group => (
            <tr class={group.isMember ? '' : 'aside'}>
              <th scope="row">
                {group.gid === 0 ? <a href="/groups/0">masters</a> : <GroupTag gid={group.gid} />}
              </th>
              <td>{memberText(group)}</td>
              <td>{group.leader?.name ?? <span class="bad">none</span>}</td>
              <td>
                <Replicas group={group} at={at} />
              </td>
              <td class="num">{group.gid === 0 ? '' : whole(group.assigned.length)}</td>
              <td class="num">{group.gid === 0 ? '' : whole(group.keys)}</td>
              <td class="num">{group.gid === 0 ? '' : bytes(group.bytes)}</td>
              <td class="num">{whole(group.configNum)}</td>
              <td class="num">{whole(group.decided)}</td>
              <td class="num">{whole(group.lag)}</td>
              <td class="mono">{group.replicas.map(({ url }) => hostOf(url)).join(' ')}</td>
            </tr>
          ))}
        </Table>
      </Panel>
    ),
  },
})

function memberText({ gid, isMember, hasLeft, isSafeToStop }: GroupView): string {
  if (gid === 0) return 'keeps it'
  if (isMember) return 'yes'
  if (!hasLeft) return 'no: a spare'
  return isSafeToStop ? 'left; safe to stop' : 'left; do not stop yet'
}

type GroupModel = {
  readonly at: number
  readonly group: GroupView
  readonly disks: Disks
  readonly findings: readonly Finding[]
  readonly events: readonly Observation[]
  readonly instances: readonly InstanceLine[]
  readonly timeline: ArchiveSaid<TimelineAnswer>
}

export const groupPage = page<GroupModel>({
  path: '/groups/{gid}',
  role: 'reader',
  section: 'groups',
  title: ({ group }) => titleOf(group),
  async load({ services, session, params }) {
    const gid = wholeParam(params.gid, 0, 2 ** 31)
    const view = await services.reader.current()
    const group = groupsOf(view).find(found => found.gid === gid)
    if (group === undefined)
      return new Missing(404, 'No group of that number is in the configuration or known to run.')
    const { archive } = services.clients.of(session.token)
    const asker = { connections: services.connections, token: session.token }
    const [instances, timeline] = await Promise.all([
      recentInstances(asker, group, 15),
      said(archive, client => client.timeline({ gid: group.gid, limit: 12 })),
    ])
    const events = services.reader.observations.newest(10, group.gid)
    const disks = disksOf(group, url => services.reader.metrics.diskOf(url))
    return { at: view.at, group, disks, findings: findingsOf(group), events, instances, timeline }
  },
  view: (model, context, part) => (
    <>
      <h1>{titleOf(model.group)}</h1>
      {part('findings')}
      {part('replicas')}
      {hasRole(context.session, 'admin') && model.group.replicas.length > 1 ? (
        <StepDown model={model} context={context} />
      ) : null}
      <div class="halves">
        {part('shards')}
        {part('tail')}
      </div>
      {part('events')}
    </>
  ),
  parts: {
    findings: ({ findings }) => (findings.length === 0 ? null : <Findings findings={findings} />),
    replicas: model => <ReplicaTable {...model} />,
    shards: ({ group }) => (group.gid === 0 ? null : <ShardTable group={group} />),
    tail: ({ group, instances }) => (
      <Panel title="Last instances" note={<a href={`/instances?gid=${group.gid}`}>search all</a>}>
        {instances.length === 0 ? (
          <Empty>No node tells of its newest instances.</Empty>
        ) : (
          <InstanceTable rows={instances} />
        )}
      </Panel>
    ),
    events: ({ events, timeline }) => (
      <div class="halves">
        <Panel title="Seen by this dashboard">
          {events.length === 0 ? (
            <Empty>Nothing has changed since it looks.</Empty>
          ) : (
            <Events events={events} />
          )}
        </Panel>
        <Panel title="From the archive" note="elections, recoveries, snapshots, configurations">
          <ArchiveNote said={timeline} />
          <Timeline said={timeline} />
        </Panel>
      </div>
    ),
  },
})

function titleOf({ gid }: GroupView): string {
  return gid === 0 ? 'Shardmasters' : `Group ${gid}`
}

function StepDown({
  model,
  context,
}: {
  readonly model: GroupModel
  readonly context: PageContext
}) {
  const { group } = model
  return (
    <Panel
      title="Act"
      note="adding and replacing replicas is not possible yet: a group keeps those that it formed with"
    >
      <form class="row" method="post" action={`/groups/${group.gid}/step-down`}>
        <Csrf session={context.session} />
        <button type="submit" disabled={group.leader === null}>
          Let the leader step down
        </button>
        <span class="dim">
          Another replica takes over in well under a second; requests under way are repeated inside.
        </span>
      </form>
    </Panel>
  )
}

const SHARDS_SHOWN = 300

function ShardTable({ group }: { readonly group: GroupView }) {
  const { held, assigned } = group
  const shown = [...held].sort(
    (one, other) => rank(one.phase) - rank(other.phase) || one.shard - other.shard,
  )
  return (
    <Panel
      title="Shards"
      note={`${whole(assigned.length)} by the configuration, ${whole(held.length)} held`}
    >
      {held.length === 0 ? (
        <Empty>
          {assigned.length === 0
            ? 'It has none.'
            : `It is to have ${ranges(assigned.slice(0, 100))}; it does not say that it holds them.`}
        </Empty>
      ) : (
        <Table
          label="Shards"
          head={['Shard', 'Phase', ['Keys', 'num'], ['Size', 'num'], ['Since config', 'num']]}
        >
          {shown.slice(0, SHARDS_SHOWN).map(({ shard, phase, peer, keys, bytes: size, config }) => (
            <tr>
              <th scope="row">{shard}</th>
              <td>{phaseText(phase, peer)}</td>
              <td class="num">{whole(keys)}</td>
              <td class="num">{bytes(size)}</td>
              <td class="num">
                <a href={`/configs/${config}`}>{config}</a>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {held.length > SHARDS_SHOWN ? (
        <Empty>{`and ${plural(held.length - SHARDS_SHOWN, 'more')}`}</Empty>
      ) : null}
    </Panel>
  )
}

function rank(phase: string): number {
  return ['awaited', 'leaving', 'releasing', 'serving'].indexOf(phase)
}

function phaseText(phase: string, peer: number): string {
  if (phase === 'awaited') return `awaited from ${groupName(peer)}`
  if (phase !== 'leaving') return phase
  return peer === 0 ? 'frozen until a group joins' : `frozen, on its way to ${groupName(peer)}`
}

function Timeline({ said: { value } }: { readonly said: ArchiveSaid<TimelineAnswer> }) {
  if (value === null) return null
  if (value.entries.length === 0) return <Empty>Nothing yet.</Empty>
  return (
    <ul class="events">
      {value.entries.map(entry => (
        <li>
          <Time ms={entry.startMicros / 1000} text={time(entry.startMicros / 1000).slice(5)} />{' '}
          <a href={`/traces/${entry.traceId}`}>{visible(`${entry.node}: ${entry.text}`)}</a>{' '}
          <span class="dim">{micros(entry.durationMicros)}</span>
        </li>
      ))}
    </ul>
  )
}

export const stepDownAction: Action = {
  path: '/groups/{gid}/step-down',
  role: 'admin',
  async run({ services, session, params }) {
    const gid = wholeParam(params.gid, 0, 2 ** 31)
    await services.reader.refresh()
    const group = groupsOf(services.reader.view).find(found => found.gid === gid)
    const leader = group?.leader ?? null
    if (group === undefined || leader === null) {
      return {
        type: 'show',
        status: 409,
        section: 'groups',
        title: 'Not done',
        body: (
          <Notice level="warn">The group has no leader at the moment; nothing was done.</Notice>
        ),
      }
    }
    const headers = { authorization: `Bearer ${session.token}` }
    const request = { method: 'POST', path: '/v1/leader/step-down', headers } as const
    const what = `let ${leader.name} step down from leading ${group.name}`
    const work = () => services.connections.exchange(leader.url, request, { timeoutMs: 3_000 })
    const answer = await services.audit.around(session.grant.name, what, work, resultOf)
    if (answer.type === 'answer' && answer.status === 200) {
      await services.reader.refresh()
      return { type: 'go', to: `/groups/${gid}` }
    }
    return {
      type: 'show',
      status: 502,
      section: 'groups',
      title: 'Not done',
      body: (
        <Notice level="warn">
          {`${leader.name} did not step down: ${resultOf(answer)}.`}{' '}
          <a href={`/groups/${gid}`}>Back</a>
        </Notice>
      ),
    }
  },
}

function resultOf(
  answer: Awaited<ReturnType<PageContext['services']['connections']['exchange']>>,
): string {
  if (answer.type === 'failed')
    return answer.isDefinite ? 'it could not be reached' : 'no answer: it may have stepped down'
  return answer.status === 200 ? 'done' : `it refused with status ${answer.status}`
}
