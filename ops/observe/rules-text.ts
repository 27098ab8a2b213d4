// The rule files of Prometheus: YAML whose strings are written as JSON strings, which YAML takes too,
// and whose expressions are blocks, so that they can be read and copied.

import { type Alert, type AlertGroup, anchorOf } from './alert.ts'
import type { Recording } from './recording-rules.ts'

const GENERATED = '# Made by `npm run grafana` from ops/observe; edit that, not this.\n'

/** Where the runbook is read: the cluster's own dashboard serves it. */
export const RUNBOOK_URL = 'http://127.0.0.1:4400/runbook'

export function alertsText(groups: readonly AlertGroup[]): string {
  const parts = groups.map(({ name, alerts }) => {
    const rules = alerts.map(alertText).join('')
    return `  - name: ${name}\n    rules:\n${rules}`
  })
  return `${GENERATED}groups:\n${parts.join('')}`
}

export function recordingsText(recordings: readonly Recording[]): string {
  const rules = recordings.map(({ record, expr, why }) =>
    [`      # ${why}`, `      - record: ${record}`, '        expr: |', block(expr), ''].join('\n'),
  )
  return `${GENERATED}groups:\n  - name: shardglass-recorded\n    rules:\n${rules.join('')}`
}

function alertText(alert: Alert): string {
  const [board, title] = alert.panel
  const annotations = {
    summary: alert.summary,
    description: alert.description,
    panel: `${board}: ${title}`,
    runbook_url: `${RUNBOOK_URL}#${anchorOf(alert.name)}`,
  }
  const lines = [
    `      - alert: ${alert.name}`,
    '        expr: |',
    block(alert.expr),
    `        for: ${alert.forSeconds}s`,
    '        labels:',
    `          severity: ${alert.severity}`,
    '        annotations:',
    ...Object.entries(annotations).map(
      ([name, text]) => `          ${name}: ${JSON.stringify(text)}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

function block(expr: string): string {
  return expr.replace(/^/gm, '          ')
}
