// Redis: SET and then WAIT 1, which returns when a replica has the write too, in one packet. With
// `appendfsync always` on all of them that is the nearest to a write that a majority holds on disk.

import { connect, type Socket } from 'node:net'
import type { LoadOp, LoadPlan } from './plan.ts'
import { type Caller, keyName, sampleValue, type Target } from './target.ts'

export class RedisTarget implements Target {
  trouble: string | null = null
  private readonly plan: LoadPlan
  private readonly value: string
  private readonly sockets: Socket[] = []

  constructor(plan: LoadPlan) {
    this.plan = plan
    this.value = sampleValue(plan.value)
  }

  async callers(count: number): Promise<readonly Caller[]> {
    const { hostname: host, port } = new URL(this.plan.url.split(',')[0] ?? '')
    const callers: Caller[] = []
    for (let index = 0; index < count; index++) {
      const socket = connect({ host, port: Number(port), noDelay: true })
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject)
      })
      this.sockets.push(socket)
      callers.push(this.caller(socket))
    }
    return callers
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
  }

  private caller(socket: Socket): Caller {
    let waiting: ((isGood: boolean) => void) | null = null
    let received = ''
    const settle = (isGood: boolean): void => {
      const done = waiting
      waiting = null
      received = ''
      done?.(isGood)
    }
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      if (received.startsWith('-')) {
        this.trouble ??= received.trim()
        settle(false)
      } else if (isWhole(received)) settle(!received.endsWith(':0\r\n'))
    })
    socket.on('close', () => settle(false)).on('error', () => {})
    return {
      run: (op, key, done) => {
        waiting = done
        socket.write(this.request(op, key))
      },
    }
  }

  private request(op: LoadOp, key: number): string {
    const name = keyName(this.plan, key)
    if (op === 'get') return command('GET', name)
    return command('SET', name, this.value) + command('WAIT', '1', String(this.plan.timeout))
  }
}

function command(...words: readonly string[]): string {
  const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

/** `+OK` and the number of replicas, or one bulk string. */
function isWhole(received: string): boolean {
  if (received.startsWith('+OK\r\n')) return /^\+OK\r\n:\d+\r\n$/.test(received)
  const end = received.indexOf('\r\n')
  if (end < 0) return false
  const length = Number(received.slice(1, end))
  return length < 0 || received.length >= end + 2 + length + 2
}
