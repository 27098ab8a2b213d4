// Plain HTTP: Shardglass, etcd's JSON gateway, and a bare server. Requests are made once for each key
// as long as keys are few: making them is no part of what is measured.

import type { LoadOp, LoadPlan } from './plan.ts'
import { type Caller, keyName, keysOfRequest, sampleValue, type Target } from './target.ts'
import { Wire } from './wire.ts'

type Parts = { readonly method: string; readonly path: string; readonly body: string }

/** How one system wants an operation to be written. */
type Dialect = (plan: LoadPlan, op: LoadOp, key: number, value: string) => Parts

const KEPT_REQUESTS_MAX = 20_000

const shardglass: Dialect = (plan, op, key, value) => {
  if (plan.batch > 1) {
    const ops = keysOfRequest(plan, key).map(name => {
      return op === 'get' ? { op, key: name } : { op, key: name, value }
    })
    return { method: 'POST', path: '/v1/batch', body: JSON.stringify({ ops }) }
  }
  const name = encodeURIComponent(keyName(plan, key))
  if (op === 'get') return { method: 'GET', path: `/v1/kv/${name}`, body: '' }
  if (op === 'put') return { method: 'PUT', path: `/v1/kv/${name}`, body: value }
  return { method: 'POST', path: `/v1/puthash/${name}`, body: value }
}

/** Reads of etcd are linearizable unless they say otherwise. */
const etcd: Dialect = (plan, op, key, value) => {
  if (plan.batch > 1) {
    const success = keysOfRequest(plan, key).map(name => {
      const request = { key: base64(name), ...(op === 'get' ? {} : { value: base64(value) }) }
      return op === 'get' ? { requestRange: request } : { requestPut: request }
    })
    return { method: 'POST', path: '/v3/kv/txn', body: JSON.stringify({ success }) }
  }
  const name = base64(keyName(plan, key))
  if (op === 'get') {
    return { method: 'POST', path: '/v3/kv/range', body: JSON.stringify({ key: name }) }
  }
  const body = JSON.stringify({ key: name, value: base64(value) })
  return { method: 'POST', path: '/v3/kv/put', body }
}

const DIALECTS = { shardglass, http: shardglass, etcd } as const

export class HttpTarget implements Target {
  trouble: string | null = null
  private readonly plan: LoadPlan
  private readonly dialect: Dialect
  private readonly value: string
  private readonly wires: Wire[] = []
  private readonly made = new Map<number, Buffer>()

  constructor(plan: LoadPlan & { target: keyof typeof DIALECTS }) {
    this.plan = plan
    this.dialect = DIALECTS[plan.target]
    this.value = sampleValue(plan.value)
  }

  async callers(count: number): Promise<readonly Caller[]> {
    const urls = this.plan.url.split(',')
    const callers: Caller[] = []
    for (let index = 0; index < count; index++) {
      const url = urls[index % urls.length] ?? ''
      const wire = new Wire(url, this.plan.timeout)
      this.wires.push(wire)
      await wire.open()
      callers.push(this.caller(wire, new URL(url).host))
    }
    return callers
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.close()
  }

  private caller(wire: Wire, host: string): Caller {
    return {
      run: (op, key, done) => {
        wire.send(this.request(op, key, host), status => {
          const isGood = status === 200 || status === 204 || (op === 'get' && status === 404)
          if (!isGood) this.trouble ??= status === 0 ? 'a connection was lost' : `HTTP ${status}`
          done(isGood)
        })
      },
    }
  }

  private request(op: LoadOp, key: number, host: string): Buffer {
    const place = key * 2 + (op === 'get' ? 1 : 0)
    const known = this.made.get(place)
    if (known !== undefined) return known
    const made = this.write(this.dialect(this.plan, op, key, this.value), host)
    if (this.made.size < KEPT_REQUESTS_MAX) this.made.set(place, made)
    return made
  }

  private write({ method, path, body }: Parts, host: string): Buffer {
    const { token } = this.plan
    const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`]
    if (token !== undefined) lines.push(`Authorization: Bearer ${token}`)
    if (path.startsWith('/v1/batch') || path.startsWith('/v3/')) {
      lines.push('Content-Type: application/json')
    }
    if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
    return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
