// A plan as the shardmasters' JSON carries it, checked.

import { z } from 'zod'
import type { PlanView } from '../server/client/clerk.ts'

const size = z.number().nullable().catch(null)

const plan = z.object({
  base: z.number(),
  moves: z
    .array(
      z.object({ shard: z.number(), from: z.number(), to: z.number(), keys: size, bytes: size }),
    )
    .catch([]),
  groups: z.array(z.object({ gid: z.number(), before: z.number(), after: z.number() })).catch([]),
  movesMin: z.number().catch(0),
  warnings: z.array(z.string()).catch([]),
})

export type PlanDetail = z.infer<typeof plan>

export function planOf(view: PlanView): PlanDetail {
  return plan.parse(view)
}
