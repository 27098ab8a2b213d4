// All files that are made from the descriptions in this folder. They are committed, so that Grafana
// and Prometheus can be given them as they are; a test makes them again and compares.

import { localCluster } from '../local.ts'
import { ALERT_GROUPS } from './alert-rules.ts'
import { BOARDS } from './boards/all.ts'
import { dashboardOf } from './dashboard.ts'
import { committedPlan } from './local-prometheus.ts'
import { prometheusConfig } from './prometheus-config.ts'
import { RECORDINGS } from './recording-rules.ts'
import { alertsText, recordingsText } from './rules-text.ts'

/** Path in the project → content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const boards = BOARDS.map(board => {
    const json = `${JSON.stringify(dashboardOf(board), null, 2)}\n`
    return [`grafana/dashboards/${board.name}.json`, json] as const
  })
  return new Map([
    ...boards,
    ['ops/alerts.yml', alertsText(ALERT_GROUPS)],
    ['ops/recording.yml', recordingsText(RECORDINGS)],
    ['ops/prometheus.yml', prometheusConfig(committedPlan(localCluster({})))],
  ])
}
