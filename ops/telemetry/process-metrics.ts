// Metrics that any process has: how busy its event loop is, how late it runs, and what it is.

import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { LATENCY_SECONDS, Tally } from '../../server/tally.ts'
import type { SourcesOf } from './metric-sources.ts'

export type ProcessFamilyName =
  | 'build_info'
  | 'event_loop_lag_seconds'
  | 'event_loop_utilization_ratio'

/** Four times a second: an idle process wakes more often than that for heartbeats. */
const LAG_MS = 250

/** Looks at the event loop until it is stopped. */
export function watchProcess(version: string): {
  readonly sources: SourcesOf<ProcessFamilyName>
  stop(): void
} {
  const lag = new Tally(LATENCY_SECONDS)
  let dueAt = performance.now() + LAG_MS
  const timer = setInterval(() => {
    const now = performance.now()
    lag.add(Math.max(0, now - dueAt) / 1000)
    dueAt = now + LAG_MS
  }, LAG_MS)
  timer.unref()
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  const sources: SourcesOf<ProcessFamilyName> = {
    build_info: () => [{ labels: { version, node_version: process.version }, value: 1 }],
    event_loop_lag_seconds: () => lag,
    event_loop_utilization_ratio: () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      return utilization
    },
  }
  return { sources, stop: () => clearInterval(timer) }
}
