// Groups of one real replica each in the hands of a test, with the shardmaster played by it: no time
// passes, no record becomes durable, no part of a shard arrives and no configuration is told unless
// the test says so. For every step of a handoff, and what may come between.

import type { Address, Event, Input, Message, Now, Replica, Sender } from '../../server/contract.ts'
import { MemoryStore } from '../../server/host/store-memory.ts'
import type { GroupReply, MachineContext } from '../../server/machine.ts'
import type { LogRecord } from '../../server/paxos/record.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../server/paxos/settings.ts'
import { createReplica } from '../../server/replica.ts'
import { type Command, encodeCommand } from '../../server/shardkv/command.ts'
import { ShardkvMachine } from '../../server/shardkv/machine.ts'
import type { Condition, ShardkvRequest, Write } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'

export type Passing = { readonly from: Sender; readonly to: Address; readonly message: Message }
type Reply = ShardkvReply | GroupReply

/** Puts what a test wants into the log, as an earlier leader may have done. */
class ToldMachine extends ShardkvMachine {
  readonly told: Command[] = []

  override onTick(context: MachineContext<ShardkvReply>): void {
    for (const command of this.told.splice(0)) context.propose(encodeCommand(command), null)
    super.onTick(context)
  }

  override wakeAt(): number {
    return this.told.length > 0 ? 0 : super.wakeAt()
  }
}

type Life = {
  core: Replica<ShardkvRequest, Reply>
  machine: ToldMachine
  store: MemoryStore
  readonly records: LogRecord[]
  durable: number
  /** Records of earlier lives: the core numbers from its own start. */
  base: number
}

export type Session = { readonly client: string; readonly number: number; readonly acked?: number }

/** Keys of shards 0 to 3, by their first byte. */
export const KEYS = ['d', 'e', 'f', 'g'] as const
const SHARDS = KEYS.length
const INCARNATION = 'one'

export class DirectedShards {
  readonly wire: Passing[] = []
  /** By `gid/id`. */
  readonly replies = new Map<string, Reply>()
  readonly events: { readonly gid: number; readonly event: Event }[] = []
  onTold: (gid: number, events: readonly Event[], now: Now) => void = () => undefined
  readonly configs: Config[] = [initialConfig(SHARDS, 'first-byte')]
  micros = 1_000_000
  wallMs = 1_700_000_000_000
  /** Shardmasters that answer nobody. */
  areMastersSilent = false
  private readonly lives = new Map<number, Life>()
  private readonly settings: Settings
  /** gid → the newest configuration that it has, of its open poll. */
  private readonly polls = new Map<number, { from: Sender; after: number }>()
  private nextId = 1
  private numbers = 0

  constructor(groups: number, settings: Partial<Settings> = {}) {
    this.settings = { ...DEFAULT_SETTINGS, ownDisk: Number.POSITIVE_INFINITY, ...settings }
    for (let gid = 1; gid <= groups; gid++) {
      const members = [{ replica: 0, incarnation: INCARNATION }]
      const formed: LogRecord = { type: 'formed', formation: { id: `g${gid}`, members } }
      this.lives.set(gid, this.start(gid, [formed], new MemoryStore()))
    }
    this.pass(2_000)
  }

  get gids(): readonly number[] {
    return [...this.lives.keys()]
  }

  private start(gid: number, records: LogRecord[], store: MemoryStore): Life {
    const machine = new ToldMachine({ gid, shardmasters: 3 })
    const core = createReplica<ShardkvRequest, ShardkvReply>({
      gid,
      self: { replica: 0, incarnation: INCARNATION },
      peers: [0],
      settings: this.settings,
      random: () => 0.5,
      store,
      records: [...records],
      nowMicros: this.micros,
      machine,
    })
    const { length } = records
    return { core, machine, store, records, durable: length, base: length }
  }

  /** A power cut and a new start; it leads again at once. */
  restart(gid: number): void {
    const life = this.life(gid)
    const kept = life.records.slice(0, life.durable)
    this.lives.set(gid, this.start(gid, kept, life.store.crash()))
    this.polls.delete(gid)
    this.lead(gid)
  }

  private lead(gid: number): void {
    this.micros += 2_000_000
    for (let turn = 0; turn < 3; turn++) this.sync(gid)
  }

  life(gid: number): Life {
    const life = this.lives.get(gid)
    if (life === undefined) throw new Error(`no group ${gid}`)
    return life
  }

  step(gid: number, ...inputs: Input<ShardkvRequest>[]): void {
    const life = this.life(gid)
    const output = life.core.step({ micros: this.micros, wallMs: this.wallMs }, inputs)
    life.records.push(...output.records)
    const from = { gid, replica: 0, incarnation: INCARNATION }
    for (const { to, message } of output.sends) {
      for (const address of to) {
        if (message.type === 'configPoll') this.polls.set(gid, { from, after: message.after })
        else this.wire.push({ from, to: address, message })
      }
    }
    for (const { id, reply } of output.replies) this.replies.set(`${gid}/${id}`, reply)
    for (const event of output.events) this.events.push({ gid, event })
    if (output.events.length > 0) {
      this.onTold(gid, output.events, { micros: this.micros, wallMs: this.wallMs })
    }
  }

  /** The disk of the group finishes what it was given. */
  sync(gid: number): void {
    const life = this.life(gid)
    life.durable = life.records.length
    this.step(gid, { type: 'durable', upTo: life.durable - life.base }, { type: 'tick' })
  }

  /** Decides a command that no request of this leader asked for. */
  decide(gid: number, ...commands: readonly Command[]): void {
    this.life(gid).machine.told.push(...commands)
    for (let turn = 0; turn < 2; turn++) this.sync(gid)
  }

  /** The store is durable as it is now. */
  flush(gid: number): void {
    void this.life(gid).store.flush()
  }

  /** The next configuration: the owner of each shard, 0 for nobody. */
  configure(...owners: readonly number[]): Config {
    const before = this.configs.at(-1)!
    const groups: Record<string, readonly string[]> = {}
    for (const gid of owners) if (gid !== 0) groups[gid] = [`http://group-${gid}:1`]
    const holders = owners.map((gid, shard) => (gid === 0 ? (before.holders[shard] ?? 0) : gid))
    const cause = { op: 'move' as const, shard: 0, gid: 0, actor: 'test', reason: '' }
    const num = before.num + 1
    const next: Config = { ...before, num, shards: owners, holders, groups, cause }
    this.configs.push(next)
    return next
  }

  /** The shardmaster answers this group's open poll, as far as `upTo`. */
  tell(gid: number, upTo = Number.POSITIVE_INFINITY): void {
    const poll = this.polls.get(gid)
    if (poll === undefined || this.areMastersSilent) return
    const { after } = poll
    const configs = this.configs.filter(({ num }) => num > after && num <= upTo)
    if (configs.length === 0) return
    this.polls.delete(gid)
    const latest = this.configs.at(-1)!.num
    const from = { gid: 0, replica: 0, incarnation: 'master' }
    const message = { type: 'configs' as const, after, configs, latest }
    this.step(gid, { type: 'message', from, message })
  }

  /** Delivers, and takes off the wire, what matches; what that causes stays on the wire. */
  deliver(matches: (item: Passing) => boolean = () => true): Passing[] {
    const chosen = this.drop(matches)
    for (const item of chosen) this.inject(item)
    return chosen
  }

  drop(matches: (item: Passing) => boolean = () => true): Passing[] {
    const dropped = this.wire.filter(matches)
    for (const item of dropped) this.wire.splice(this.wire.indexOf(item), 1)
    return dropped
  }

  inject({ from, to, message }: Passing): void {
    this.step(to.gid, { type: 'message', from, message })
  }

  /** All disks work, all messages between these groups arrive, all configurations are told. */
  settle(among: readonly number[] = this.gids): void {
    const isAmong = ({ from, to }: Passing) => among.includes(from.gid) && among.includes(to.gid)
    for (let quiet = 0, round = 0; quiet < 3; round++) {
      if (round > 1000) throw new Error('does not settle')
      for (const gid of among) this.sync(gid)
      for (const gid of among) this.tell(gid)
      quiet = this.deliver(isAmong).length === 0 ? quiet + 1 : 0
    }
  }

  pass(ms: number, among: readonly number[] = this.gids): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.micros += 50_000
      this.wallMs += 50
      this.settle(among)
    }
  }

  request(gid: number, request: ShardkvRequest): string {
    const id = this.nextId++
    this.step(gid, { type: 'request', id, request })
    return `${gid}/${id}`
  }

  /** Without waiting for anything; a session of its own unless one is given. */
  write(
    gid: number,
    key: string,
    write: Write,
    options: { session?: Session; condition?: Condition } = {},
  ): string {
    this.numbers += 1
    const { session = { client: `c${this.numbers}`, number: 1 }, condition = { type: 'none' } } =
      options
    const request = { type: 'write' as const, key, write, condition }
    return this.request(gid, { ...request, session: { acked: 0, ...session } })
  }

  put(gid: number, key: string, value: string, session?: Session): string {
    const write = { op: 'put' as const, value: Buffer.from(value) }
    return this.write(gid, key, write, session === undefined ? {} : { session })
  }

  puthash(gid: number, key: string, value: string, session?: Session): string {
    const write = { op: 'puthash' as const, value: Buffer.from(value) }
    return this.write(gid, key, write, session === undefined ? {} : { session })
  }

  get(gid: number, key: string): string {
    return this.request(gid, { type: 'get', key, consistency: 'linearizable' })
  }

  /** The reply's type, with the value of a read in parentheses. */
  said(id: string): string {
    const reply = this.replies.get(id)
    if (reply === undefined) return 'nothing'
    if (reply.type !== 'ok') return reply.type
    return `ok(${Buffer.from(reply.value).toString()})`
  }

  /** What a read at this group says at once. */
  read(gid: number, key: string): string {
    return this.said(this.get(gid, key))
  }

  /** Phases of shards 0 to 3 in one group. */
  phases(gid: number): readonly string[] {
    const { shards } = this.life(gid).machine.status() as {
      shards: readonly { shard: number; phase: string }[]
    }
    return KEYS.map((_, shard) => shards.find(one => one.shard === shard)?.phase ?? 'absent')
  }

  adopted(gid: number): number | null {
    return this.life(gid).machine.config()?.num ?? null
  }

  /** Numbers of the configurations that the group has adopted, in its order. */
  adoptions(gid: number): readonly number[] {
    return this.events.flatMap(item =>
      item.gid === gid && item.event.type === 'configAdopted' ? [item.event.config] : [],
    )
  }

  /** Entries of the shard, data and sessions, that the group's store holds. */
  held(gid: number, shard: number): number {
    const prefix = `k\0\0\0${String.fromCharCode(shard)}`
    return [...this.life(gid).store.range({ from: prefix, to: `${prefix}\xff` })].length
  }
}

export function ofKind(...types: Message['type'][]): (item: Passing) => boolean {
  return ({ message }) => types.includes(message.type)
}
