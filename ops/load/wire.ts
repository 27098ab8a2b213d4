// HTTP/1.1 on a bare socket: one request under way, the answer's status and length read, and nothing
// else. Whatever the generator costs is missing to what it measures, on a machine that both share.

import { connect, type Socket } from 'node:net'

const HEAD_END = '\r\n\r\n'
const RECONNECT_MS = 20

type Waiting = (status: number) => void

/** Status 0 stands for no answer. */
export class Wire {
  private readonly host: string
  private readonly port: number
  private readonly timeoutMs: number
  private socket: Socket | null = null
  private waiting: Waiting | null = null
  private received = ''
  private timer: NodeJS.Timeout | null = null
  private sentAt = 0
  private isClosed = false

  constructor(base: string, timeoutMs: number) {
    const { hostname, port } = new URL(base)
    this.host = hostname.replace(/^\[|\]$/g, '')
    this.port = Number(port === '' ? 80 : port)
    this.timeoutMs = timeoutMs
  }

  /** Resolves when it is connected; rejects when it cannot be. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.host, port: this.port, noDelay: true })
      socket.once('connect', resolve).once('error', reject)
      socket.on('error', () => {}) // `close` follows
      socket.on('close', () => this.onClose(socket))
      socket.on('data', chunk => this.onData(chunk))
      this.socket = socket
    })
  }

  send(request: Buffer, done: Waiting): void {
    this.waiting = done
    if (this.socket === null) {
      setTimeout(() => this.reopen(), RECONNECT_MS)
      return
    }
    this.sentAt = performance.now()
    this.timer ??= setTimeout(() => this.onTimer(), this.timeoutMs)
    this.socket.write(request)
  }

  close(): void {
    this.isClosed = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.socket?.destroy()
  }

  private reopen(): void {
    if (this.isClosed) return
    this.open().catch(() => {}) // the next request tries again
    this.settle(0)
  }

  private onData(chunk: Buffer): void {
    this.received = this.received === '' ? latin1(chunk) : this.received + latin1(chunk)
    const status = answerStatus(this.received)
    if (status === null) return
    this.received = ''
    this.settle(status)
  }

  private settle(status: number): void {
    const { waiting } = this
    this.waiting = null
    waiting?.(status)
  }

  /** One timer that looks again: one for each request would cost more than the request. */
  private onTimer(): void {
    this.timer = null
    if (this.waiting === null || this.isClosed) return
    const leftMs = this.sentAt + this.timeoutMs - performance.now()
    if (leftMs <= 0) this.socket?.destroy()
    else this.timer = setTimeout(() => this.onTimer(), leftMs)
  }

  private onClose(socket: Socket): void {
    if (this.socket !== socket) return
    this.socket = null
    this.received = ''
    if (!this.isClosed) this.settle(0)
  }
}

function latin1(chunk: Buffer): string {
  return chunk.toString('latin1')
}

/** The status, once the answer is there as a whole; null before. */
export function answerStatus(received: string): number | null {
  const end = received.indexOf(HEAD_END)
  if (end < 0) return null
  const status = Number(received.slice(9, 12))
  const body = received.length - end - HEAD_END.length
  if (status === 204 || status === 304) return status
  const length = headerOf(received, end, 'content-length')
  if (length !== null) return body >= Number(length) ? status : null
  const isChunked = headerOf(received, end, 'transfer-encoding') === 'chunked'
  return !isChunked || received.endsWith(`\r\n0${HEAD_END}`) ? status : null
}

function headerOf(received: string, end: number, name: string): string | null {
  const titled = name.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase())
  let at = received.indexOf(`\r\n${titled}: `)
  if (at < 0 || at > end) at = received.indexOf(`\r\n${name}: `)
  if (at < 0 || at > end) return null
  const start = at + name.length + 4
  return received.slice(start, received.indexOf('\r\n', start))
}
