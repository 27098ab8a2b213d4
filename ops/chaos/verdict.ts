// What must hold when all is mended: everything is served again, handoffs end, every key reads the
// same everywhere, and the whole history could be that of a single copy.

import { Connections } from '../../server/client/connections.ts'
import { singleRequest } from '../../server/client/operation.ts'
import { haveAdopted, progressOf } from '../cluster-view.ts'
import { checkHistory, type Verdict } from '../history/checker.ts'
import type { Operation } from '../history/history.ts'
import { Random } from '../history/random.ts'
import { ChaosViolation } from './arena.ts'
import type { ChaosCluster } from './cluster.ts'
import { eventually } from './command.ts'
import { HttpWay, RecordedClient } from './recorder.ts'

const SETTLE_MS_MAX = 60_000
const COMPARE_MS_MAX = 20_000
const READ_MS_MAX = 20_000

/** Waits until all nodes are ready, know the newest configuration, and no shard is on its way. */
export async function settle(cluster: ChaosCluster): Promise<void> {
  const { num, groups } = await cluster.shardmasters(SETTLE_MS_MAX).query()
  const groupMembers = cluster.members.filter(({ gid }) => gid > 0)
  const gids = [...new Set([...Object.keys(groups).map(Number), ...groupMembers.map(m => m.gid)])]
  let last = ''
  const isSettled = await eventually(async () => {
    const views = await cluster.views()
    const kv = views.filter(({ status }) => status?.kind === 'shardkv')
    last = JSON.stringify(views.map(({ url, status, error }) => ({ url, error, ...brief(status) })))
    if (!views.every(({ status }) => status?.isReady === true)) return false
    if (!haveAdopted(kv, num)) return false
    return progressOf(kv, gids)?.moving === 0
  }, SETTLE_MS_MAX)
  if (!isSettled) throw new ChaosViolation(`not settled after ${SETTLE_MS_MAX} ms: ${last}`)
}

function brief(status: Readonly<Record<string, unknown>> | null) {
  if (status === null) return {}
  const { isReady, role, leader, ballot, slots, machine } = status
  const phases = (machine as { phases?: unknown; config?: unknown } | undefined) ?? {}
  return { isReady, role, leader, ballot, slots, config: phases.config, phases: phases.phases }
}

/** Reads every key once more, at nodes by chance, into the history. */
export async function readBack(
  cluster: ChaosCluster,
  keys: readonly string[],
  history: Operation[],
): Promise<void> {
  const urls = cluster.members.filter(({ gid }) => gid > 0).map(({ url }) => url)
  const random = new Random(keys.length, 'read back')
  const limits = { attemptMs: 2_000, timeoutMs: READ_MS_MAX }
  const { token } = cluster
  const way = new HttpWay({ id: 'read-back', token, nodes: () => urls, random, ...limits })
  const client = new RecordedClient('end', way, history)
  try {
    for (const key of keys) {
      if (!(await client.run(key, { op: 'get' }))) {
        throw new ChaosViolation(`${key} cannot be read at the end`)
      }
    }
  } finally {
    await way.close()
  }
}

/** Every replica of the owning group holds the same value and version of each key. */
export async function compareReplicas(
  cluster: ChaosCluster,
  keys: readonly string[],
): Promise<void> {
  const connections = new Connections({ perNode: 2 })
  try {
    for (const key of keys) {
      let seen: readonly string[] = []
      const isEqual = await eventually(async () => {
        seen = await copiesOf(cluster, connections, key)
        return seen.length >= 3 && new Set(seen).size === 1
      }, COMPARE_MS_MAX)
      if (!isEqual) throw new ChaosViolation(`replicas differ at ${key}: ${seen.join(' | ')}`)
    }
  } finally {
    await connections.close()
  }
}

/** What each replica of the group that serves the key has of it; others refuse and are left out. */
async function copiesOf(
  cluster: ChaosCluster,
  connections: Connections,
  key: string,
): Promise<readonly string[]> {
  const request = singleRequest({ op: 'get', key, consistency: 'stale' })
  const headers = { authorization: `Bearer ${cluster.token}`, 'shardglass-direct': '1' }
  const members = cluster.members.filter(({ gid }) => gid > 0)
  const copies = await Promise.all(
    members.map(async ({ url }) => {
      const answer = await connections.exchange(url, { ...request, headers }, { timeoutMs: 2_000 })
      if (answer.type === 'failed' || answer.status === 421) return null
      if (answer.status !== 200 && answer.status !== 404) return null
      return answer.status === 404 ? 'absent' : `${answer.headers.etag} ${answer.body}`
    }),
  )
  return copies.filter(copy => copy !== null)
}

/** Undecided is as bad as illegal. */
export function judgeHistory(history: readonly Operation[]): Verdict {
  return checkHistory(history)
}
