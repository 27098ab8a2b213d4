// What Prometheus is to scrape of the local cluster. It may run before, during and after the cluster.

import { join, resolve } from 'node:path'
import type { LocalCluster } from '../local.ts'
import type { ScrapePlan, ScrapeTarget } from './prometheus-config.ts'

/** In ops/, beside prometheus.yml. */
export const RULE_FILES = ['alerts.yml', 'recording.yml']
const INTERVAL_SECONDS = 5
/** Groups that the Procfile's cluster joins at its first start; others run as spares. */
const JOINING = new Set([0, 1, 2])

/** For the committed ops/prometheus.yml: paths are relative to that file. */
export function committedPlan(cluster: LocalCluster): ScrapePlan {
  const tokenFile = join('..', cluster.files.readerToken)
  return { ...planOf(cluster), cluster: 'local', tokenFile, ruleFiles: RULE_FILES }
}

/** For a running local cluster, wherever its ports and data are. */
export function runningPlan(cluster: LocalCluster, name: string, opsFolder: string): ScrapePlan {
  const tokenFile = resolve(cluster.files.readerToken)
  const ruleFiles = RULE_FILES.map(file => join(opsFolder, file))
  return { ...planOf(cluster), cluster: name, tokenFile, ruleFiles }
}

function planOf(
  cluster: LocalCluster,
): Pick<ScrapePlan, 'shardmasters' | 'others' | 'intervalSeconds'> {
  const spares = cluster.nodes
    .filter(({ gid }) => !JOINING.has(gid))
    .map(({ port, gid, replica }): ScrapeTarget => {
      return { address: `127.0.0.1:${port}`, role: 'shardkv', group: gid, replica }
    })
  const archive: ScrapeTarget = {
    address: `127.0.0.1:${cluster.ports.archive}`,
    role: 'archive',
    group: 0,
    replica: 0,
  }
  const others = [...spares, archive]
  return { shardmasters: cluster.shardmasters, others, intervalSeconds: INTERVAL_SECONDS }
}
