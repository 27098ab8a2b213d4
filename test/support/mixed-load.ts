// Requests of every kind to every node, until told to stop: what a dashboard is to show something of.

import type { Connections } from '../../server/client/connections.ts'

type Request = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: string
}

const PAUSE_MS = 5
const TIMEOUT_MS = 5_000

export class MixedLoad {
  answered = 0
  /** Answers that say that the request itself was wrong: there should be none. */
  readonly misunderstood: string[] = []
  private isStopping = false
  private readonly running: readonly Promise<void>[]
  private readonly connections: Connections
  private readonly urls: readonly string[]
  private readonly token: string

  constructor(
    connections: Connections,
    options: { readonly urls: readonly string[]; readonly token: string; readonly clients: number },
  ) {
    this.connections = connections
    this.urls = options.urls
    this.token = options.token
    this.running = Array.from({ length: options.clients }, (_, client) => this.run(client))
  }

  async stop(): Promise<void> {
    this.isStopping = true
    await Promise.all(this.running)
  }

  private async run(client: number): Promise<void> {
    for (let count = 0; !this.isStopping; count++) {
      const url = this.urls[(client + count) % this.urls.length] ?? ''
      await this.send(url, requestOf(client, count), `load${client}/${count * 8 + 1}`)
      await new Promise(done => setTimeout(done, PAUSE_MS))
    }
  }

  private async send(url: string, request: Request, number: string): Promise<void> {
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(request.method === 'GET' ? {} : { 'idempotency-key': number }),
      ...(request.path === '/v1/batch' ? { 'content-type': 'application/json' } : {}),
    }
    const answer = await this.connections.exchange(url, { ...request, headers }, LIMITS)
    if (answer.type !== 'answer') return
    this.answered++
    if (WRONG.includes(answer.status)) this.misunderstood.push(answer.body.toString())
  }
}

const WRONG = [400, 401, 403, 405, 409, 415, 422]
const LIMITS = { timeoutMs: TIMEOUT_MS }

function requestOf(client: number, count: number): Request {
  const key = `key-${client}-${count % 97}`
  switch (count % 8) {
    case 0:
      return { method: 'GET', path: `/v1/kv/${key}` }
    case 1:
      return { method: 'POST', path: `/v1/puthash/${key}`, body: 'x' }
    case 2:
      return { method: 'DELETE', path: `/v1/kv/${key}` }
    case 3:
      return { method: 'GET', path: `/v1/kv/${key}?consistency=stale` }
    case 4:
      return { method: 'POST', path: '/v1/batch', body: batchOf(key) }
    default:
      return { method: 'PUT', path: `/v1/kv/${key}`, body: `value ${count}` }
  }
}

/** One operation of each kind; batches use up as many numbers as they have operations. */
function batchOf(key: string): string {
  const ops = [
    { op: 'put', key: `${key}-batch`, value: 'a' },
    { op: 'get', key: `${key}-batch` },
    { op: 'puthash', key: `${key}-batch`, value: 'b' },
    { op: 'cas', key: `${key}-batch`, value: 'c', version: 1 },
    { op: 'delete', key: `${key}-batch` },
  ]
  return JSON.stringify({ ops })
}
