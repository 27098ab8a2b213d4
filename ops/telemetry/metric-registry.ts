// prom-client's registries over our sources: one for the Prometheus text format, one for OpenMetrics,
// which alone knows exemplars (and calls counters by other names). Families keep no values of their
// own; each asks its source when it is printed.

import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type Metric,
  type OpenMetricsContentType,
  Registry,
} from 'prom-client'
import { unreachable } from '../../server/assert.ts'
import { MarkedTally, Tally } from '../../server/tally.ts'
import { FAMILIES } from './metric-catalog.ts'
import { type Family, PREFIX, type ProcessKind } from './metric-family.ts'
import type { AnySource, Sources, Spread } from './metric-sources.ts'

export type Format = 'text' | 'openMetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
}

export interface MetricRegistry {
  /**
   * All families as text. Lets other work in between, a millisecond at a time; who asks while it is
   * being made gets the same.
   */
  scrape(format: Format): Promise<string>
}

/** Text is made for no longer than this before the event loop has its turn. */
const SLICE_MS = 1
/** prom-client's own, which are left out: lag is measured otherwise, open handles are no totals, and
 * the heap's parts are two dozen series that nobody asks for. */
const UNWANTED = /^nodejs_(eventloop_lag|active_|heap_space_)/
const GC_SECONDS = [0.001, 0.01, 0.1, 1]
/** Its monitor of the event loop wakes the process this often, in ms; it cannot be left out. */
const MONITOR_MS = 3_600_000

type Registries = {
  readonly text: Registry
  readonly openMetrics: Registry<OpenMetricsContentType>
}

/** `isBare`: without the metrics of the process that prom-client brings. */
export function createRegistry<Kind extends ProcessKind>(
  kind: Kind,
  sources: Sources<Kind>,
  options: { readonly isBare?: boolean } = {},
): MetricRegistry {
  const registries: Registries = {
    text: new Registry(),
    openMetrics: new Registry<OpenMetricsContentType>(),
  }
  registries.openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const given = new Map<string, AnySource>(Object.entries(sources))
  for (const [key, family] of Object.entries<Family>(FAMILIES)) {
    if (!family.on.includes(kind)) continue
    const source = given.get(key)
    if (source === undefined) throw new Error(`no source for the metric ${key}`)
    const name = PREFIX + key
    const common = { name, help: family.help, source: withZeros(family, source) }
    registries.text.registerMetric(familyOf(family, { ...common, printedName: name }))
    // OpenMetrics names a counter without what its samples end in.
    const printedName = family.type === 'counter' ? name.replace(/_total$/, '') : name
    registries.openMetrics.registerMetric(familyOf(family, { ...common, printedName }))
  }
  if (options.isBare !== true) addDefaults(registries)
  const underWay = new Map<Format, Promise<string>>()
  return {
    scrape: format => {
      const known = underWay.get(format)
      if (known !== undefined) return known
      const text = scrape(registries[format], format).finally(() => underWay.delete(format))
      underWay.set(format, text)
      return text
    },
  }
}

async function scrape(registry: AnyRegistry, format: Format): Promise<string> {
  const parts: string[] = []
  let since = performance.now()
  for (const { name } of registry.getMetricsAsArray()) {
    parts.push(await registry.getSingleMetricAsString(name))
    if (performance.now() - since < SLICE_MS) continue
    await nextTurn()
    since = performance.now()
  }
  return format === 'text' ? `${parts.join('\n\n')}\n` : `${parts.join('\n')}\n# EOF\n`
}

type AnyRegistry = Pick<Registry, 'getMetricsAsArray' | 'getSingleMetricAsString'>

/** Both formats read the same metrics: prom-client's own are made once a process. */
function addDefaults(registries: Registries): void {
  const { text, openMetrics } = registries
  const ours = new Set(text.getMetricsAsArray().map(({ name }) => name))
  collectDefaultMetrics({
    register: text,
    eventLoopMonitoringPrecision: MONITOR_MS,
    gcDurationBuckets: GC_SECONDS,
  })
  for (const { name, help } of text.getMetricsAsArray()) {
    const metric = text.getSingleMetric(name)
    if (UNWANTED.test(name)) text.removeSingleMetric(name)
    else if (!ours.has(name) && metric !== undefined) {
      openMetrics.registerMetric(new Mirror({ name, help }, metric))
    }
  }
}

/** A metric of the text registry, as OpenMetrics calls it. */
class Mirror extends Gauge {
  private readonly metric: Metric

  constructor(named: Named, metric: Metric) {
    super({ ...named, registers: [] })
    this.metric = metric
  }

  override async get() {
    const shape = await this.metric.get()
    return { ...shape, name: shape.name.replace(/_total$/, '') }
  }
}

type Named = { readonly name: string; readonly help: string }
type FamilyOptions = Named & { readonly source: AnySource; readonly printedName: string }

function familyOf(family: Family, options: FamilyOptions): Metric {
  switch (family.type) {
    case 'counter':
      return new CounterFamily(options)
    case 'gauge':
      return new GaugeFamily(options)
    case 'histogram':
      return new HistogramFamily(options)
    default:
      return unreachable(family.type)
  }
}

class CounterFamily extends Counter {
  private readonly options: FamilyOptions

  constructor(options: FamilyOptions) {
    super({ name: options.name, help: options.help, registers: [] })
    this.options = options
  }

  override async get() {
    const { printedName: name, source } = this.options
    return { ...(await super.get()), name, values: valuesOf(name, source()) }
  }
}

class GaugeFamily extends Gauge {
  private readonly options: FamilyOptions

  constructor(options: FamilyOptions) {
    super({ name: options.name, help: options.help, registers: [] })
    this.options = options
  }

  override async get() {
    const { printedName: name, source } = this.options
    return { ...(await super.get()), name, values: valuesOf(name, source()) }
  }
}

class HistogramFamily extends Histogram {
  private readonly options: FamilyOptions
  /** Never observed: it knows the shape of what is printed, and calls nothing of ours for it. */
  private readonly empty: Histogram

  constructor(options: FamilyOptions) {
    const config = { name: options.name, help: options.help, registers: [] }
    super(config)
    this.options = options
    this.empty = new Histogram(config)
  }

  override async get() {
    const { printedName: name, source } = this.options
    return { ...(await this.empty.get()), name, values: valuesOf(name, source()) }
  }

  /** What the registry prints of a histogram. */
  getForPromString() {
    return this.get()
  }
}

type Labels = Readonly<Record<string, string | number>>
type Value = {
  readonly labels: Record<string, string | number>
  readonly value: number
  readonly metricName?: string
  readonly exemplar?: Exemplar
}
type Exemplar = {
  readonly labelSet: Labels
  readonly value: number
  /** Unix time in seconds. */
  readonly timestamp: number
}

/** So many series of a counter are there from the start. */
const ZEROS_MAX = 16

/**
 * A counter that comes up with its first value seems not to have grown: where its labels allow but a
 * few series, all are exported from the first scrape on.
 */
function withZeros(family: Family, source: AnySource): AnySource {
  const combinations = combinationsOf(family)
  if (family.type !== 'counter' || combinations.length > ZEROS_MAX) return source
  return () => {
    const read = source()
    if (typeof read === 'number' || read instanceof Tally) return read
    const found = [...read]
    const known = new Set(found.map(({ labels }) => wordsOf(family, labels)))
    const missing = combinations.filter(labels => !known.has(wordsOf(family, labels)))
    return [...found, ...missing.map(labels => ({ labels, value: 0 }))]
  }
}

/** Every set of labels that a family may have; none where a label's values are not listed. */
function combinationsOf({ labels }: Family): readonly Record<string, string>[] {
  let all: Record<string, string>[] = [{}]
  for (const [label, values] of Object.entries(labels)) {
    const listed = 'max' in values ? [] : values
    all = all.flatMap(one => listed.map(value => ({ ...one, [label]: value })))
  }
  return all
}

function wordsOf({ labels }: Family, given: Labels): string {
  return Object.keys(labels)
    .map(label => given[label])
    .join(' ')
}

/** Of one family. */
function valuesOf(name: string, read: ReturnType<AnySource>): Value[] {
  if (typeof read === 'number') return [{ labels: {}, value: read }]
  if (read instanceof Tally) return spreadValues(name, { labels: {}, tally: read })
  const values: Value[] = []
  for (const series of read) {
    if ('tally' in series) values.push(...spreadValues(name, series))
    else values.push({ labels: { ...series.labels }, value: series.value })
  }
  return values
}

function spreadValues(name: string, { labels, tally, traceOf }: Spread): Value[] {
  const values: Value[] = []
  const { bounds, counts, sum } = tally
  let count = 0
  for (let place = 0; place <= bounds.length; place++) {
    count += counts[place] ?? 0
    const le = bounds[place] ?? '+Inf'
    const value = { labels: { le, ...labels }, value: count, metricName: `${name}_bucket` }
    const exemplar = traceOf === undefined ? null : exemplarOf(tally, place, traceOf)
    values.push(exemplar === null ? value : { ...value, exemplar })
  }
  values.push({ labels: { ...labels }, value: sum, metricName: `${name}_sum` })
  values.push({ labels: { ...labels }, value: count, metricName: `${name}_count` })
  return values
}

function exemplarOf(
  tally: Tally,
  place: number,
  traceOf: (mark: number) => string | null,
): Exemplar | null {
  if (!(tally instanceof MarkedTally)) return null
  const mark = tally.marks[place] ?? 0
  const trace = mark === 0 ? null : traceOf(mark)
  if (trace === null) return null
  const { values, times } = tally
  return {
    labelSet: { trace_id: trace },
    value: values[place] ?? 0,
    timestamp: (times[place] ?? 0) / 1000,
  }
}
