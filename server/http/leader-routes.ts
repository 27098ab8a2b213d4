// Taking the leadership from a replica by hand, as before its machine is taken away. It gives its
// lease up to the others, the nearest of whom asks for votes at once; nothing that was answered is
// lost, and requests under way are repeated inside.

import type { NodeStatus } from '../backend.ts'
import { problem } from './problem.ts'
import { jsonAnswer, type Route } from './route.ts'

export type LeaderRoutesOptions = {
  readonly status: () => NodeStatus
  readonly handOver: () => void
}

export function leaderRoutes({ status, handOver }: LeaderRoutesOptions): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/leader/step-down',
      role: 'admin',
      scope: 'node',
      mayChange: true,
      query: [],
      doc: {
        operationId: 'stepDown',
        summary: 'This replica gives its leadership to another one of its group',
        responses: {
          200: { description: 'It is given up; which ballot it led under' },
          409: { description: 'This replica does not lead; `leader` is the one that does' },
        },
      },
      handle: () => {
        const { role, leader, ballot, members } = status()
        if (role !== 'leader') {
          return problem('conflict', 'this replica does not lead', { members: { leader } })
        }
        if (members.length < 2) return problem('conflict', 'there is no other replica to lead')
        handOver()
        return jsonAnswer({ ballot })
      },
    },
  ]
}
