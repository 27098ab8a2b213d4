// Takes in messages and passed-on requests that come as POSTs, and answers them.

import { DecodeError } from '../bytes.ts'
import type { Address, Message, Sender } from '../contract.ts'
import { REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { CallSchema } from './call-schema.ts'
import { decodeJson, encodeJson } from './frame.ts'
import { messageSchema } from './message-schema.ts'
import { countReceived, countSent, type PeerCounters } from './peer-counters.ts'
import { PeerExchanges } from './peer-exchange.ts'
import { checkPeer, type PeerHeaders, type PeerIdentity } from './peer-identity.ts'
import { POST_BODY_BYTES_MAX } from './peer-post.ts'
import { postedAnswerSchema } from './peer-posts.ts'

export type PostAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Empty with 204. */
  readonly body: string
}

export type ReceiverOptions<Request, Reply> = {
  readonly identity: PeerIdentity
  readonly schema: CallSchema<Request, Reply>
  readonly counters: PeerCounters
  onMessage(from: Sender, message: Message): void
  onCall(request: Request, done: (reply: Reply) => void, from: Sender): void
}

const NO_CONTENT: PostAnswer = { status: 204, headers: {}, body: '' }

const TITLES: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ['bad-request', 'The request is malformed'],
  401: ['unauthorized', 'The peer credential is missing or wrong'],
  403: ['forbidden', 'The sender belongs elsewhere'],
  404: ['not-found', 'There is nothing here'],
  409: ['conflict', 'Two replicas have one address'],
  413: ['too-large', 'The message is too large'],
  421: ['wrong-group', 'The message is for another replica'],
  503: ['overloaded', 'This replica is stopping'],
  504: ['timeout', 'No reply in time'],
}

/** An RFC 9457 problem. */
export function refusal(status: number, detail: string): PostAnswer {
  const [code, title] = TITLES[status] ?? ['bad-request', 'Refused']
  const outcome = status === 504 ? 'unknown' : 'not_applied'
  const problem = { type: `urn:shardglass:${code}`, title, status, detail, outcome }
  const headers = { 'content-type': 'application/problem+json' }
  return { status, headers, body: JSON.stringify(problem) }
}

export class PostReceiver<Request, Reply> {
  private readonly options: ReceiverOptions<Request, Reply>
  private readonly exchanges = new PeerExchanges()
  /** What ends the wait of each request under way. */
  private readonly requests = new Set<() => void>()
  private isClosed = false

  constructor(options: ReceiverOptions<Request, Reply>) {
    this.options = options
  }

  /** Whether the message is the answer to an open POST of that replica; it then goes there. */
  answer(to: Address, message: Message): boolean {
    return this.exchanges.answer(to, message)
  }

  async handle(type: string, headers: PeerHeaders, body: Uint8Array): Promise<PostAnswer> {
    const { identity, counters } = this.options
    const checked = checkPeer(identity, headers)
    if (checked.type === 'refused') {
      counters.failures.stranger += 1
      return refusal(checked.status, checked.detail)
    }
    if (this.isClosed) return refusal(503, 'stopping')
    if (body.length > POST_BODY_BYTES_MAX) {
      counters.failures.tooLarge += 1
      return refusal(413, `at most ${POST_BODY_BYTES_MAX} bytes`)
    }
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
    try {
      if (type === 'request') return await this.onRequest(checked.from, headers, text)
      return await this.onPosted(checked.from, type, text)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      counters.failures.invalid += 1
      return refusal(400, error.message)
    }
  }

  close(): void {
    this.isClosed = true
    this.exchanges.close()
    for (const giveUp of [...this.requests]) giveUp()
  }

  private async onPosted(from: Sender, type: string, text: string): Promise<PostAnswer> {
    const { identity, counters, onMessage } = this.options
    const message = decodeJson(messageSchema, text)
    if (message.type !== type) throw new DecodeError(`a ${message.type} posted as ${type}`)
    countReceived(counters, type, text.length)
    const answered = this.exchanges.wait(from, message.type)
    onMessage(from, message)
    const answer = await answered
    if (answer === null) return NO_CONTENT
    const body = encodeJson(postedAnswerSchema, { from: identity.self, message: answer })
    countSent(counters, answer.type, body.length)
    return json(body)
  }

  private async onRequest(from: Sender, headers: PeerHeaders, text: string): Promise<PostAnswer> {
    const { schema, counters, onCall } = this.options
    const request = decodeJson(schema.request, text)
    countReceived(counters, 'call', text.length)
    const timeoutMs = timeoutOf(headers['shardglass-timeout'])
    const reply = await new Promise<Reply | null>(resolve => {
      const finish = (value: Reply | null) => {
        clearTimeout(timer)
        this.requests.delete(giveUp)
        resolve(value)
      }
      const giveUp = () => finish(null)
      const timer = setTimeout(giveUp, timeoutMs)
      this.requests.add(giveUp)
      onCall(request, finish, from)
    })
    if (reply === null) return refusal(504, `no reply in ${timeoutMs} ms`)
    const body = encodeJson(schema.reply, reply)
    countSent(counters, 'callReply', body.length)
    return json(body)
  }
}

function json(body: string): PostAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

/** The caller's own deadline, if it names a shorter one. */
function timeoutOf(header: PeerHeaders[string]): number {
  const asked = typeof header === 'string' && /^[0-9]{1,6}$/.test(header) ? Number(header) : null
  return asked === null ? REQUEST_TIMEOUT_MS : Math.min(asked, 6 * REQUEST_TIMEOUT_MS)
}
