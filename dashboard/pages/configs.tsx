// The numbered configurations: the time line, each one by itself with how far its shards are, and any
// two side by side.

import type { ConfigView } from '../../server/client/clerk.ts'
import { type ConfigDiff, diffOf } from '../config-diff.ts'
import { DiffTable, MapAt } from '../config-views.tsx'
import { plural, time, whole } from '../format.ts'
import { groupsOf } from '../groups.ts'
import { HandoffList } from '../handoff-list.tsx'
import type { Moving } from '../handoff-tracker.ts'
import { visible } from '../html.ts'
import { GroupTag, Notice, Panel, Table, Time } from '../layout.tsx'
import { causeText } from '../observations.ts'
import { Missing, type PageContext, page, wholeParam } from '../page.ts'

const PAGE = 25
/** Configurations of very many shards are large, and each line needs the one before as well. */
const PAGE_LARGE = 5

type Line = { readonly config: ConfigView; readonly diff: ConfigDiff | null }
type HistoryModel = {
  readonly latest: number
  readonly lines: readonly Line[]
  readonly older: number | null
  readonly newer: number | null
}

export const configs = page<HistoryModel>({
  path: '/configs',
  role: 'reader',
  section: 'configs',
  title: () => 'Configurations',
  isReloading: true,
  async load(context) {
    const { config: latest } = await context.services.reader.current()
    if (latest === null)
      return new Missing(
        503,
        'No shardmaster tells the configuration. See the group of the shardmasters.',
      )
    const count = latest.shards.length > 1_000 ? PAGE_LARGE : PAGE
    const top = Math.min(
      latest.num,
      wholeParam(context.query.get('to'), 0, latest.num) ?? latest.num,
    )
    const nums = Array.from({ length: Math.min(count + 1, top + 1) }, (_, index) => top - index)
    const found = await byNumber(context, nums)
    const lines = found.slice(0, count).map((config, index) => {
      const before = found[index + 1]
      return { config, diff: before === undefined ? null : diffOf(before, config) }
    })
    return {
      latest: latest.num,
      lines,
      older: top - count >= 0 ? top - count : null,
      newer: top < latest.num ? Math.min(latest.num, top + count) : null,
    }
  },
  json: ({ latest, lines, older, newer }) => ({
    latest,
    older,
    newer,
    configs: lines.map(({ config: { shards: _, ...config }, diff }) => ({ ...config, diff })),
  }),
  view: (model, _context, part) => (
    <>
      <h1>Configurations</h1>
      <form class="row" method="get" action="/configs/compare">
        <label>
          Compare
          <input
            name="a"
            inputmode="numeric"
            required
            value={Math.max(0, model.latest - 1)}
            size={6}
          />
        </label>
        <label>
          with
          <input name="b" inputmode="numeric" required value={model.latest} size={6} />
        </label>
        <button type="submit">Compare</button>
        <a href={`/configs/${model.latest}`}>Travel in time from the latest on</a>
      </form>
      {part('history')}
    </>
  ),
  parts: { history: model => <History {...model} /> },
})

function History({ lines, older, newer }: HistoryModel) {
  return (
    <Panel title="Time line" note="newest first">
      <Table
        label="Configurations"
        head={[
          ['Number', 'num'],
          'Decided (UTC)',
          'What',
          'Who',
          'Reason',
          'Groups',
          ['Moved', 'num'],
        ]}
      >
        {lines.map(({ config, diff }) => (
          <tr>
            <th scope="row" class="num">
              <a href={`/configs/${config.num}`}>{config.num}</a>
            </th>
            <td>
              <Time ms={config.at} text={time(config.at)} />
            </td>
            <td>{what(config)}</td>
            <td>{visible(text(config.cause.actor))}</td>
            <td class="wrap">{visible(text(config.cause.reason))}</td>
            <td>
              <Groups config={config} />
            </td>
            <td class="num">
              {diff === null ? (
                ''
              ) : (
                <a href={`/configs/${diff.from}..${diff.to}`}>
                  {plural(diff.moved.length, 'shard')}
                </a>
              )}
            </td>
          </tr>
        ))}
      </Table>
      <p class="buttons">
        {newer === null ? null : <a href={`/configs?to=${newer}`}>Newer</a>}
        {older === null ? null : <a href={`/configs?to=${older}`}>Older</a>}
      </p>
    </Panel>
  )
}

const TAGS = 12

function Groups({ config }: { readonly config: ConfigView }) {
  const gids = Object.keys(config.groups).map(Number)
  return (
    <>
      {gids.slice(0, TAGS).map(gid => (
        <>
          <GroupTag gid={gid} />{' '}
        </>
      ))}
      {gids.length > TAGS ? `and ${gids.length - TAGS} more` : ''}
    </>
  )
}

function what({ cause, num }: ConfigView): string {
  if (cause.op === 'move') return `shard ${text(cause.shard)} to group ${text(cause.gid)}`
  if (cause.op === 'join' || cause.op === 'leave') return `group ${text(cause.gid)} ${cause.op}s`
  return num === 0 ? 'the beginning' : text(cause.op)
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

type ConfigModel = {
  readonly config: ConfigView
  readonly latest: number
  readonly diff: ConfigDiff | null
  readonly moving: readonly Moving[]
  /** Groups that had not adopted it when last asked; null: it is not the latest. */
  readonly behind: readonly number[] | null
  readonly unsettled: number
  readonly safe: readonly string[]
}

export const configPage = page<ConfigModel>({
  path: '/configs/{num}',
  fits: ({ num = '' }) => num === 'at' || !/\D/.test(num),
  role: 'reader',
  section: 'configs',
  title: ({ config }) => `Configuration ${config.num}`,
  async load(context) {
    const num = wholeParam(numberOf(context), 0, Number.MAX_SAFE_INTEGER)
    if (num === null) return new Missing(404, 'A configuration has a number from 0 on.')
    const view = await context.services.reader.current()
    const [config, before] = await byNumber(context, num === 0 ? [0] : [num, num - 1])
    // For a number beyond the latest, a shardmaster tells the latest.
    if (config?.num !== num) return new Missing(404, `There is no configuration ${num}.`)
    const latest = Math.max(config.num, view.config?.num ?? 0)
    const groups = groupsOf(view)
    const isLatest = num === latest
    const members = groups.filter(({ gid, isMember }) => gid > 0 && isMember)
    return {
      config,
      latest,
      diff: before === undefined ? null : diffOf(before, config),
      moving: context.services.reader.handoffs.list(num),
      behind: isLatest
        ? members.filter(({ configNum }) => (configNum ?? 0) < num).map(({ gid }) => gid)
        : null,
      unsettled: groups.flatMap(({ held }) => held.filter(({ phase }) => phase === 'awaited'))
        .length,
      safe: groups
        .filter(({ hasLeft, isSafeToStop }) => hasLeft && isSafeToStop)
        .map(({ name }) => name),
    }
  },
  view: (model, _context, part) => (
    <>
      <h1>{`Configuration ${model.config.num}`}</h1>
      <Slider num={model.config.num} latest={model.latest} />
      {part('progress')}
      <Facts {...model} />
      <Panel
        title="The map at this configuration"
        note={model.diff === null ? undefined : `framed: changed by it`}
      >
        <MapAt config={model.config} diff={model.diff} />
      </Panel>
      {model.diff === null ? null : (
        <Panel title="What it changed">
          <DiffTable diff={model.diff} />
        </Panel>
      )}
    </>
  ),
  parts: { progress: model => <Progress {...model} /> },
})

function Slider({ num, latest }: { readonly num: number; readonly latest: number }) {
  return (
    <form class="row travel" method="get" action="/configs/at">
      <label class="grow">
        {`Time travel: 0 to ${latest}`}
        <input type="range" name="num" min={0} max={latest} value={num} data-submits="1" />
      </label>
      <button type="submit">Go</button>
      {num > 0 ? (
        <a class="button" href={`/configs/${num - 1}`} rel="prev">{`← ${num - 1}`}</a>
      ) : null}
      {num < latest ? (
        <a class="button" href={`/configs/${num + 1}`} rel="next">{`${num + 1} →`}</a>
      ) : null}
      {num < latest ? (
        <a class="button" href={`/configs/${latest}`}>
          Latest
        </a>
      ) : null}
      {num < latest ? <a href={`/configs/${num}..${latest}`}>Compare with the latest</a> : null}
    </form>
  )
}

function Facts({ config, diff }: ConfigModel) {
  return (
    <Panel title="Cause">
      <dl class="facts">
        <dt>What</dt>
        <dd>{visible(causeText(config))}</dd>
        <dt>Decided</dt>
        <dd>
          <Time ms={config.at} text={`${time(config.at)} UTC`} />
        </dd>
        <dt>Moved</dt>
        <dd>{diff === null ? '–' : plural(diff.moved.length, 'shard')}</dd>
        <dt>Groups</dt>
        <dd>
          <Groups config={config} />
        </dd>
      </dl>
    </Panel>
  )
}

const MOVING_SHOWN = 100

function Progress({ config, moving, behind, unsettled, safe }: ConfigModel) {
  const open = moving.filter(({ phase }) => phase !== 'arrived')
  return (
    <>
      {behind === null ? null : <Settled behind={behind} unsettled={unsettled} num={config.num} />}
      {safe.map(name => (
        <Notice level="note">{`${name} has left and holds nothing any more: it is safe to stop its processes.`}</Notice>
      ))}
      {moving.length === 0 ? null : (
        <Panel
          title="Handoffs"
          note={`${whole(moving.length - open.length)} of ${whole(moving.length)} arrived`}
        >
          <progress
            class="wide"
            max={moving.length}
            value={moving.length - open.length}
            aria-label="shards that arrived"
          />
          <HandoffList moving={moving.slice(0, MOVING_SHOWN)} />
        </Panel>
      )}
    </>
  )
}

function Settled({
  behind,
  unsettled,
  num,
}: {
  readonly behind: readonly number[]
  readonly unsettled: number
  readonly num: number
}) {
  if (behind.length > 0) {
    return (
      <Notice level="note">{`${plural(behind.length, 'group has', 'groups have')} not adopted configuration ${num} yet: ${behind.slice(0, 20).join(', ')}.`}</Notice>
    )
  }
  if (unsettled > 0)
    return (
      <Notice level="note">{`${plural(unsettled, 'shard is', 'shards are')} on the way.`}</Notice>
    )
  return <Notice level="ok">Settled: every shard is where this configuration puts it.</Notice>
}

/** `/configs/5`; the slider asks for `/configs/at?num=5`. */
function numberOf({ params, query }: PageContext): string | null | undefined {
  return params.num === 'at' ? query.get('num') : params.num
}

type CompareModel = {
  readonly before: ConfigView
  readonly after: ConfigView
  readonly diff: ConfigDiff
}

/** `/configs/3..7`; the form asks for `/configs/compare?a=3&b=7`. */
export const comparePage = page<CompareModel>({
  path: '/configs/{pair}',
  fits: ({ pair = '' }) => pair === 'compare' || pair.includes('..'),
  role: 'reader',
  section: 'configs',
  title: ({ diff }) => `Configurations ${diff.from} and ${diff.to}`,
  load: async context =>
    (await comparison(context)) ?? new Missing(404, 'Two configurations are compared as 3..7.'),
  json: ({ diff }) => diff,
  view: ({ before, after, diff }) => (
    <>
      <h1>{`Configurations ${diff.from} and ${diff.to}`}</h1>
      <Panel title="Difference" note={`${plural(diff.moved.length, 'shard')} in other places`}>
        <DiffTable diff={diff} />
      </Panel>
      <div class="halves">
        <Panel title={`At ${before.num}`} note={visible(causeText(before))}>
          <MapAt config={before} diff={null} />
        </Panel>
        <Panel title={`At ${after.num}`} note={visible(causeText(after))}>
          <MapAt config={after} diff={diff} />
        </Panel>
      </div>
    </>
  ),
})

async function comparison(context: PageContext): Promise<CompareModel | Missing | null> {
  const text = context.params.pair ?? ''
  const match = /^(\d{1,15})\.\.(\d{1,15})$/.exec(
    text === 'compare' ? `${context.query.get('a')}..${context.query.get('b')}` : text,
  )
  if (match === null) return null
  const [low, high] = [Number(match[1]), Number(match[2])].sort((one, other) => one - other)
  const [before, after] = await byNumber(context, [low ?? 0, high ?? 0])
  if (before === undefined || after === undefined)
    return new Missing(404, 'There is no configuration of one of these numbers.')
  return { before, after, diff: diffOf(before, after) }
}

/** As many as there are, in the order of the numbers. */
async function byNumber(
  { services, session }: PageContext,
  nums: readonly number[],
): Promise<readonly ConfigView[]> {
  const { configs: cache } = services.clients.of(session.token)
  for (const known of services.reader.view.recent) cache.put(known)
  const found = await Promise.all(nums.map(num => cache.get(num)))
  return found.filter(config => config !== null)
}
