// What a replica with a large state needs: memory of its own, and time to start.

import { Connections } from '../../server/client/connections.ts'
import { eventually } from '../chaos/command.ts'
import type { Member } from '../chaos/member.ts'
import { memoryOf } from './program.ts'
import type { Shardglass } from './shardglass.ts'

/** `startMs`: from the start of the process until it is ready, the median of a few. */
export type ReplicaFigures = { readonly anonymousBytes: number; readonly startMs: number }

const STARTS = 3
const READY_MS_MAX = 120_000
const LOOK_MS = 10

export async function lookAtReplica(system: Shardglass): Promise<ReplicaFigures> {
  const { replicas } = system
  const anonymousBytes = Math.max(...replicas.map(({ pid }) => memoryOf(pid).anonymous))
  const leader = await system.leader()
  const follower = replicas.find(member => member !== leader)
  if (follower === undefined) throw new Error('the group has no follower')
  const times: number[] = []
  for (let count = 0; count < STARTS; count++) times.push(await timeStart(follower))
  return { anonymousBytes, startMs: times.sort((a, b) => a - b)[Math.floor(STARTS / 2)] ?? 0 }
}

/** Killed, so that it has a log to read again. */
async function timeStart(member: Member): Promise<number> {
  await member.kill()
  const connections = new Connections({ perNode: 1 })
  const request = { method: 'GET', path: '/readyz', headers: {} } as const
  const startedAt = performance.now()
  member.start()
  try {
    const isReady = await eventually(
      async () => {
        const answer = await connections.exchange(member.url, request, { timeoutMs: 1_000 })
        return answer.type === 'answer' && answer.status === 200
      },
      READY_MS_MAX,
      LOOK_MS,
    )
    if (!isReady) throw new Error(`${member.name} is not ready: ${member.output.slice(-500)}`)
    return performance.now() - startedAt
  } finally {
    await connections.close()
  }
}
