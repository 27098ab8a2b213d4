// Prometheus's configuration for a cluster: nodes of the groups in the configuration are found by
// asking a shardmaster (they come and go with joins and leaves), the rest is named.
// cluster, role, group and replica are labels of the target: one process is one replica of one group.

export type ScrapePlan = {
  /** A name of this cluster among others; every series gets it as label. */
  readonly cluster: string
  /** Base URLs; each is asked for targets, and the first that answers is enough. */
  readonly shardmasters: readonly string[]
  /** Nodes that no configuration may name: a spare group, the archive. */
  readonly others: readonly ScrapeTarget[]
  /** A token of the reader role. */
  readonly tokenFile: string
  readonly ruleFiles: readonly string[]
  readonly intervalSeconds: number
}

export type ScrapeTarget = {
  /** host:port */
  readonly address: string
  readonly role: 'shardmaster' | 'shardkv' | 'archive'
  readonly group: number
  readonly replica: number
}

export function prometheusConfig(plan: ScrapePlan): string {
  const { ruleFiles, intervalSeconds: seconds } = plan
  return `# Made by \`npm run grafana\` from ops/observe; edit that, not this.
global:
  scrape_interval: ${seconds}s
  scrape_timeout: ${Math.min(seconds, 5)}s
  evaluation_interval: ${seconds}s
rule_files:
${ruleFiles.map(file => `  - ${file}\n`).join('')}scrape_configs:
  # One job: a target that is found in several ways is scraped once, since its labels are the same.
  - job_name: shardglass
${authorization(plan, '    ')}    # Shardmasters, and the groups of the newest configuration, as any shardmaster lists them.
    http_sd_configs:
${plan.shardmasters.map(url => discovery(url, plan)).join('')}    # What no configuration names: a group that runs as a spare, and the archive of traces.
    static_configs:
${plan.others.map(target).join('')}    # One name for the cluster, however a target was found.
    relabel_configs:
      - target_label: cluster
        replacement: ${plan.cluster}
`
}

function discovery(url: string, plan: ScrapePlan): string {
  return `      - url: ${url}/v1/targets
        refresh_interval: ${Math.max(1, plan.intervalSeconds)}s
${authorization(plan, '        ')}`
}

/** The type is named, since discovery of Prometheus 2.42 sends none otherwise. */
function authorization({ tokenFile }: ScrapePlan, indent: string): string {
  const lines = ['authorization:', '  type: Bearer', `  credentials_file: ${tokenFile}`]
  return lines.map(line => `${indent}${line}\n`).join('')
}

function target({ address, role, group, replica }: ScrapeTarget): string {
  return `      - targets: ['${address}']
        labels: { role: ${role}, group: '${group}', replica: '${replica}' }
`
}
