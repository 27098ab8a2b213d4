// The few charts that matter, drawn here; Grafana has the others.

import { bytes, clock, micros, short } from '../format.ts'
import { groupName } from '../groups.ts'
import { HeatMap } from '../heat-map.tsx'
import { colourOf, Empty, Notice, Panel } from '../layout.tsx'
import type { Heat, Point } from '../metrics-reader.ts'
import { page } from '../page.ts'
import { chart, type Series } from '../svg.ts'

type ChartsModel = {
  readonly series: readonly { readonly gid: number; readonly points: readonly Point[] }[]
  /** Groups beyond those that one can tell apart. */
  readonly more: number
  readonly grafana: string | null
  readonly heat: readonly Heat[]
  readonly shards: number
}

const GROUPS_DRAWN = 9

export const charts = page<ChartsModel>({
  path: '/charts',
  role: 'reader',
  section: 'charts',
  title: () => 'Metrics',
  isReloading: true,
  async load({ services }) {
    const { reader } = services
    const { config } = await reader.current()
    const all = reader.metrics.gids.map(gid => ({ gid, points: reader.metrics.of(gid) }))
    const busiest = [...all]
      .sort((one, other) => weight(other.points) - weight(one.points))
      .slice(0, GROUPS_DRAWN)
    const series = busiest.sort((one, other) => one.gid - other.gid)
    return {
      series,
      more: all.length - series.length,
      grafana: services.grafana,
      heat: reader.metrics.heat,
      shards: config?.shards.length ?? 0,
    }
  },
  view: ({ grafana }, _context, part) => (
    <>
      <h1>Metrics</h1>
      <p class="dim">
        The last quarter of an hour, while somebody was logged in here. Prometheus keeps more;{' '}
        {grafana === null ? (
          'Grafana’s dashboards are in grafana/.'
        ) : (
          <a href={grafana}>Grafana draws it.</a>
        )}{' '}
        What to do about it is in the <a href="/runbook">runbook</a>.
      </p>
      {part('charts')}
      {part('heat')}
    </>
  ),
  json: ({ heat, ...model }) => ({
    ...model,
    heat: heat.map(({ at, rates }) => ({ at, rates: Object.fromEntries(rates) })),
  }),
  parts: {
    charts: model => <Charts {...model} />,
    heat: ({ heat, shards }) => <HeatMap heat={heat} shards={shards} />,
  },
})

function weight(points: readonly Point[]): number {
  return points.reduce((sum, { instances }) => sum + (instances ?? 0), 0)
}

type Chart = {
  readonly title: string
  readonly note: string
  readonly value: (point: Point) => number | null
  readonly unit: (value: number) => string
  readonly hasMasters: boolean
  readonly isBinary?: boolean
}

const perSecond = (value: number) => short(value)
const inSeconds = (value: number) => micros(value * 1e6)

const CHARTS: readonly Chart[] = [
  {
    title: 'Requests',
    note: 'per second',
    value: ({ requests }) => requests,
    unit: perSecond,
    hasMasters: false,
  },
  {
    title: 'Latency, p99',
    note: 'of client requests',
    value: ({ p99 }) => p99,
    unit: inSeconds,
    hasMasters: false,
  },
  {
    title: 'Latency, p50',
    note: 'of client requests',
    value: ({ p50 }) => p50,
    unit: inSeconds,
    hasMasters: false,
  },
  {
    title: 'Paxos instances',
    note: 'decided per second',
    value: ({ instances }) => instances,
    unit: perSecond,
    hasMasters: true,
  },
  {
    title: 'Disk, p99',
    note: 'of durable writes to the log',
    value: ({ sync }) => sync,
    unit: inSeconds,
    hasMasters: true,
  },
  { title: 'Keys', note: 'held', value: ({ keys }) => keys, unit: perSecond, hasMasters: false },
  {
    title: 'Data',
    note: 'keys and values',
    value: ({ bytes: size }) => size,
    unit: bytes,
    isBinary: true,
    hasMasters: false,
  },
  {
    title: 'Log',
    note: 'in memory, until it is trimmed',
    value: ({ logBytes }) => logBytes,
    unit: bytes,
    isBinary: true,
    hasMasters: true,
  },
]

function Charts({ series, more }: ChartsModel) {
  const first = series[0]?.points[0]
  const last = series[0]?.points.at(-1)
  if (first === undefined || last === undefined)
    return <Empty>The first points come within ten seconds.</Empty>
  return (
    <>
      {more > 0 ? (
        <Notice level="note">{`The ${GROUPS_DRAWN} busiest groups are drawn; ${more} are not.`}</Notice>
      ) : null}
      <ul class="legend">
        {series.map(({ gid }) => (
          <li>
            <span class={`tag g${colourOf(gid)}`}>{gid === 0 ? 'masters' : `g${gid}`}</span>
          </li>
        ))}
      </ul>
      <div class="halves">
        {CHARTS.map(({ title, note, value, unit, hasMasters, isBinary = false }) => {
          const drawn: readonly Series[] = series
            .filter(({ gid }) => hasMasters || gid > 0)
            .map(({ gid, points }) => ({
              name: groupName(gid),
              tone: `g${colourOf(gid)}`,
              values: points.map(value),
            }))
          const ends = { from: clock(first.at).slice(0, 8), to: clock(last.at).slice(0, 8) }
          return (
            <Panel title={title} note={note}>
              {chart({
                label: `${title} ${note}, ${lastText(drawn, unit)}`,
                series: drawn,
                unit,
                isBinary,
                ...ends,
              })}
              <p class="dim">{lastText(drawn, unit)}</p>
            </Panel>
          )
        })}
      </div>
    </>
  )
}

function lastText(drawn: readonly Series[], unit: (value: number) => string): string {
  const parts = drawn.map(({ name, values }) => {
    const value = values.at(-1) ?? null
    return `${name}: ${value === null ? '–' : unit(value)}`
  })
  return parts.join(', ')
}
