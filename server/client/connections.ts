// HTTP exchanges over kept connections, one pool per node. A failure says whether the request can
// have reached the other side: undici tells when it hands a request to a socket, and what fails
// before that (a refused or slow connect, a full queue) certainly had no effect.

import { Pool } from 'undici'

/** A dead node is noticed by its deadline, not by TCP: peers may vanish without a word. */
const CONNECT_TIMEOUT_MS = 1_000
const KEEP_ALIVE_MS = 30_000

export type Exchange = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Path and query, already percent-encoded; sent as it is. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export type Answer =
  | {
      readonly type: 'answer'
      readonly status: number
      readonly headers: Readonly<Record<string, string | string[] | undefined>>
      readonly body: Buffer
    }
  | {
      readonly type: 'failed'
      /** It certainly never left this process. */
      readonly isDefinite: boolean
      readonly reason: 'timeout' | 'aborted' | 'unreachable'
      readonly cause: Error
    }

const CLOSED: Answer = {
  type: 'failed',
  isDefinite: true,
  reason: 'aborted',
  cause: new Error('the client was closed'),
}

export type ExchangeLimits = { readonly timeoutMs: number; readonly signal?: AbortSignal }

/** Pools of connections by origin. */
export class Connections {
  private readonly pools = new Map<string, Pool>()
  private readonly perNode: number
  private isClosed = false

  constructor(options: { perNode: number }) {
    this.perNode = options.perNode
  }

  /** Never rejects; resolves once, at `timeoutMs` at the latest. */
  exchange(base: string, request: Exchange, limits: ExchangeLimits): Promise<Answer> {
    if (this.isClosed) return Promise.resolve(CLOSED)
    const pool = this.pool(base)
    const path = pathPrefix(base) + request.path
    return new Promise(resolve => dispatch(pool, { ...request, path }, limits, resolve))
  }

  /** The pool behind a base URL, for answers that are read as a stream. */
  pool(base: string): Pool {
    const origin = new URL(base).origin
    const known = this.pools.get(origin)
    if (known !== undefined) return known
    const pool = new Pool(origin, {
      connections: this.perNode,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: 0, // each exchange has its own, exact deadline
      bodyTimeout: 0,
    })
    this.pools.set(origin, pool)
    return pool
  }

  /** Ends all connections; exchanges under way fail. */
  async close(): Promise<void> {
    this.isClosed = true
    const pools = [...this.pools.values()]
    this.pools.clear()
    await Promise.all(pools.map(pool => pool.destroy()))
  }
}

/** A base URL may have a path (a proxy in front); most have none. */
export function pathPrefix(base: string): string {
  const { pathname } = new URL(base)
  return pathname === '/' ? '' : pathname.replace(/\/+$/, '')
}

type Head = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

function dispatch(
  pool: Pool,
  request: Exchange,
  limits: ExchangeLimits,
  resolve: (answer: Answer) => void,
): void {
  let abort: ((reason: Error) => void) | null = null
  let isDone = false
  let head: Head = { status: 0, headers: {} }
  const chunks: Buffer[] = []
  const finish = (answer: Answer): void => {
    isDone = true
    clearTimeout(timer)
    limits.signal?.removeEventListener('abort', onAbort)
    resolve(answer)
  }
  // Before the request is on a socket there is nothing to abort: it is then refused when it starts.
  const fail = (reason: 'timeout' | 'aborted' | 'unreachable', cause: Error): void => {
    if (isDone) return
    finish({ type: 'failed', isDefinite: abort === null, reason, cause })
    abort?.(cause)
  }
  const onAbort = (): void => fail('aborted', new Error('aborted by the caller'))
  const timer = setTimeout(() => fail('timeout', new Error('no answer in time')), limits.timeoutMs)
  limits.signal?.addEventListener('abort', onAbort, { once: true })
  const { method, path, headers, body = null } = request
  pool.dispatch(
    { method, path, headers, body },
    {
      onRequestStart(controller) {
        if (isDone) controller.abort(new Error('given up before it was sent'))
        else abort = reason => controller.abort(reason)
      },
      onResponseStart(_controller, status, received) {
        head = { status, headers: received }
      },
      onResponseData: (_controller, chunk) => void chunks.push(chunk),
      onResponseEnd() {
        if (!isDone) finish({ type: 'answer', ...head, body: joined(chunks) })
      },
      onResponseError: (_controller, error) => fail('unreachable', error),
    },
  )
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
}
