// The newest Paxos instances of a group, as its leader itself tells them: without the archive, and
// before it has them. Nodes that tell nothing are no fault.

import { z } from 'zod'
import {
  type ArchivedSpan,
  type InstanceLine,
  instanceAnswer,
  instanceLine,
} from '../ops/archive/answers.ts'
import type { Connections } from '../server/client/connections.ts'
import type { GroupView } from './groups.ts'
import { answers } from './node-status.ts'

const TIMEOUT_MS = 1_000
const listed = z.object({ instances: z.array(instanceLine) })

export type NodeAsker = { readonly connections: Connections; readonly token: string }

/** Newest first. */
export async function recentInstances(
  { connections, token }: NodeAsker,
  group: GroupView,
  limit: number,
): Promise<readonly InstanceLine[]> {
  const url = group.leader?.url
  if (url === undefined) return []
  const asked = { url, path: `/v1/instances?limit=${limit}`, token }
  return (await ask(connections, asked, listed))?.instances ?? []
}

/** The spans of one slot from every replica that led it of late. */
export async function instanceFromNodes(
  { connections, token }: NodeAsker,
  group: GroupView | undefined,
  slot: number,
): Promise<readonly ArchivedSpan[]> {
  const live = group?.replicas.filter(answers) ?? []
  const found = await Promise.all(
    live.map(({ url }) => {
      return ask(connections, { url, path: `/v1/instances/${slot}`, token }, instanceAnswer)
    }),
  )
  return found.flatMap(answer => answer?.spans ?? [])
}

/** Null: no answer, or one that is not understood. */
async function ask<T extends z.ZodType>(
  connections: Connections,
  { url, path, token }: { readonly url: string; readonly path: string; readonly token: string },
  schema: T,
): Promise<z.output<T> | null> {
  const headers = { authorization: `Bearer ${token}` }
  const request = { method: 'GET', path, headers } as const
  const answer = await connections.exchange(url, request, { timeoutMs: TIMEOUT_MS })
  if (answer.type !== 'answer' || answer.status !== 200) return null
  const result = schema.safeParse(parsed(answer.body))
  return result.success ? result.data : null
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null // judged as not understood
  }
}
