// Rules that Grafana does not check when it imports a dashboard, and whose breach shows much later: as
// an empty panel, one over another, or a link to nowhere.

import { filledIn } from './promql.ts'

type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
type Source = { readonly uid?: string }

/** The part of a dashboard's JSON that is looked at. */
export type DashboardJson = {
  readonly uid: string
  readonly title: string
  readonly templating: { readonly list: readonly { name: string; type: string; query?: unknown }[] }
  readonly annotations: { readonly list: readonly { expr?: string; datasource?: Source }[] }
  readonly links: readonly { readonly url?: string }[]
  readonly panels: readonly PanelJson[]
}

export type PanelJson = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: Source
  readonly gridPos: Place
  readonly links?: readonly { readonly title: string; readonly url: string }[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly {
    readonly refId: string
    readonly expr: string
    readonly datasource?: Source
  }[]
}

const DATASOURCE = `\${datasource}`
const BUILT_IN = /^__/

/** What is wrong, one line each; `paths` tells whether a page of the cluster's dashboard exists. */
export function lint(dashboard: DashboardJson, isPage: (path: string) => boolean): string[] {
  return [
    ...repeated(dashboard.panels.map(({ id }) => String(id))).map(id => `panel id ${id} twice`),
    ...repeated(dashboard.panels.map(({ title }) => title)).map(title => `"${title}" twice`),
    ...overlaps(dashboard.panels),
    ...dashboard.panels.filter(({ type }) => type !== 'row').flatMap(panel => lintPanel(panel)),
    ...variableFaults(dashboard),
    ...linkFaults(dashboard, isPage),
    ...dashboard.annotations.list
      .filter(({ datasource }) => datasource?.uid !== DATASOURCE)
      .map(({ expr }) => `annotation ${expr}: not the chosen data source`),
  ]
}

function lintPanel(panel: PanelJson): string[] {
  const found: string[] = []
  const { targets = [], links = [] } = panel
  if (!panel.description) found.push('no description')
  if (!panel.fieldConfig?.defaults.unit) found.push('no unit')
  if (targets.length === 0) found.push('no query')
  if (links.length === 0) found.push('no link')
  found.push(...repeated(targets.map(({ refId }) => refId)).map(id => `query ${id} twice`))
  const sources = [panel.datasource, ...targets.map(({ datasource }) => datasource)]
  if (sources.some(source => source?.uid !== DATASOURCE)) found.push('not the chosen data source')
  return found.map(fault => `"${panel.title}": ${fault}`)
}

function overlaps(panels: readonly PanelJson[]): string[] {
  const found: string[] = []
  for (const [index, panel] of panels.entries()) {
    const { gridPos: a, title } = panel
    if (a.x + a.w > 24) found.push(`"${title}" leaves the page`)
    for (const { gridPos: b, title: other } of panels.slice(index + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
      if (!apart) found.push(`"${title}" lies on "${other}"`)
    }
  }
  return found
}

function variableFaults(dashboard: DashboardJson): string[] {
  const defined = dashboard.templating.list.map(({ name }) => name)
  const text = JSON.stringify(dashboard)
  const used = [...text.matchAll(/\$(?:\{(\w+)[^}]*\}|(\w+))/g)].map(
    match => match[1] ?? match[2] ?? '',
  )
  return [
    ...repeated(defined).map(name => `variable ${name} twice`),
    ...defined.filter(name => !used.includes(name)).map(name => `variable ${name} is not used`),
    ...[...new Set(used)]
      .filter(name => !BUILT_IN.test(name) && !defined.includes(name))
      .map(name => `no variable ${name}`),
  ]
}

function linkFaults(dashboard: DashboardJson, isPage: (path: string) => boolean): string[] {
  const urls = [
    ...dashboard.links.flatMap(({ url }) => (url === undefined ? [] : [url])),
    ...dashboard.panels.flatMap(({ links = [] }) => links.map(({ url }) => url)),
  ]
  const pages = `\${pages}`
  return urls.flatMap(url => {
    if (!url.startsWith(`${pages}/`)) return [`link ${url} does not go to the chosen dashboard`]
    return isPage(url.slice(pages.length)) ? [] : [`link to ${url}: there is no such page`]
  })
}

/** Every expression of a dashboard with where it is, variables filled in. */
export function expressionsOf(
  dashboard: DashboardJson,
  values: Readonly<Record<string, string>> = {},
): readonly { readonly at: string; readonly expr: string }[] {
  const panels = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ at: `${dashboard.uid}: "${title}" ${refId}`, expr })),
  )
  const annotations = dashboard.annotations.list.map(({ expr = '' }) => ({
    at: `${dashboard.uid}: annotation`,
    expr,
  }))
  return [...panels, ...annotations].map(({ at, expr }) => ({ at, expr: filledIn(expr, values) }))
}

function repeated(values: readonly string[]): readonly string[] {
  return values.filter((value, index) => values.indexOf(value) !== index)
}
