// etcd by gRPC, with the client that Node has (@grpc/grpc-js). It costs more than etcd's own Go client:
// several processes may be needed before etcd is the limit, and reports say what the client used.

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import type { LoadOp, LoadPlan } from './plan.ts'
import { type Caller, keyName, keysOfRequest, sampleValue, type Target } from './target.ts'

type Method = MethodDefinition<object, object>
type Methods = Readonly<Record<string, Method>>
type Done = (error: ServiceError | null) => void

/** Streams of one connection; etcd allows more than this for each. */
const CALLERS_PER_CONNECTION = 64

export class GrpcTarget implements Target {
  trouble: string | null = null
  private readonly plan: LoadPlan
  private readonly value: Buffer
  private readonly clients: Client[] = []
  private readonly methods: Methods

  constructor(plan: LoadPlan) {
    this.plan = plan
    this.value = Buffer.from(sampleValue(plan.value))
    this.methods = kvMethods()
  }

  async callers(count: number): Promise<readonly Caller[]> {
    const urls = this.plan.url.split(',')
    const connections = Math.ceil(count / CALLERS_PER_CONNECTION)
    for (let index = 0; index < connections; index++) {
      const { host } = new URL(urls[index % urls.length] ?? '')
      // Without a pool of its own each client would share one connection.
      const options = { 'grpc.use_local_subchannel_pool': 1 }
      this.clients.push(new Client(host, credentials.createInsecure(), options))
    }
    return Array.from({ length: count }, (_, index) => this.caller(index % connections))
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close()
  }

  private caller(index: number): Caller {
    const client = this.clients[index]
    if (client === undefined) throw new Error('there is no connection')
    return {
      run: (op, key, done) => {
        this.call(client, op, key, error => {
          if (error !== null) this.trouble ??= error.message
          done(error === null)
        })
      },
    }
  }

  private call(client: Client, op: LoadOp, key: number, done: Done): void {
    const { plan, value } = this
    if (plan.batch > 1) {
      const success = keysOfRequest(plan, key).map(name => {
        const place = Buffer.from(name)
        return op === 'get'
          ? { requestRange: { key: place } }
          : { requestPut: { key: place, value } }
      })
      return this.ask(client, 'Txn', { success }, done)
    }
    const place = Buffer.from(keyName(plan, key))
    if (op === 'get') this.ask(client, 'Range', { key: place }, done)
    else this.ask(client, 'Put', { key: place, value }, done)
  }

  private ask(client: Client, name: string, request: object, done: Done): void {
    const method = this.methods[name]
    if (method === undefined) throw new Error(`no method ${name}`)
    const { path, requestSerialize, responseDeserialize } = method
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done)
  }
}

function kvMethods(): Methods {
  const service = loadSync(protoFile(), { longs: Number })['etcdserverpb.KV']
  if (service === undefined || 'format' in service) throw new Error('no service in the definition')
  return service
}

/** Beside the sources: the compiler copies no other files. */
function protoFile(): string {
  const folder = dirname(fileURLToPath(import.meta.url))
  const near = resolve(folder, '../compare/etcd-rpc.proto')
  return existsSync(near) ? near : resolve(folder, '../../../ops/compare/etcd-rpc.proto')
}
