// A client with big values, so that disks fill. It wants no answers.

import { Connections } from '../../server/client/connections.ts'
import { singleRequest } from '../../server/client/operation.ts'
import type { ChaosCluster } from './cluster.ts'
import { pause } from './command.ts'

const VALUE_BYTES = 128 * 1024
const KEYS = 40
const PAUSE_MS = 60

export async function keepBallast(cluster: ChaosCluster, isOver: () => boolean): Promise<void> {
  const connections = new Connections({ perNode: 2 })
  const urls = cluster.members.filter(({ gid }) => gid > 0).map(({ url }) => url)
  const headers = { authorization: `Bearer ${cluster.token}` }
  for (let turn = 0; !isOver(); turn++) {
    const value = Buffer.alloc(VALUE_BYTES, turn)
    const request = singleRequest({ op: 'put', key: `ballast-${turn % KEYS}`, value })
    const base = urls[turn % urls.length] ?? ''
    const whole = { ...request, headers: { ...request.headers, ...headers } }
    void connections.exchange(base, whole, { timeoutMs: 2_000 })
    await pause(PAUSE_MS)
  }
  await connections.close()
}
