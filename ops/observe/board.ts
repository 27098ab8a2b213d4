// What a Grafana dashboard says, without Grafana's words: rows of panels, each with its question, its
// queries and where to go on from there. `dashboard.ts` turns it into Grafana's JSON.

/** How values are shown; each is one of Grafana's units. */
export type Unit =
  | 'seconds'
  | 'age'
  | 'bytes'
  | 'bytesPerSecond'
  | 'operationsPerSecond'
  | 'perSecond'
  | 'count'
  | 'ratio'
  | 'instant'
  | 'state'

export type Query = {
  /** PromQL; `$cluster`, `$group`, `$replica`, `$role` and `$__rate_interval` are filled in. */
  readonly expr: string
  /** Grafana's legend format: `{{label}}` is filled in. */
  readonly legend: string
  /** Dots that lead to the trace of one request or instance. */
  readonly hasExemplars?: true
  /** Why there may be no data in a healthy cluster; without it, no data is a failed test. */
  readonly emptyWhile?: string
}

export type PanelKind = 'lines' | 'stacked' | 'number' | 'heat' | 'states' | 'table'

export type Panel = {
  readonly kind: PanelKind
  /** A thing, or a question that the panel answers. Unique in its dashboard. */
  readonly title: string
  /** What is seen, and what is good and bad. */
  readonly description: string
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** In 24ths of the page. */
  readonly width: 4 | 6 | 8 | 12 | 24
  readonly height?: number
  /** The page of the cluster's own dashboard that shows the same thing in detail. */
  readonly page: string
  /** Alerts that speak of what is seen here; each is a link into the runbook. */
  readonly alerts?: readonly string[]
  /** From here on yellow, from there on red. */
  readonly warnFrom?: number
  readonly badFrom?: number
  /** For states: value → words and colour. */
  readonly words?: readonly (readonly [value: number, text: string, color: string])[]
}

export type Row = { readonly title: string; readonly panels: readonly Panel[] }

export type Board = {
  /** Also the file's name below grafana/dashboards. */
  readonly name: string
  readonly title: string
  readonly description: string
  readonly rows: readonly Row[]
}

/** All panels of a dashboard, in order. */
export function panelsOf(board: Board): readonly Panel[] {
  return board.rows.flatMap(({ panels }) => panels)
}
