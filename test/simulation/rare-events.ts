// Watches for what a collection of runs must have met at least sometimes: the rare turns on which
// systems of this kind have failed. Also holds answers against each other: one request, one answer
// (I7), from whatever group.

import type { Address, Event, Message } from '../../server/contract.ts'
import type { GroupReply } from '../../server/machine.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import type { AnyNode } from './node.ts'
import { Violation, type World } from './world.ts'

type Answer = { readonly text: string; readonly gid: number; readonly replica: number }
type Giver = { readonly node: AnyNode; readonly life: number }

export class RareEvents {
  private readonly world: World
  /** client and number → the first answer. */
  private readonly answers = new Map<string, Answer>()
  /** config and shard → who sent its parts last. */
  private readonly givers = new Map<string, Giver>()
  /** config and shard → who took its parts last. */
  private readonly takers = new Map<string, AnyNode>()

  constructor(world: World) {
    this.world = world
  }

  /** I7: whoever answers a write, and however often, it is the same answer. */
  onReply(
    { gid, replica }: Address,
    request: ShardkvRequest,
    reply: ShardkvReply | GroupReply,
  ): void {
    if (request.type !== 'write') return
    if (!('slot' in reply)) return
    const { client, number } = request.session
    const version = 'version' in reply ? reply.version : 0
    const value = reply.type === 'ok' ? Buffer.from(reply.value).toString('latin1') : ''
    const text = `${reply.type} ${version} ${reply.slot} ${value}`
    const key = `${client}/${number}`
    const known = this.answers.get(key)
    if (known === undefined) {
      this.answers.set(key, { text, gid, replica })
      return
    }
    if (known.text !== text) {
      throw new Violation(`I7: request ${key} has one answer: ${known.text} and not ${text}`)
    }
    if (known.gid !== gid) this.world.count('session: answered again after a move')
    else if (known.replica !== replica) this.world.count('session: answered again by a new leader')
    else this.world.count('session: answered again')
  }

  onSend(node: AnyNode, message: Message): void {
    if (message.type === 'receiveShard') this.onGiven(node, message.config, message.shard)
  }

  private onGiven(node: AnyNode, config: number, shard: number): void {
    const key = `${config} ${shard}`
    const before = this.givers.get(key)
    this.givers.set(key, { node, life: node.starts })
    if (before === undefined) return
    const isDead = before.node.starts !== before.life || !before.node.isUp
    if (isDead) this.world.count('handoff: goes on after its giver crashed')
    else if (before.node !== node) this.world.count('handoff: goes on under another leader')
  }

  onEvent(node: AnyNode, event: Event): void {
    const { world } = this
    switch (event.type) {
      case 'caughtUp': {
        const behind = event.to - event.from + 1
        if (event.source === 'snapshot' && behind <= 2) world.count('snapshot: one or two behind')
        if (event.source === 'snapshot' && node.isStranger) world.count('stranger: caught up')
        return
      }
      case 'electionWon':
        if (event.inherited > 1) world.count('election: several inherited values')
        if (event.noops > 0) world.count('election: gaps filled')
        return
      case 'handoffChunk': {
        if (event.direction !== 'in') return
        const key = `${event.config} ${event.shard}`
        const before = this.takers.get(key)
        this.takers.set(key, node)
        if (before === node) world.count('handoff: in several parts')
        return
      }
      case 'readsConfirmed':
        world.count(`reads: by ${event.path}`)
        return
      case 'sessionsRetired':
        world.count('session: retired', event.count)
        return
      default:
        return
    }
  }

  onStrangerTold(message: Message): void {
    if (message.type === 'prepare') this.world.count('stranger: asked for a promise')
    if (message.type === 'accept') this.world.count('stranger: asked to accept')
  }
}
