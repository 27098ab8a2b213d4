// Which metrics and labels an expression may name: the catalog's, those that Prometheus and
// prom-client make by themselves, and what the recording rules make of them.

import { RECORDINGS } from '../../ops/observe/recording-rules.ts'
import { CATALOG } from '../../ops/telemetry/metric-catalog.ts'
import { type Expression, parsed } from './promql.ts'

const TARGET_LABELS = ['cluster', 'role', 'group', 'replica', 'job', 'instance']
/** prom-client's own, as far as anything asks for them: name → labels. */
const DEFAULTS: readonly (readonly [string, readonly string[]])[] = [
  ['up', []],
  ['process_cpu_seconds_total', []],
  ['process_resident_memory_bytes', []],
  ['process_start_time_seconds', []],
  ['process_open_fds', []],
  ['process_max_fds', []],
  ['nodejs_heap_size_used_bytes', []],
  ['nodejs_gc_duration_seconds_sum', ['kind']],
]

/** Exported name → labels of its own. */
const KNOWN: ReadonlyMap<string, readonly string[]> = new Map([
  ...DEFAULTS,
  ...RECORDINGS.map(({ record }) => [record, ['op']] as const),
  ...CATALOG.flatMap(({ name, type, labels }): (readonly [string, readonly string[]])[] => {
    const own = Object.keys(labels)
    if (type !== 'histogram') return [[name, own]]
    return [
      [`${name}_bucket`, [...own, 'le']],
      [`${name}_sum`, own],
      [`${name}_count`, own],
    ]
  }),
])

/** What is wrong with an expression, one line each. */
export function unknownIn(expr: string): readonly string[] {
  const { errors, selectors, grouping } = parsed(expr)
  const found = errors.map(text => `not PromQL near "${text}"`)
  const all = new Set(TARGET_LABELS)
  for (const { metric, labels } of selectors) {
    const known = KNOWN.get(metric)
    if (known === undefined) found.push(`no metric ${metric}`)
    for (const label of known ?? []) all.add(label)
    const others = labels.filter(label => ![...TARGET_LABELS, ...(known ?? [])].includes(label))
    found.push(...others.map(label => `${metric} has no label ${label}`))
  }
  const strange = grouping.filter(label => !all.has(label))
  return [...found, ...strange.map(label => `nothing here has the label ${label}`)]
}

/** Names of the catalog's families that an expression asks for, recording rules looked through. */
export function familiesIn(expr: string): readonly string[] {
  return namesIn(parsed(expr)).flatMap(name => {
    const recording = RECORDINGS.find(({ record }) => record === name)
    return recording === undefined ? [familyOf(name)] : familiesIn(recording.expr)
  })
}

function namesIn({ selectors }: Expression): readonly string[] {
  return selectors.map(({ metric }) => metric)
}

function familyOf(series: string): string {
  const isFamily = CATALOG.some(({ name }) => name === series)
  return isFamily ? series : series.replace(/_(?:bucket|sum|count)$/, '')
}
