// The newest Paxos instances of a group, as its leader itself tells them: without the archive, and
// before it has them. Nodes that tell nothing are no fault.

import { z } from 'zod'
import type { Connections } from '../server/client/connections.ts'
import type { GroupView } from './groups.ts'

export type InstanceRow = {
  readonly gid: number
  readonly slot: number
  /** µs since 1970. */
  readonly startMicros: number
  readonly decidedMicros: number | null
  readonly appliedMicros: number | null
  readonly node: string
  readonly origin: string | null
  readonly outcome: string | null
  readonly commands: number | null
  readonly bytes: number | null
  /** Replica ids in order of arrival. */
  readonly acceptors: readonly number[]
}

const TIMEOUT_MS = 1_000

/** Newest first. */
export async function recentInstances(
  connections: Connections,
  group: GroupView,
  token: string,
  limit = 15,
): Promise<readonly InstanceRow[]> {
  const url = group.leader?.url
  if (url === undefined) return []
  const headers = { authorization: `Bearer ${token}` }
  const request = { method: 'GET', path: `/v1/instances?limit=${limit}`, headers } as const
  const answer = await connections.exchange(url, request, { timeoutMs: TIMEOUT_MS })
  if (answer.type !== 'answer' || answer.status !== 200) return []
  return rowsOf(answer.body, group).slice(0, limit)
}

const known = z.number().nullable().catch(null)
const text = z.string().nullable().catch(null)
const row = z.object({
  slot: z.number(),
  startMicros: z.number().catch(0),
  decidedMicros: known,
  appliedMicros: known,
  origin: text,
  outcome: text,
  commands: known,
  bytes: known,
  acceptors: z
    .array(z.object({ acceptor: z.number() }).transform(({ acceptor }) => acceptor))
    .catch([]),
})
const rows = z.object({ instances: z.array(row) })

function rowsOf(body: Buffer, group: GroupView): readonly InstanceRow[] {
  try {
    const node = group.leader?.name ?? ''
    const { instances } = rows.parse(JSON.parse(body.toString('utf8')))
    return instances
      .map(found => ({ ...found, gid: group.gid, node }))
      .sort((one, other) => other.slot - one.slot)
  } catch {
    return [] // told in a form that is not known here
  }
}
