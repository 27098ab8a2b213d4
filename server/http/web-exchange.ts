// The exchange on a web Request and Response, for an app that is called without a server.

import type { Answer, EventStream, Exchange, ExchangeShared } from './exchange.ts'
import { isEventStream } from './exchange.ts'
import { type Problem, problem } from './problem.ts'
import type { Passing, RequestOp } from './traffic.ts'

export class WebExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly remoteAddress = ''
  readonly connection = null
  /** Resolves to the answer. */
  readonly response: Promise<Response>
  private readonly request: Request
  private readonly shared: ExchangeShared
  private passing: Passing | null = null
  private resolve: (response: Response) => void = () => {}

  constructor(request: Request, shared: ExchangeShared) {
    const url = new URL(request.url)
    this.request = request
    this.shared = shared
    this.method = request.method
    this.target = url.pathname + url.search
    this.response = new Promise(resolve => {
      this.resolve = resolve
    })
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined
  }

  begin(op: RequestOp): void {
    this.passing = this.shared.traffic.begin(op)
  }

  readBody(bytesMax: number, done: (body: Buffer | Problem) => void): void {
    const read = this.request.arrayBuffer()
    read.then(
      bytes => {
        const isOver = bytes.byteLength > bytesMax
        done(
          isOver ? problem('too-large', `the body exceeds ${bytesMax} bytes`) : Buffer.from(bytes),
        )
      },
      () => done(problem('bad-request', 'the body cannot be read')),
    )
  }

  answer(answer: Answer): void {
    if (this.passing !== null) this.shared.traffic.end(this.passing, answer, { in: 0, out: 0 })
    this.passing = null
    const headers = new Headers()
    for (let index = 0; index + 1 < answer.headers.length; index += 2) {
      headers.append(answer.headers[index] ?? '', answer.headers[index + 1] ?? '')
    }
    const { status, body } = answer
    const isEmpty = body === null || this.method === 'HEAD'
    if (isEmpty) return this.resolve(new Response(null, { status, headers }))
    if (isEventStream(body)) {
      return this.resolve(new Response(this.streamed(body), { status, headers }))
    }
    this.resolve(
      new Response(typeof body === 'string' ? body : Buffer.from(body), { status, headers }),
    )
  }

  private streamed(stream: EventStream): ReadableStream<Uint8Array> {
    const control = new AbortController()
    if (this.shared.isClosing) control.abort()
    this.shared.streams.add(control)
    const events = stream.events(control.signal)[Symbol.asyncIterator]()
    const end = (): void => {
      control.abort()
      this.shared.streams.delete(control)
    }
    return new ReadableStream({
      async pull(target) {
        const next = await events.next()
        if (next.done !== true) return target.enqueue(Buffer.from(next.value))
        end()
        target.close()
      },
      cancel: end,
    })
  }
}
