// The exchange on Node's own request and response: the one that running nodes use.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { BODIES_BYTES_MAX, DRAIN_BYTES_MAX } from './bounds.ts'
import type { Answer, EventStream, Exchange, ExchangeShared, NodeObjects } from './exchange.ts'
import { isEventStream } from './exchange.ts'
import { type Problem, problem } from './problem.ts'
import type { Passing, RequestOp } from './traffic.ts'

const EMPTY = Buffer.alloc(0)

export class NodeExchange implements Exchange {
  readonly method: string
  readonly target: string
  private readonly incoming: IncomingMessage
  private readonly outgoing: ServerResponse
  private readonly shared: ExchangeShared
  private heldBytes = 0
  private passing: Passing | null = null

  constructor(objects: NodeObjects, shared: ExchangeShared) {
    this.incoming = objects.incoming
    this.outgoing = objects.outgoing
    this.shared = shared
    this.method = objects.incoming.method ?? 'GET'
    this.target = objects.incoming.url ?? '/'
  }

  get remoteAddress(): string {
    return this.incoming.socket.remoteAddress ?? ''
  }

  get connection(): object {
    return this.incoming.socket
  }

  header(name: string): string | undefined {
    const value = this.incoming.headers[name]
    return typeof value === 'string' ? value : undefined
  }

  begin(op: RequestOp): void {
    this.passing = this.shared.traffic.begin(op)
  }

  readBody(bytesMax: number, done: (body: Buffer | Problem) => void): void {
    const { incoming } = this
    if (hasNoBody(incoming)) return done(EMPTY)
    const declared = Number(incoming.headers['content-length'] ?? 0)
    if (declared > bytesMax) return this.refuse(bytesMax, done)
    if (this.shared.bodyBytes + declared > BODIES_BYTES_MAX) return this.refuse(null, done)
    // Where this is not said, Node closes the connection after the answer, as it must.
    if (incoming.headers.expect !== undefined) this.outgoing.writeContinue()
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer): void => {
      length += chunk.length
      this.hold(chunk.length)
      const isOver = length > bytesMax
      if (!isOver && this.shared.bodyBytes <= BODIES_BYTES_MAX) {
        chunks.push(chunk)
        return
      }
      incoming.off('data', onData).off('end', onEnd)
      this.release()
      this.refuse(isOver ? bytesMax : null, done)
    }
    const onEnd = (): void => done(joined(chunks, length))
    incoming.on('data', onData).on('end', onEnd)
    incoming.on('error', ignored).on('close', () => {
      if (incoming.complete) return
      this.release()
      this.leave()
    })
  }

  answer(answer: Answer): void {
    const { outgoing } = this
    const { status, headers, body } = answer
    const length = isEventStream(body) ? 0 : byteLength(body)
    this.end(answer, length)
    this.release()
    if (outgoing.destroyed || outgoing.headersSent) return
    if (isEventStream(body)) {
      this.stream(answer, body)
      return
    }
    const fields = headers.slice()
    if (body !== null) fields.push('Content-Length', String(length))
    else if (status !== 204 && status !== 304) fields.push('Content-Length', '0')
    outgoing.writeHead(status, fields)
    if (body === null) outgoing.end()
    else outgoing.end(body) // Node leaves it out for HEAD
    if (outgoing.writableLength > 0) cutWhenUnread(outgoing, this.shared.answerTimeoutMs)
  }

  private stream(answer: Answer, stream: EventStream): void {
    const { outgoing, shared } = this
    const control = new AbortController()
    shared.streams.add(control)
    outgoing.on('close', () => control.abort())
    outgoing.writeHead(answer.status, answer.headers.slice())
    outgoing.flushHeaders()
    if (this.method === 'HEAD' || shared.isClosing) control.abort()
    pump(outgoing, stream.events(control.signal), shared.answerTimeoutMs)
      .catch(error => outgoing.destroy(error))
      .finally(() => {
        shared.streams.delete(control)
        outgoing.end()
      })
  }

  /** The rest of the body is read and dropped: a closed socket could swallow the answer. */
  private refuse(bytesMax: number | null, done: (body: Problem) => void): void {
    const { incoming } = this
    let dropped = 0
    incoming.on('error', ignored).on('data', (chunk: Buffer) => {
      dropped += chunk.length
      if (dropped > DRAIN_BYTES_MAX) incoming.socket.destroy()
    })
    const detail = `the body exceeds ${bytesMax} bytes`
    if (bytesMax === null) done(problem('overloaded', 'too many bodies are being received'))
    else done(problem('too-large', detail))
  }

  private end(answer: Answer, bytesOut: number): void {
    const { passing } = this
    this.passing = null
    if (passing === null) return
    this.shared.traffic.end(passing, answer, { in: this.heldBytes, out: bytesOut })
  }

  /** There will be no answer. */
  private leave(): void {
    if (this.passing !== null) this.shared.traffic.leave()
    this.passing = null
  }

  private hold(bytes: number): void {
    this.heldBytes += bytes
    this.shared.bodyBytes += bytes
  }

  private release(): void {
    this.shared.bodyBytes -= this.heldBytes
    this.heldBytes = 0
  }
}

async function pump(
  outgoing: ServerResponse,
  events: AsyncIterable<string>,
  unreadMs: number,
): Promise<void> {
  for await (const event of events) {
    if (outgoing.destroyed) return
    if (outgoing.write(event)) continue
    await new Promise<void>(resolve => {
      const stopTimer = cutWhenUnread(outgoing, unreadMs)
      const end = (): void => {
        stopTimer()
        outgoing.off('drain', end).off('close', end)
        resolve()
      }
      outgoing.on('drain', end).on('close', end)
    })
  }
}

/** A client that does not read must not hold a connection and an answer for ever. */
function cutWhenUnread(outgoing: ServerResponse, unreadMs: number): () => void {
  const timer = setTimeout(() => outgoing.destroy(), unreadMs)
  const stop = (): void => {
    clearTimeout(timer)
    outgoing.off('close', stop)
  }
  outgoing.on('close', stop)
  return stop
}

function hasNoBody(incoming: IncomingMessage): boolean {
  const { headers } = incoming
  const length = headers['content-length']
  return headers['transfer-encoding'] === undefined && (length === undefined || length === '0')
}

/** Small bodies are copied out of the socket's read buffer: a kept value would pin all of it. */
function joined(chunks: readonly Buffer[], length: number): Buffer {
  const [only] = chunks
  if (only === undefined) return EMPTY
  if (chunks.length > 1) return Buffer.concat(chunks, length)
  return only.buffer.byteLength > 2 * length ? Buffer.from(only) : only
}

function byteLength(body: string | Uint8Array | null): number {
  if (body === null) return 0
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length
}

/** A client that goes away in the middle of its body: `close` follows and cleans up. */
function ignored(): void {}
