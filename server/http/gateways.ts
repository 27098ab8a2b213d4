// The gateways of the two kinds of node: what each of their refusals means for the way of a request.

import { unreachable } from '../assert.ts'
import type { ShardkvRequest } from '../shardkv/operation.ts'
import type { ShardkvReply } from '../shardkv/reply.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../shardmaster/operation.ts'
import { createForwarder, type Gateway, type GatewayOptions, type Judgement } from './gateway.ts'

export type ShardkvGateway = Gateway<ShardkvRequest, ShardkvReply>
export type ShardmasterGateway = Gateway<ShardmasterRequest, ShardmasterReply>

const FINAL: Judgement = { type: 'final' }
const AGAIN: Judgement = { type: 'again', isDefinite: true }
const PERHAPS_RUN: Judgement = { type: 'again', isDefinite: false }

export function createGateway(
  options: GatewayOptions<ShardkvRequest, ShardkvReply>,
): ShardkvGateway {
  return createForwarder(options, {
    judge: judgeShardkvReply,
    mayChange: request => request.type === 'write',
  })
}

export function createShardmasterGateway(
  options: GatewayOptions<ShardmasterRequest, ShardmasterReply>,
): ShardmasterGateway {
  return createForwarder(options, {
    judge: judgeShardmasterReply,
    mayChange: request => request.type === 'change',
  })
}

function judgeShardkvReply(reply: ShardkvReply): Judgement {
  switch (reply.type) {
    case 'ok':
    case 'noSuchKey':
    case 'conditionFailed':
    case 'requestMismatch':
    case 'sessionExpired':
      return FINAL
    case 'notLeader':
      return { type: 'leader', leader: reply.leader }
    case 'wrongGroup': {
      const { config, gid, servers } = reply
      return servers.length === 0 ? AGAIN : { type: 'group', config, gid, servers }
    }
    case 'noGroup':
      return { type: 'nowhere', config: reply.config }
    case 'shardMoving':
    case 'overloaded':
      return AGAIN
    case 'unknown':
      return PERHAPS_RUN
    default:
      return unreachable(reply)
  }
}

function judgeShardmasterReply(reply: ShardmasterReply): Judgement {
  switch (reply.type) {
    case 'config':
    case 'history':
    case 'plan':
    case 'refused':
    case 'conditionFailed':
    case 'requestMismatch':
    case 'sessionExpired':
      return FINAL
    case 'notLeader':
      return { type: 'leader', leader: reply.leader }
    case 'overloaded':
      return AGAIN
    case 'unknown':
      return PERHAPS_RUN
    default:
      return unreachable(reply)
  }
}
