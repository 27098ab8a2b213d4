// A new group joins by itself. Every replica asks, with one request number for all, so the change is
// made once; a group that is in the configuration already, or ever left it, is left alone.

import { shardmasterCalls } from '../server/host/call-schema.ts'
import { createTransport } from '../server/host/transport.ts'
import type { GroupReply } from '../server/machine.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../server/shardmaster/operation.ts'
import type { Log } from './log.ts'
import type { ShardkvOptions } from './options.ts'

export type AutoJoinOptions = {
  readonly options: ShardkvOptions
  readonly incarnation: string
  readonly peerToken: string
  readonly log: Log
}

const RETRY_MS = 500
const ATTEMPT_MS = 2_000

/** Asks until it is answered for good. */
export function startAutoJoin(join: AutoJoinOptions): { stop(): void } {
  const { gid, replica, cluster, shardmasters, peers, name } = join.options
  const transport = createTransport<ShardmasterRequest, ShardmasterReply | GroupReply>({
    self: { gid, replica, incarnation: join.incarnation },
    cluster,
    peerToken: join.peerToken,
    mode: 'post',
    calls: shardmasterCalls,
    resolve: address => shardmasters[address.replica] ?? null,
    onMessage: () => undefined, // it only asks
    onCall: () => undefined,
  })
  const request: ShardmasterRequest = {
    type: 'change',
    change: { op: 'join', gid, servers: peers },
    actor: `group-${gid}`,
    reason: 'first start',
    ifConfig: null,
    session: { client: `auto-join-${gid}`, number: 1, acked: 0 },
  }
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  const stop = (): void => {
    isStopped = true
    if (timer !== null) clearTimeout(timer)
    transport.close()
  }
  const ask = async (master: number): Promise<void> => {
    const reply = await transport.call({ gid: 0, replica: master }, request, ATTEMPT_MS)
    if (isStopped) return
    const outcome = outcomeOf(reply)
    if (outcome !== null) {
      join.log('info', outcome, { gid, name })
      stop()
      return
    }
    const next = (master + 1) % shardmasters.length
    timer = setTimeout(() => void ask(next), next === 0 ? RETRY_MS : 0)
  }
  void ask(replica % shardmasters.length)
  return { stop }
}

/** Null while another attempt is due. */
function outcomeOf(reply: { readonly type: string; readonly [field: string]: unknown }) {
  switch (reply.type) {
    case 'config':
      return reply.isNew === true ? 'joined' : 'is in the configuration'
    case 'refused':
      return `does not join by itself: ${String(reply.detail)}`
    case 'sessionExpired':
      return 'joined long ago'
    case 'requestMismatch':
      return 'does not join by itself: it joined with other addresses'
    default:
      return null
  }
}
