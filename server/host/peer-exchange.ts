// POSTs that came in and wait for what the core says to their sender: the first message of a type
// that can answer goes into the POST's response. Without one in time the response is empty.

import type { Address, Message } from '../contract.ts'
import { CONFIG_POLL_MS, PEER_POST_ANSWER_MS } from '../limits.ts'
import { type MessageType, REPLY_TYPES } from './message-schema.ts'
import { addressKey } from './peer-identity.ts'

type Exchange = {
  readonly replyTypes: readonly MessageType[]
  readonly resolve: (answer: Message | null) => void
  readonly timer: NodeJS.Timeout
}

export class PeerExchanges {
  /** Sender → its open POSTs, oldest first. */
  private readonly open = new Map<number, Exchange[]>()

  /** Resolves to the answer, or to null where none is due or none came in time. */
  wait(from: Address, type: MessageType): Promise<Message | null> {
    const replyTypes = REPLY_TYPES[type]
    if (replyTypes === undefined) return Promise.resolve(null)
    const key = addressKey(from)
    const timeoutMs =
      type === 'configPoll' ? CONFIG_POLL_MS + PEER_POST_ANSWER_MS : PEER_POST_ANSWER_MS
    return new Promise(resolve => {
      const timer = setTimeout(() => this.settle(key, exchange, null), timeoutMs)
      const exchange: Exchange = { replyTypes, resolve, timer }
      const waiting = this.open.get(key)
      if (waiting === undefined) this.open.set(key, [exchange])
      else waiting.push(exchange)
    })
  }

  /** Whether a POST of that replica was waiting for this message; it has then been sent. */
  answer(to: Address, message: Message): boolean {
    if (this.open.size === 0) return false
    const key = addressKey(to)
    // The newest: of older polls the sender may have given up waiting for the answer.
    const found = this.open
      .get(key)
      ?.findLast(exchange => exchange.replyTypes.includes(message.type))
    if (found === undefined) return false
    this.settle(key, found, message)
    return true
  }

  close(): void {
    for (const [key, waiting] of [...this.open]) {
      for (const exchange of [...waiting]) this.settle(key, exchange, null)
    }
  }

  private settle(key: number, exchange: Exchange, answer: Message | null): void {
    clearTimeout(exchange.timer)
    const left = (this.open.get(key) ?? []).filter(other => other !== exchange)
    if (left.length === 0) this.open.delete(key)
    else this.open.set(key, left)
    exchange.resolve(answer)
  }
}
