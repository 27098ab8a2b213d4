// A shardmaster group without Paxos: a log that all replicas apply in order. What the log decides
// is put off until `settle`, as it is in truth, and a replica can be cut off from it.

import type { Address, Event, Message, Send } from '../../server/contract.ts'
import { MemoryStore } from '../../server/host/store-memory.ts'
import type { Machine, MachineContext, Taken } from '../../server/machine.ts'
import type { Config, Partitioner } from '../../server/shardmaster/config.ts'
import { createShardmasterMachine } from '../../server/shardmaster/machine.ts'
import type {
  Change,
  ShardmasterReply,
  ShardmasterRequest,
} from '../../server/shardmaster/operation.ts'

type Entry = { readonly command: Uint8Array; readonly by: number; readonly waiter: number | null }
type LogEntry = Entry & { readonly wallMs: number }

export type GroupOptions = {
  readonly shardCount?: number
  readonly partitioner?: Partitioner
  readonly replicas?: number
}

export class Group {
  readonly replicas: Member[]
  readonly log: LogEntry[] = []
  micros = 0
  wallMs = 1_700_000_000_000
  /** Commands proposed and not decided yet. */
  queue: Entry[] = []
  /** What a proposal or a read meets. */
  taken: Taken = 'taken'
  leader: number | null = 0
  private numbers = 0

  constructor(options: GroupOptions = {}) {
    const { shardCount = 10, partitioner = 'hash', replicas = 1 } = options
    this.replicas = Array.from(
      { length: replicas },
      (_, replica) => new Member(this, replica, { shardCount, partitioner }),
    )
  }

  /** The leader begins its work: there is a configuration 0 afterwards. */
  begin(): this {
    for (const member of this.replicas) member.machine.onLeadership(member.context())
    this.settle()
    return this
  }

  get first(): Member {
    return this.replicas[0]!
  }

  /** Decides what was proposed and has all replicas apply it, but for those that are cut off. */
  settle(): this {
    const queue = this.queue
    this.queue = []
    for (const entry of queue) this.log.push({ ...entry, wallMs: this.wallMs })
    for (const member of this.replicas) if (!member.isCutOff) member.catchUp()
    return this
  }

  /** Time passes; who wanted to be woken until then is. */
  pass(ms: number): this {
    const until = this.micros + ms * 1000
    for (;;) {
      const next = Math.min(...this.replicas.map(member => member.machine.wakeAt()))
      if (next > until) break
      this.wallMs += Math.round((Math.max(next, this.micros) - this.micros) / 1000)
      this.micros = Math.max(next, this.micros)
      for (const member of this.replicas) member.machine.onTick(member.context())
      this.settle()
    }
    this.wallMs += Math.round((until - this.micros) / 1000)
    this.micros = until
    return this
  }

  ask(request: ShardmasterRequest, replica = this.leader ?? 0): ShardmasterReply | null {
    return this.replicas[replica]!.ask(request)
  }

  /** A change by a client of its own, or by the one given. */
  change(change: Change, more: Partial<Extract<ShardmasterRequest, { type: 'change' }>> = {}) {
    this.numbers += 1
    const session = { client: 'tester', number: this.numbers, acked: this.numbers - 1 }
    const asked = { change, actor: 'a', reason: 'r', ifConfig: null, session }
    return this.ask({ ...asked, ...more, type: 'change' })
  }

  join(gid: number, servers: readonly string[] = [`http://g${gid}:1`, `http://g${gid}:2`]) {
    return this.change({ op: 'join', gid, servers })
  }

  leave(gid: number) {
    return this.change({ op: 'leave', gid })
  }

  move(shard: number, gid: number) {
    return this.change({ op: 'move', shard, gid })
  }

  query(num = -1, replica?: number): Config {
    const reply = this.ask({ type: 'query', num }, replica)
    if (reply?.type !== 'config') throw new Error(`no configuration: ${JSON.stringify(reply)}`)
    return reply.config
  }
}

/** One replica: its machine and store, and what it said. */
export class Member {
  machine: Machine<ShardmasterRequest, ShardmasterReply>
  readonly store = new MemoryStore()
  readonly replies = new Map<number, ShardmasterReply>()
  readonly sends: Send[] = []
  readonly events: Event[] = []
  isCutOff = false
  applied = 0
  private readonly group: Group
  private readonly replica: number
  private readonly options: { shardCount: number; partitioner: Partitioner }
  private readonly reads: { id: number; request: unknown }[] = []
  private ids = 0

  constructor(
    group: Group,
    replica: number,
    options: { shardCount: number; partitioner: Partitioner },
  ) {
    this.group = group
    this.replica = replica
    this.options = options
    this.machine = createShardmasterMachine(options)
    this.machine.load(this.store)
  }

  /** A new life on the same store. */
  restart(): this {
    this.machine = createShardmasterMachine(this.options)
    this.machine.load(this.store)
    return this
  }

  /** The answer after all that follows from the request, null when there is none yet. */
  ask(request: ShardmasterRequest): ShardmasterReply | null {
    const id = this.submit(request)
    this.group.settle()
    return this.replies.get(id) ?? null
  }

  /** All that its store holds, in order: for comparing two replicas. */
  dump(): readonly string[] {
    return [...this.store.range({ from: '', to: '\u00ff' })].map(
      ([key, value]) => `${JSON.stringify(key)}=${Buffer.from(value).toString('latin1')}`,
    )
  }

  submit(request: ShardmasterRequest): number {
    this.ids += 1
    this.machine.onRequest(this.ids, request, this.context())
    return this.ids
  }

  receive(from: Address, message: Message): void {
    this.machine.onMessage({ ...from, incarnation: 'x' }, message, this.context())
  }

  catchUp(): void {
    const context = this.context()
    for (; this.applied < this.group.log.length; this.applied++) {
      const { command, by, waiter, wallMs } = this.group.log[this.applied]!
      const applied = { slot: this.applied + 1, wallMs }
      let reply: ShardmasterReply | null = null
      this.store.transact(transaction => {
        reply = this.machine.apply(command, applied, transaction, context)
      })
      if (reply !== null && by === this.replica && waiter !== null) context.reply(waiter, reply)
    }
    this.machine.onApplied(context)
    for (const { id, request } of this.reads.splice(0)) {
      this.machine.onReadable(id, request, context)
    }
  }

  context(): MachineContext<ShardmasterReply> {
    const { group, replica } = this
    return {
      now: { micros: group.micros, wallMs: group.wallMs },
      self: { gid: 0, replica },
      isLeader: group.leader === replica,
      leader: group.leader,
      leaderSilentMicros: 0,
      store: this.store,
      propose: (command, waiter) => {
        if (group.taken === 'taken') group.queue.push({ command, by: replica, waiter })
        return group.taken
      },
      read: (id, request) => {
        if (group.taken === 'taken') this.reads.push({ id, request })
        return group.taken
      },
      reply: (id, reply) => {
        if (this.replies.has(id)) throw new Error(`request ${id} is answered twice`)
        this.replies.set(id, reply)
      },
      send: (to, message) => this.sends.push({ to, message }),
      event: event => this.events.push(event),
    }
  }
}
