// Every alert rule, in the groups in which Prometheus evaluates them.

import type { Alert, AlertGroup } from './alert.ts'
import { QUORUM_ALERTS, REPLICA_ALERTS } from './alerts-groups.ts'
import { CLIENT_ALERTS, DISK_ALERTS, PROCESS_ALERTS } from './alerts-service.ts'
import { SHARD_ALERTS, TRACE_ALERTS } from './alerts-shards.ts'

export const ALERT_GROUPS: readonly AlertGroup[] = [
  { name: 'shardglass-quorum', alerts: QUORUM_ALERTS },
  { name: 'shardglass-replicas', alerts: REPLICA_ALERTS },
  { name: 'shardglass-clients', alerts: CLIENT_ALERTS },
  { name: 'shardglass-processes', alerts: PROCESS_ALERTS },
  { name: 'shardglass-disks', alerts: DISK_ALERTS },
  { name: 'shardglass-shards', alerts: SHARD_ALERTS },
  { name: 'shardglass-traces', alerts: TRACE_ALERTS },
]

export const ALERTS: readonly Alert[] = ALERT_GROUPS.flatMap(({ alerts }) => alerts)
