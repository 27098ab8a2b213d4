// What an alert is. Its entry in ops/RUNBOOK.md has its name as heading.

export type Severity = 'critical' | 'warning' | 'info'

export type Alert = {
  readonly name: `Shardglass${string}`
  /** Fires when it has a result for so long. */
  readonly expr: string
  readonly forSeconds: number
  readonly severity: Severity
  /** One line, with what it is about. */
  readonly summary: string
  /** What it means for clients, and what is known. */
  readonly description: string
  /** Dashboard and title of the panel that shows it. */
  readonly panel: readonly [board: string, title: string]
}

export type AlertGroup = { readonly name: string; readonly alerts: readonly Alert[] }

/** The heading's anchor in the runbook. */
export function anchorOf(alert: string): string {
  return alert.toLowerCase()
}
