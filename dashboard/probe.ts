// One node asked directly, as before a group is let in.

import type { Connections } from '../server/client/connections.ts'
import { decodeStatus, type NodeStatus } from './node-status.ts'

const TIMEOUT_MS = 1_500

/** Null: no answer that is understood. */
export async function probe(
  connections: Connections,
  url: string,
  token: string,
): Promise<NodeStatus | null> {
  const headers = { authorization: `Bearer ${token}` }
  const request = { method: 'GET', path: '/v1/status', headers } as const
  const answer = await connections.exchange(url, request, { timeoutMs: TIMEOUT_MS })
  if (answer.type !== 'answer' || answer.status !== 200) return null
  try {
    return decodeStatus(JSON.parse(answer.body.toString('utf8')))
  } catch {
    return null // not JSON: not a node
  }
}
