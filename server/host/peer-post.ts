// Messages as single HTTP requests: `POST {url}/peer/{type}` with JSON. Slower than a channel, and
// such that each request and each reply can be lost or watched by itself, or sent by a person.

import { Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import {
  MESSAGE_BYTES_MAX,
  PEER_POSTS_MAX,
  PEER_QUEUE_BYTES_MAX,
  PEER_QUEUE_FRAMES_MAX,
} from '../limits.ts'
import type { PeerFailure } from './peer-counters.ts'
import { type PeerTls, parseUrl, requestFor } from './peer-dial.ts'
import { PeerQueue } from './peer-queue.ts'

/** The longest body: bytes in base64, and room for the rest. */
export const POST_BODY_BYTES_MAX = Math.ceil((MESSAGE_BYTES_MAX * 4) / 3) + 64 * 1024

export type PostAgents = { readonly http: HttpAgent; readonly https: HttpsAgent; close(): void }

export function createPostAgents(tls: PeerTls | null): PostAgents {
  const bounds = { keepAlive: true, maxSockets: 2 * PEER_POSTS_MAX, maxFreeSockets: 8 }
  const http = new HttpAgent(bounds)
  const https = new HttpsAgent({ ...bounds, ...tls })
  return {
    http,
    https,
    close() {
      http.destroy()
      https.destroy()
    },
  }
}

export type Post = {
  readonly url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
}

export type Posted =
  | { readonly type: 'answer'; readonly status: number; readonly body: Buffer }
  /** `isDefinite`: it never left this process. */
  | { readonly type: 'failed'; readonly failure: PeerFailure; readonly isDefinite: boolean }

/** Never rejects. */
export function post(agents: PostAgents, options: Post): Promise<Posted> {
  const target = parseUrl(options.url, options.path)
  if (target === null) {
    return Promise.resolve({ type: 'failed', failure: 'refused', isDefinite: true })
  }
  const agent = target.protocol === 'https:' ? agents.https : agents.http
  const body = Buffer.from(options.body, 'utf8')
  const headers = {
    ...options.headers,
    'content-type': 'application/json',
    'content-length': String(body.length),
  }
  return new Promise(resolve => {
    let hasLeft = false
    const request = requestFor(target)(target, { method: 'POST', agent, headers })
    const finish = (posted: Posted) => {
      clearTimeout(deadline)
      resolve(posted)
    }
    const fail = (failure: PeerFailure) => {
      finish({ type: 'failed', failure, isDefinite: !hasLeft })
      request.destroy()
    }
    const deadline = setTimeout(() => fail('timeout'), options.timeoutMs)
    request.on('socket', socket => {
      const leaves = () => {
        hasLeft = true
      }
      if (socket.connecting) socket.once('connect', leaves)
      else leaves()
    })
    request.on('error', () => fail(hasLeft ? 'reset' : 'refused'))
    request.on('response', response => collect(response, finish, fail))
    request.end(body)
  })
}

function collect(
  response: IncomingMessage,
  finish: (posted: Posted) => void,
  fail: (failure: PeerFailure) => void,
): void {
  const chunks: Buffer[] = []
  let length = 0
  response.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > POST_BODY_BYTES_MAX) fail('tooLarge')
    else chunks.push(chunk)
  })
  response.on('error', () => fail('reset'))
  response.on('end', () => {
    const status = response.statusCode ?? 0
    finish({ type: 'answer', status, body: Buffer.concat(chunks) })
  })
}

/** A message that waits for its POST. */
export type WaitingPost = { readonly type: string; readonly body: string; readonly size: number }

/** The posts to one peer: a bounded number under way, the rest in a bounded queue. */
export class PostLane {
  readonly queue = new PeerQueue<WaitingPost>({
    bytesMax: PEER_QUEUE_BYTES_MAX,
    countMax: PEER_QUEUE_FRAMES_MAX,
  })
  private underWay = 0

  /** `run` sends one and resolves when it is over. Gives what had to make room. */
  send(item: WaitingPost, run: (item: WaitingPost) => Promise<void>): readonly WaitingPost[] {
    const dropped = this.queue.push(item)
    this.next(run)
    return dropped
  }

  private next(run: (item: WaitingPost) => Promise<void>): void {
    while (this.underWay < PEER_POSTS_MAX) {
      const item = this.queue.shift()
      if (item === undefined) return
      this.underWay += 1
      void run(item).finally(() => {
        this.underWay -= 1
        this.next(run)
      })
    }
  }
}
