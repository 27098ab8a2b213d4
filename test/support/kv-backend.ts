// A group of one replica without a log: a map with versions and sessions, run at once. It keeps the
// promises of a replica towards HTTP (at most once, conditions, refusals) and can be told to refuse.

import type { Backend, NodeStatus, PeerCaller, Unreachable } from '../../server/backend.ts'
import { type ByteString, fnv1aBytes } from '../../server/bytes.ts'
import { lookUp, remember, type Session } from '../../server/session.ts'
import {
  fingerprintOf,
  type ShardkvRequest,
  type WriteRequest,
} from '../../server/shardkv/operation.ts'
import {
  decodeRunReply,
  encodeRunReply,
  type RunReply,
  type ShardkvReply,
} from '../../server/shardkv/reply.ts'
import { shardOf } from '../../server/shardmaster/config.ts'

type Held = { readonly value: Uint8Array; readonly version: number }

/** What is answered instead of running the request; `silence` never answers. */
export type Script = (request: ShardkvRequest) => ShardkvReply | 'silence' | 'run' | 'run silently'

export class KvBackend implements Backend<ShardkvRequest, ShardkvReply> {
  readonly data = new Map<ByteString, Held>()
  readonly seen: ShardkvRequest[] = []
  readonly sessions = new Map<string, Session>()
  runs = 0
  script: Script = () => 'run'
  isReady = true
  private version = 0
  private slot = 0

  submit(request: ShardkvRequest, done: (reply: ShardkvReply) => void): void {
    this.seen.push(request)
    const scripted = this.script(request)
    if (scripted === 'silence') return
    if (typeof scripted === 'object') return done(scripted)
    const reply = this.run(request)
    if (scripted === 'run') done(reply)
  }

  run(request: ShardkvRequest): ShardkvReply {
    this.slot += 1
    if (request.type === 'get') return this.read(request)
    const { session: id } = request
    const fingerprint = fingerprintOf(request)
    const sessionKey = `${id.client} ${shardOf(request.key, 'hash', 16)}`
    const session = this.sessions.get(sessionKey) ?? null
    const found = lookUp(session, id, fingerprint)
    if (found.type === 'mismatch') return { type: 'requestMismatch' }
    if (found.type === 'expired') return { type: 'sessionExpired' }
    if (found.type === 'repeated') return decodeRunReply(found.reply)
    const result = this.write(request)
    const reply = encodeRunReply(result)
    this.sessions.set(sessionKey, remember(session, { id, fingerprint, reply, at: 0 }))
    return result
  }

  status(): NodeStatus {
    return { ...STATUS, isReady: this.isReady }
  }

  private read(request: Extract<ShardkvRequest, { type: 'get' }>): ShardkvReply {
    const held = this.data.get(request.key)
    if (held === undefined) return { type: 'noSuchKey', slot: this.slot }
    const reply = { type: 'ok', ...held, slot: this.slot } as const
    return request.consistency === 'stale' ? { ...reply, staleMicros: 1_500 } : reply
  }

  private write({ key, write, condition }: WriteRequest): RunReply {
    const { slot } = this
    const held = this.data.get(key)
    const version = held?.version ?? 0
    const holds = {
      none: true,
      ifAbsent: held === undefined,
      ifPresent: held !== undefined,
      ifVersion: condition.type === 'ifVersion' && condition.version === version,
    }[condition.type]
    if (!holds) return { type: 'conditionFailed', version, slot }
    if (write.op === 'delete' && held === undefined) return { type: 'noSuchKey', slot }
    this.runs += 1
    this.version += 1
    const previous = held?.value ?? new Uint8Array(0)
    const reply = { type: 'ok', version: this.version, slot } as const
    if (write.op === 'delete') {
      this.data.delete(key)
      return { ...reply, value: new Uint8Array(0) }
    }
    const hash = String(fnv1aBytes(Buffer.concat([previous, write.value])))
    const value = write.op === 'put' ? write.value : Buffer.from(hash)
    this.data.set(key, { value, version: this.version })
    return { ...reply, value: write.op === 'put' ? new Uint8Array(0) : previous }
  }
}

export const STATUS: NodeStatus = {
  gid: 1,
  replica: 0,
  incarnation: 'a'.repeat(16),
  role: 'leader',
  leader: 0,
  leaderSilentMicros: 0,
  ballot: '1.0',
  formation: null,
  slots: { first: 1, decided: 1, applied: 1, durable: 1 },
  members: [0, 1, 2].map(replica => ({
    replica,
    incarnation: 'a',
    lagSlots: null,
    silentMicros: null,
  })),
  isReady: true,
  log: { entries: 0, bytes: 0, inFlight: 0 },
  waiting: { commands: 0, reads: 0 },
  machine: { config: 3 },
  kind: 'shardkv',
  cluster: 'test',
  version: '0.1.0',
  uptimeSeconds: 1,
  storage: 'memory',
}

type Target = Parameters<PeerCaller<ShardkvRequest, ShardkvReply>['call']>[0]

/** Other replicas by name: `gid/replica`, or their URL. A call to an unknown one finds nobody. */
export class Peers implements PeerCaller<ShardkvRequest, ShardkvReply> {
  readonly nodes = new Map<string, KvBackend>()
  readonly calls: string[] = []
  /** How long a silent node is waited for, at most. */
  timeoutMsMax = 30

  call(
    target: Target,
    request: ShardkvRequest,
    timeoutMs: number,
  ): Promise<ShardkvReply | Unreachable> {
    const name = 'url' in target ? target.url : `${target.gid}/${target.replica}`
    this.calls.push(name)
    const node = this.nodes.get(name)
    if (node === undefined) return Promise.resolve({ type: 'unreachable', isDefinite: true })
    return new Promise(resolve => {
      const give = () => resolve({ type: 'unreachable', isDefinite: false })
      const timer = setTimeout(give, Math.min(timeoutMs, this.timeoutMsMax))
      node.submit(request, reply => {
        clearTimeout(timer)
        resolve(reply)
      })
    })
  }
}
