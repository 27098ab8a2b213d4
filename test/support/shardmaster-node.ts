// The HTTP side of a shardmaster over a group without Paxos (test/shardmaster/group.ts): the real
// state machine, whose log is decided at once.

import type { Backend, NodeStatus } from '../../server/backend.ts'
import { type AppOptions, createShardmasterApp, type HttpApp } from '../../server/http/app.ts'
import { createAuth } from '../../server/http/auth.ts'
import { Deadlines } from '../../server/http/deadlines.ts'
import { createShardmasterGateway } from '../../server/http/gateways.ts'
import { Lanes } from '../../server/http/lanes.ts'
import type { ShardmasterRoutesOptions } from '../../server/http/shardmaster-routes.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../../server/shardmaster/operation.ts'
import { Group } from '../shardmaster/group.ts'
import { STATUS } from './kv-backend.ts'
import { AUTH_OPTIONS, type RequestOptions, TOKENS } from './kv-node.ts'

type Done = (reply: ShardmasterReply) => void

/** One replica of the group as the HTTP side knows it. */
export class ShardmasterBackend implements Backend<ShardmasterRequest, ShardmasterReply> {
  readonly seen: ShardmasterRequest[] = []
  script: (request: ShardmasterRequest) => ShardmasterReply | 'run' = () => 'run'
  private readonly group: Group
  private readonly replica: number
  private readonly waiting = new Map<number, Done>()

  constructor(group: Group, replica: number) {
    this.group = group
    this.replica = replica
  }

  submit(request: ShardmasterRequest, done: Done): void {
    this.seen.push(request)
    const scripted = this.script(request)
    if (scripted !== 'run') return done(scripted)
    const member = this.group.replicas[this.replica]!
    this.waiting.set(member.submit(request), done)
    this.group.settle()
    this.answer()
  }

  /** Gives what the replica has said since. */
  answer(): void {
    const { replies } = this.group.replicas[this.replica]!
    for (const [id, done] of this.waiting) {
      const reply = replies.get(id)
      if (reply === undefined) continue
      this.waiting.delete(id)
      done(reply)
    }
  }

  status(): NodeStatus {
    return { ...STATUS, gid: 0, kind: 'shardmaster' }
  }
}

type Options = Partial<AppOptions & ShardmasterRoutesOptions>

/** Replica `replica` of a group of three; the others can be called. */
export class ShardmasterNode {
  readonly group = new Group({ replicas: 3, shardCount: 10 }).begin()
  readonly backends = [0, 1, 2].map(replica => new ShardmasterBackend(this.group, replica))
  readonly backend: ShardmasterBackend
  readonly faults: unknown[] = []
  readonly app: HttpApp

  constructor(replica = 0, more: Options = {}) {
    const backend = this.backends[replica]!
    this.backend = backend
    const onFault = (error: unknown) => this.faults.push(error)
    const call = (target: object, request: ShardmasterRequest) =>
      new Promise<ShardmasterReply>(resolve => {
        const other = 'replica' in target ? Number(target.replica) : -1
        this.backends[other]?.submit(request, resolve)
      })
    const gateway = createShardmasterGateway({
      backend,
      peers: { call },
      self: { gid: 0, replica },
      replicas: [0, 1, 2],
      deadlines: new Deadlines(),
      onFault,
    })
    this.app = createShardmasterApp({
      gateway,
      backend,
      lanes: new Lanes(),
      status: () => backend.status(),
      version: '0.1.0',
      auth: createAuth(AUTH_OPTIONS),
      onFault,
      ...more,
    })
  }

  /** Virtual time passes in the group, and waiting requests are answered. */
  pass(ms: number): void {
    this.group.pass(ms)
    for (const backend of this.backends) backend.answer()
  }

  async request(method: string, path: string, init: RequestOptions & { json?: unknown } = {}) {
    const { token = TOKENS.admin, headers = {}, json } = init
    const all: Record<string, string> = { ...headers }
    if (token !== null) all.authorization = `Bearer ${token}`
    if (json !== undefined) all['content-type'] ??= 'application/json'
    const body = json === undefined ? init.body : JSON.stringify(json)
    const full = body === undefined ? {} : { body }
    const response = await this.app.hono.request(path, { method, headers: all, ...full })
    for (const backend of this.backends) backend.answer()
    return response
  }
}
