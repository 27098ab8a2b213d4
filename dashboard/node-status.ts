// What a node says of itself in `/v1/status`, checked. A part that is missing or odd becomes empty:
// a page about many nodes is not to fail for one of another version.

import { z } from 'zod'

const count = z.number().catch(0)
const known = z.number().nullable().catch(null)

const member = z.object({
  replica: z.number(),
  incarnation: z.string().catch(''),
  lagSlots: known,
  silentMicros: known,
})

const heldShard = z.object({
  shard: z.number(),
  phase: z.string(),
  config: count,
  /** awaited: where it comes from; leaving, releasing: where it goes. */
  peer: count,
  keys: count,
  bytes: count,
})

const transfer = z.object({
  shard: z.number(),
  config: count,
  to: count,
  keys: count,
  bytes: count,
  sentKeys: count,
  sentBytes: count,
})

const machine = z.object({
  config: known,
  shards: z.array(heldShard).catch([]),
  handoffs: z.array(transfer).catch([]),
  isSafeToStop: z.boolean().catch(false),
})

const status = z.object({
  kind: z.enum(['shardmaster', 'shardkv']),
  cluster: z.string(),
  version: z.string().catch(''),
  uptimeSeconds: count,
  storage: z.string().catch(''),
  gid: z.number(),
  replica: z.number(),
  incarnation: z.string().catch(''),
  role: z.string(),
  leader: known,
  ballot: z.string().catch(''),
  slots: z.object({ first: count, decided: count, applied: count, durable: count }),
  members: z.array(member).catch([]),
  isReady: z.boolean(),
  log: z.object({ entries: count, bytes: count, inFlight: count }),
  machine: machine.catch({ config: null, shards: [], handoffs: [], isSafeToStop: false }),
})

export type NodeStatus = z.infer<typeof status>
export type HeldShard = z.infer<typeof heldShard>
export type Transfer = z.infer<typeof transfer>

/** Null when it is not a node's status at all. */
export function decodeStatus(value: unknown): NodeStatus | null {
  const result = status.safeParse(value)
  return result.success ? result.data : null
}

/** One node as the dashboard last saw it. */
export type NodeView = {
  readonly url: string
  /** `kv1a`, or host and port where there is no name. */
  readonly name: string
  /** The last status that came, however old; null: none ever did. */
  readonly status: NodeStatus | null
  /** When that was, ms since 1970. */
  readonly seenAt: number | null
  /** Why there is no answer now; null: it answers. */
  readonly error: string | null
}

export function answers(node: NodeView): boolean {
  return node.error === null && node.status !== null
}
