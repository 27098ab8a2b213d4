// Turns a board into the JSON that Grafana imports, with the foundation SDK's typed builders. Nothing
// in it names a data source, a folder or an address for good: all three are variables.

import type * as common from '@grafana/grafana-foundation-sdk/common'
import * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import type { Board, Panel, Query, Row } from './board.ts'
import { panelBuilder } from './panel-builder.ts'

const WIDTH = 24
const ROW_HEIGHT = 1
const DATASOURCE: common.DataSourceRef = { type: 'prometheus', uid: `\${datasource}` }
export const TAG = 'shardglass'
/** Where the cluster's own dashboard is; `npm start` puts it there. */
const PAGES = 'http://127.0.0.1:4400'

/** Grafana's dashboard for a board: what is to be in its file. */
export function dashboardOf(board: Board): sdk.Dashboard {
  const builder = new sdk.DashboardBuilder(board.title)
    .uid(`shardglass-${board.name}`)
    .description(board.description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .tooltip(sdk.DashboardCursorSync.Crosshair)
    .timezone('browser')
    .links(boardLinks())
    .variables(variables())
    .annotations(annotations())
  return withoutMenus({ ...builder.build(), panels: placed(board) })
}

/** The SDK puts every link and annotation into a menu; they are to be seen. */
function withoutMenus(dashboard: sdk.Dashboard): sdk.Dashboard {
  const text = JSON.stringify(dashboard, (key, value) => (key === 'placement' ? undefined : value))
  return JSON.parse(text)
}

/** Rows from top to bottom, panels from left to right; ids count up. */
function placed(board: Board): (sdk.Panel | sdk.RowPanel)[] {
  const found: (sdk.Panel | sdk.RowPanel)[] = []
  let y = 0
  let id = 1
  for (const row of board.rows) {
    const at = { x: 0, y, w: WIDTH, h: ROW_HEIGHT }
    found.push(new sdk.RowBuilder(row.title).id(id++).gridPos(at).build())
    y += ROW_HEIGHT
    for (const { panel, place } of placesOf(row, y)) {
      found.push(panelOf(panel, place, id++))
      y = Math.max(y, place.y + place.h)
    }
  }
  return found
}

type Placed = { readonly panel: Panel; readonly place: sdk.GridPos }

function placesOf(row: Row, top: number): readonly Placed[] {
  const places: Placed[] = []
  let [x, y, tallest] = [0, top, 0]
  for (const panel of row.panels) {
    const h = panel.height ?? (panel.kind === 'number' ? 4 : 8)
    if (x + panel.width > WIDTH) [x, y, tallest] = [0, y + tallest, 0]
    places.push({ panel, place: { x, y, w: panel.width, h } })
    x += panel.width
    tallest = Math.max(tallest, h)
  }
  return places
}

function panelOf(panel: Panel, place: sdk.GridPos, id: number): sdk.Panel {
  const isTable = panel.kind === 'table'
  return panelBuilder(panel)
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .gridPos(place)
    .links(panelLinks(panel))
    .targets(panel.queries.map((query, index) => target(query, { index, panel, isTable })))
    .build()
}

function target(
  query: Query,
  { index, panel, isTable }: { index: number; panel: Panel; isTable: boolean },
): DataqueryBuilder {
  const builder = new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .datasource(DATASOURCE)
    .expr(query.expr)
    .legendFormat(query.legend)
  if (query.hasExemplars) builder.exemplar(true)
  if (panel.kind === 'heat') builder.format(PromQueryFormat.Heatmap)
  if (isTable) return builder.format(PromQueryFormat.Table).instant()
  return panel.kind === 'number' ? builder.instant() : builder.range()
}

/** To the same thing in the cluster's own dashboard, and to what the runbook says of it. */
function panelLinks(panel: Panel): sdk.DashboardLinkBuilder[] {
  const entries = (panel.alerts ?? []).map(alert => `/runbook#${alert.toLowerCase()}`)
  return [
    outside('See it in the cluster’s own dashboard', `\${pages}${withInterval(panel.page)}`),
    ...entries.map(path => outside(`Runbook: ${path.split('#')[1]}`, `\${pages}${path}`)),
  ]
}

/** Pages that search traces show those of the time that is looked at. */
function withInterval(page: string): string {
  if (!/^\/(?:traces|instances|handoffs)\b/.test(page)) return page
  const interval = `from=\${__from:date:iso}&to=\${__to:date:iso}`
  return `${page}${page.includes('?') ? '&' : '?'}${interval}`
}

function boardLinks(): sdk.DashboardLinkBuilder[] {
  const others = new sdk.DashboardLinkBuilder('Shardglass')
    .type(sdk.DashboardLinkType.Dashboards)
    .tags([TAG])
    .includeVars(true)
    .keepTime(true)
  const runbook = outside('Runbook', `\${pages}/runbook`)
  return [others, outside('The cluster’s own dashboard', `\${pages}/`), runbook]
}

function outside(title: string, url: string): sdk.DashboardLinkBuilder {
  return new sdk.DashboardLinkBuilder(title)
    .type(sdk.DashboardLinkType.Link)
    .url(url)
    .targetBlank(true)
}

function variables(): Parameters<sdk.DashboardBuilder['variables']>[0] {
  const all = { text: 'All', value: '$__all' }
  const narrowed = (name: string, label: string, query: string): sdk.QueryVariableBuilder =>
    labelVariable(name, label, query).multi(true).includeAll(true).allValue('.*').current(all)
  const pages = new sdk.TextBoxVariableBuilder('pages')
    .label('Dashboard of the cluster')
    .description('Address of the cluster’s own dashboard, to which the links go.')
    .defaultValue(PAGES)
    .current({ text: PAGES, value: PAGES })
  return [
    new sdk.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    labelVariable('cluster', 'Cluster', 'label_values(shardglass_build_info, cluster)'),
    narrowed('role', 'Role', 'label_values(shardglass_build_info{cluster="$cluster"}, role)'),
    narrowed('group', 'Group', `label_values(${IN_ROLE}, group)`),
    narrowed('replica', 'Replica', `label_values(${IN_ROLE}, replica)`),
    pages,
  ]
}

const IN_ROLE = 'shardglass_build_info{cluster="$cluster", role=~"$role"}'

function labelVariable(name: string, label: string, query: string): sdk.QueryVariableBuilder {
  return new sdk.QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: `variable-${name}` })
    .definition(query)
    .refresh(sdk.VariableRefresh.OnTimeRangeChanged)
    .sort(sdk.VariableSort.NumericalAsc)
}

function annotations(): sdk.AnnotationQueryBuilder[] {
  return [
    annotation({
      name: 'Configurations',
      color: 'blue',
      expr: CONFIGURATION_CHANGES,
      text: 'A new configuration was decided: a group joined or left, or a shard was moved.',
    }),
    annotation({
      name: 'Leaders',
      color: 'orange',
      expr: LEADER_CHANGES,
      text: 'Group {{group}} has another leader.',
    }),
  ]
}

/** More than 0 at the moments that are marked on every panel. */
const CONFIGURATION_CHANGES =
  'changes(max(shardglass_master_config_number{cluster="$cluster"})[1m:10s]) > 0'
const LEADER_CHANGES =
  'max by (group) (increase(shardglass_paxos_leader_changes_total{cluster="$cluster"}[1m])) > 0'

function annotation(fields: {
  readonly name: string
  readonly color: string
  readonly expr: string
  readonly text: string
}): sdk.AnnotationQueryBuilder {
  return new sdk.AnnotationQueryBuilder()
    .name(fields.name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(fields.color)
    .expr(fields.expr)
    .step('10s')
    .titleFormat(fields.name)
    .textFormat(fields.text)
}
