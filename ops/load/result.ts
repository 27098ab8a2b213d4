// What a load came to, as figures and as a table.

import type { Histogram } from 'hdr-histogram-js'
import hdr from 'hdr-histogram-js'
import type { LoadPlan } from './plan.ts'
import { newHistogram, type Recorder } from './recorder.ts'

export type LoadResult = {
  readonly target: string
  readonly op: string
  readonly clients: number
  readonly rate: number
  readonly batch: number
  readonly seconds: number
  readonly operations: number
  readonly failed: number
  readonly trouble: string | null
  readonly perSecond: number
  /** Of requests, in ms; with a rate, from when each was due. */
  readonly latencyMs: LatencyMs
  /** Processor time of the generator for each operation, µs. */
  readonly generatorMicros: number
  /** For adding up the results of several generators. */
  readonly histogram?: string
}

export type LatencyMs = Readonly<Record<'mean' | 'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>

export function resultOf(
  plan: LoadPlan,
  recorder: Recorder,
  run: { readonly seconds: number; readonly trouble: string | null; readonly cpuMicros: number },
): LoadResult {
  const { seconds, trouble, cpuMicros } = run
  const operations = recorder.good
  return {
    ...headOf(plan),
    seconds,
    operations,
    failed: recorder.failed,
    trouble,
    perSecond: operations / seconds,
    latencyMs: latenciesOf(recorder.all),
    generatorMicros: cpuMicros / Math.max(1, operations),
    ...(plan.raw && { histogram: hdr.encodeIntoCompressedBase64(recorder.all) }),
  }
}

/** Of generators that ran side by side. */
export function joined(plan: LoadPlan, results: readonly LoadResult[]): LoadResult {
  const all = newHistogram()
  for (const { histogram } of results) {
    if (histogram !== undefined) all.add(hdr.decodeFromCompressedBase64(histogram))
  }
  const sum = (of: (result: LoadResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  const operations = sum(result => result.operations)
  return {
    ...headOf(plan),
    seconds: Math.max(...results.map(({ seconds }) => seconds)),
    operations,
    failed: sum(({ failed }) => failed),
    trouble: results.find(({ trouble }) => trouble !== null)?.trouble ?? null,
    perSecond: sum(({ perSecond }) => perSecond),
    latencyMs: latenciesOf(all),
    generatorMicros: sum(one => one.generatorMicros * one.operations) / Math.max(1, operations),
    ...(plan.raw && { histogram: hdr.encodeIntoCompressedBase64(all) }),
  }
}

function headOf(plan: LoadPlan) {
  const { target, op, clients, rate, batch } = plan
  return { target, op, clients, rate, batch }
}

export function latenciesOf(histogram: Histogram): LatencyMs {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000
  const mean = histogram.totalCount === 0 ? 0 : histogram.mean / 1000
  return { mean, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) }
}

export function resultTable(result: LoadResult): string {
  const { latencyMs: latency } = result
  const batch = result.batch === 1 ? '' : `, ${result.batch} in each request`
  const rate = result.rate === 0 ? '' : `, ${whole(result.rate)}/s asked for`
  const lines = [
    `${result.op} at ${result.target}, ${result.clients} clients${batch}${rate}`,
    `  ${whole(result.perSecond)} operations/s over ${result.seconds.toFixed(1)} s`,
    `  ${whole(result.operations)} done, ${whole(result.failed)} failed`,
    `  latency ms   p50 ${ms(latency.p50)}   p90 ${ms(latency.p90)}   p99 ${ms(latency.p99)}` +
      `   p99.9 ${ms(latency.p999)}   max ${ms(latency.max)}   mean ${ms(latency.mean)}`,
    `  the generator used ${result.generatorMicros.toFixed(1)} µs of CPU for each operation`,
  ]
  if (result.trouble !== null) lines.push(`  first failure: ${result.trouble}`)
  return lines.join('\n')
}

/** One second of progress. */
export function progressLine(
  second: number,
  recent: Histogram,
  state: { readonly operations: number; readonly failed: number },
): string {
  const { p50, p99, max } = latenciesOf(recent)
  const count = whole(state.operations).padStart(9)
  const failed = state.failed === 0 ? '' : `   ${whole(state.failed)} failed`
  return `${String(second).padStart(4)} s ${count}/s   p50 ${ms(p50)}   p99 ${ms(p99)}   max ${ms(max)} ms${failed}`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function ms(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
