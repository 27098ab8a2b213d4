// PromQL in pieces: every query of a panel narrows to what the variables choose, and is written once.
// `cluster`, `role`, `group` and `replica` are labels of the scraped process (see
// prometheus-config.ts), so they are there on every metric.

import type { FamilyName } from '../telemetry/metric-catalog.ts'
import { PREFIX } from '../telemetry/metric-family.ts'
import type { RecordedName } from './recording-rules.ts'

/** A series of ours, prefix left out, or one that prom-client or Prometheus itself makes. */
export type SeriesName =
  | FamilyName
  | `${FamilyName}_${'bucket' | 'sum' | 'count'}`
  | `${'process' | 'nodejs'}_${string}`
  | 'up'
  | RecordedName

const CHOSEN = 'cluster="$cluster", role=~"$role", group=~"$group", replica=~"$replica"'
const WINDOW = '$__rate_interval'

/** The chosen replicas' series of one metric. */
export function chosen(metric: SeriesName, matchers = ''): string {
  return `${exported(metric)}{${matchers === '' ? CHOSEN : `${CHOSEN}, ${matchers}`}}`
}

/** The series of a metric of the whole cluster, whatever group is chosen. */
export function inCluster(metric: SeriesName, matchers = ''): string {
  return `${exported(metric)}{cluster="$cluster"${matchers === '' ? '' : `, ${matchers}`}}`
}

/** The name as it is exported. */
export function exported(metric: SeriesName): string {
  return /^(?:process|nodejs)_|^up$|:/.test(metric) ? metric : PREFIX + metric
}

/** Growth of a counter each second. */
export function rateOf(metric: SeriesName, matchers = ''): string {
  return `rate(${chosen(metric, matchers)}[${WINDOW}])`
}

/** Σ by the labels; without labels one sum. */
export function sumBy(labels: string, expr: string): string {
  return labels === '' ? `sum(${expr})` : `sum by (${labels}) (${expr})`
}

export function maxBy(labels: string, expr: string): string {
  return labels === '' ? `max(${expr})` : `max by (${labels}) (${expr})`
}

/** A quantile of a histogram, over all chosen replicas, apart by the labels. */
export function quantileOf(
  quantile: number,
  histogram: FamilyName,
  options: { readonly by?: string; readonly matchers?: string } = {},
): string {
  const { by = '', matchers = '' } = options
  const labels = by === '' ? 'le' : `le, ${by}`
  const buckets = rateOf(`${histogram}_bucket`, matchers)
  return `histogram_quantile(${quantile}, ${sumBy(labels, buckets)})`
}

/** The same over a longer time, for what happens seldom: no value in the window is no number. */
export function quantileWithin(
  window: string,
  quantile: number,
  histogram: FamilyName,
  by: string,
): string {
  const buckets = `increase(${chosen(`${histogram}_bucket`)}[${window}])`
  return `histogram_quantile(${quantile}, ${sumBy(`le, ${by}`, buckets)})`
}

/** The mean of a histogram's values, apart by the labels. */
export function meanOf(histogram: FamilyName, by: string): string {
  const sum = sumBy(by, rateOf(`${histogram}_sum`))
  return `${sum} / ${sumBy(by, rateOf(`${histogram}_count`))}`
}

/** For heat maps: how many values each second fell into each bucket. */
export function bucketsOf(histogram: FamilyName, matchers = ''): string {
  return sumBy('le', rateOf(`${histogram}_bucket`, matchers))
}
