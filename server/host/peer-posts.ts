// Sends messages and passed-on requests as POSTs, and takes the answers out of the responses.

import type { Unreachable } from '../backend.ts'
import { DecodeError } from '../bytes.ts'
import type { Address, Message, Sender } from '../contract.ts'
import { CONFIG_POLL_TIMEOUT_MS, MESSAGE_BYTES_MAX, PEER_CONNECT_MS } from '../limits.ts'
import type { CallSchema } from './call-schema.ts'
import { monotonicMicros } from './clock.ts'
import { decodeJson, encodeJson } from './frame.ts'
import { messageSchema } from './message-schema.ts'
import { countReceived, countRoundTrip, countSent, type PeerCounters } from './peer-counters.ts'
import type { PeerTls } from './peer-dial.ts'
import { addressKey, type PeerIdentity, peerHeaders, senderSchema } from './peer-identity.ts'
import { createPostAgents, type PostAgents, PostLane, post, type WaitingPost } from './peer-post.ts'
import { object, type Schema } from './schema.ts'

/** The answer in a POST's response, and who gives it. */
export type PostedAnswer = { readonly from: Sender; readonly message: Message }

export const postedAnswerSchema: Schema<PostedAnswer> = object<PostedAnswer>({
  from: senderSchema,
  message: messageSchema,
})

export type PostsOptions<Request, Reply> = {
  readonly identity: PeerIdentity
  readonly tls: PeerTls | null
  readonly schema: CallSchema<Request, Reply>
  readonly counters: PeerCounters
  onMessage(from: Sender, message: Message): void
  onRoundTrip(peer: Address, micros: number): void
}

export class PeerPosts<Request, Reply> {
  private readonly options: PostsOptions<Request, Reply>
  private readonly agents: PostAgents
  /** Receiver → what waits for it. */
  private readonly lanes = new Map<number, PostLane>()
  private isClosed = false

  constructor(options: PostsOptions<Request, Reply>) {
    this.options = options
    this.agents = createPostAgents(options.tls)
  }

  /** The message as a post to any receiver; null when it is too large, which is counted. */
  encode(message: Message): WaitingPost | null {
    const body = encodeJson(messageSchema, message)
    const size = body.length
    if (size <= MESSAGE_BYTES_MAX) return { type: message.type, body, size }
    this.options.counters.failures.tooLarge += 1
    return null
  }

  send(to: Address, url: string, item: WaitingPost): void {
    if (this.isClosed) return
    const key = addressKey(to)
    const lane = this.lanes.get(key) ?? new PostLane()
    this.lanes.set(key, lane)
    const dropped = lane.send(item, next => this.run(to, url, next))
    this.options.counters.failures.queueFull += dropped.length
  }

  async call(
    target: Address | null,
    url: string,
    request: Request,
    timeoutMs: number,
  ): Promise<Reply | Unreachable> {
    const { identity, counters, schema } = this.options
    const body = encodeJson(schema.request, request)
    const headers = {
      ...peerHeaders(identity, target),
      'shardglass-timeout': String(Math.ceil(timeoutMs)),
    }
    countSent(counters, 'call', body.length)
    const posted = await post(this.agents, { url, path: '/peer/request', headers, body, timeoutMs })
    if (posted.type === 'failed') {
      counters.failures[posted.failure] += 1
      return { type: 'unreachable', isDefinite: posted.isDefinite }
    }
    if (posted.status === 200) {
      const reply = this.decode(schema.reply, posted.body)
      if (reply !== null) {
        countReceived(counters, 'callReply', posted.body.length)
        return reply
      }
    } else counters.failures.status += 1
    return { type: 'unreachable', isDefinite: false }
  }

  close(): void {
    this.isClosed = true
    for (const lane of this.lanes.values()) lane.queue.clear()
    this.agents.close()
  }

  /** One post from start to end. Never rejects. */
  private async run(to: Address, url: string, item: WaitingPost): Promise<void> {
    const { identity, counters } = this.options
    const startedAt = monotonicMicros()
    countSent(counters, item.type, item.size)
    const posted = await post(this.agents, {
      url,
      path: `/peer/${item.type}`,
      headers: peerHeaders(identity, to),
      body: item.body,
      timeoutMs: item.type === 'configPoll' ? CONFIG_POLL_TIMEOUT_MS : PEER_CONNECT_MS,
    })
    if (this.isClosed) return
    if (posted.type === 'failed') counters.failures[posted.failure] += 1
    else if (posted.status === 200) this.onAnswer(to, posted.body, monotonicMicros() - startedAt)
    else if (posted.status !== 204) counters.failures.status += 1
  }

  private onAnswer(to: Address, body: Buffer, micros: number): void {
    const { counters, onMessage, onRoundTrip } = this.options
    const answer = this.decode(postedAnswerSchema, body)
    if (answer === null) return
    if (addressKey(answer.from) !== addressKey(to)) {
      counters.failures.stranger += 1
      return
    }
    countReceived(counters, answer.message.type, body.length)
    if (answer.message.type !== 'configs') {
      countRoundTrip(counters, micros)
      onRoundTrip(to, micros)
    }
    onMessage(answer.from, answer.message)
  }

  private decode<T>(schema: Schema<T>, body: Buffer): T | null {
    try {
      return decodeJson(schema, body.toString('utf8'))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.options.counters.failures.invalid += 1
      return null
    }
  }
}
