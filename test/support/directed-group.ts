// A group of real replicas in the hands of a test: no time passes, no record becomes durable and no
// message arrives unless the test says so. For scenarios that chance would rarely find.

import type { Event, Input, Message, Output, Replica, Sender } from '../../server/contract.ts'
import type { Applied, Machine, MachineContext } from '../../server/machine.ts'
import type { LogRecord } from '../../server/paxos/record.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../server/paxos/settings.ts'
import { createReplica } from '../../server/replica.ts'
import type { StoreReader, StoreTransaction } from '../../server/store.ts'
import { TinyStore } from './tiny-store.ts'

export type OnWire = { readonly from: Sender; readonly to: number; readonly message: Message }
export type AppendReply = { readonly type: string; readonly log?: string }

/** Where the text stands in the store. */
const TEXT = 'text'

/** Appends each command to a text; a read answers the text. */
export class AppendMachine implements Machine<string, AppendReply> {
  log = ''

  load(store: StoreReader): void {
    this.log = Buffer.from(store.get(TEXT) ?? []).toString()
  }

  onRequest(id: number, request: string, context: MachineContext<AppendReply>): void {
    const taken =
      request === 'read' ? context.read(id, request) : context.propose(Buffer.from(request), id)
    if (taken !== 'taken') context.reply(id, { type: taken })
  }

  onReadable(id: number, _request: unknown, context: MachineContext<AppendReply>): void {
    context.reply(id, { type: 'ok', log: this.log })
  }

  apply(command: Uint8Array, _applied: Applied, transaction: StoreTransaction): AppendReply {
    this.log += Buffer.from(command).toString()
    transaction.put(TEXT, Buffer.from(this.log))
    return { type: 'ok', log: this.log }
  }

  onApplied(): void {}
  onMessage(): void {}
  onLeadership(): void {}
  onTick(): void {}
  wakeAt(): number {
    return Number.POSITIVE_INFINITY
  }
  urlOf(): null {
    return null
  }
  status(): Readonly<Record<string, unknown>> {
    return {}
  }
}

type Life = {
  /** Its own clock. */
  micros: number
  core: Replica<string, unknown>
  machine: AppendMachine
  store: TinyStore
  incarnation: string
  /** All records, and how many of them are durable. */
  records: LogRecord[]
  durable: number
  /** Records of earlier lives: the core numbers from its own start. */
  base: number
}

export class DirectedGroup {
  readonly wire: OnWire[] = []
  readonly replies = new Map<number, { type: string; log?: string }>()
  readonly lives: Life[] = []
  /** What each step told, in order. */
  readonly told: { readonly replica: number; readonly events: readonly Event[] }[] = []
  onTold: (replica: number, events: readonly Event[], micros: number) => void = () => undefined
  private readonly settings: Settings
  private readonly count: number
  private nextId = 1

  constructor(count: number, settings: Partial<Settings> = {}) {
    this.count = count
    // Nobody campaigns unless told to: elections time out after 10 s of 20.
    this.settings = { ...DEFAULT_SETTINGS, electionMax: 20_000_000, ...settings }
    const members = Array.from({ length: count }, (_, replica) => ({
      replica,
      incarnation: `a${replica}`,
    }))
    for (const { replica } of members) {
      const formed: LogRecord = { type: 'formed', formation: { id: 'test', members } }
      this.lives.push(this.start(replica, `a${replica}`, [formed], new TinyStore()))
    }
  }

  private start(
    replica: number,
    incarnation: string,
    records: LogRecord[],
    store: TinyStore,
  ): Life {
    const machine = new AppendMachine()
    const micros = (this.lives[replica]?.micros ?? 0) + 1_000_000
    const core = createReplica({
      gid: 1,
      self: { replica, incarnation },
      peers: Array.from({ length: this.count }, (_, id) => id),
      settings: this.settings,
      random: () => 0.5,
      store,
      records,
      nowMicros: micros,
      machine,
    })
    const { length } = records
    return { micros, core, machine, store, incarnation, records, durable: length, base: length }
  }

  /** Loses what was not durable; with an emptied disk, everything, and begins another life. */
  restart(replica: number, isEmptied = false): void {
    const life = this.life(replica)
    const kept = isEmptied ? [] : life.records.slice(0, life.durable)
    const incarnation = isEmptied ? `${life.incarnation}x` : life.incarnation
    this.lives[replica] = this.start(replica, incarnation, kept, new TinyStore())
  }

  life(replica: number): Life {
    const life = this.lives[replica]
    if (life === undefined) throw new Error(`no replica ${replica}`)
    return life
  }

  status(replica: number) {
    const { core, micros } = this.life(replica)
    return core.status({ micros, wallMs: 0 })
  }

  step(replica: number, ...inputs: Input<string>[]): Output<unknown> {
    const life = this.life(replica)
    const output = life.core.step({ micros: life.micros, wallMs: 1 }, inputs)
    life.records.push(...output.records)
    if (output.events.length > 0) {
      this.told.push({ replica, events: output.events })
      this.onTold(replica, output.events, life.micros)
    }
    const from = { gid: 1, replica, incarnation: life.incarnation }
    for (const { to, message } of output.sends) {
      for (const address of to) this.wire.push({ from, to: address.replica, message })
    }
    for (const { id, reply } of output.replies) {
      this.replies.set(id, reply as { type: string; log?: string })
    }
    if (output.hasMore) this.step(replica)
    return output
  }

  request(replica: number, request: string): number {
    const id = this.nextId++
    this.step(replica, { type: 'request', id, request })
    return id
  }

  /** The disk of the replica finishes what it was given. */
  sync(replica: number): void {
    const life = this.life(replica)
    life.durable = life.records.length
    this.step(replica, { type: 'durable', upTo: life.durable - life.base })
  }

  /** Delivers, and takes off the wire, what matches; what that causes stays on the wire. */
  deliver(matches: (item: OnWire) => boolean): OnWire[] {
    const chosen = this.wire.filter(matches)
    for (const item of chosen) {
      this.wire.splice(this.wire.indexOf(item), 1)
      this.inject(item)
    }
    return chosen
  }

  inject({ from, to, message }: OnWire): void {
    this.step(to, { type: 'message', from, message })
  }

  drop(matches: (item: OnWire) => boolean): OnWire[] {
    const dropped = this.wire.filter(matches)
    for (const item of dropped) this.wire.splice(this.wire.indexOf(item), 1)
    return dropped
  }

  /** Everything between these replicas arrives and every disk works, until nothing is left. */
  settle(
    among: readonly number[] = this.lives.map((_, replica) => replica),
    isLost: (item: OnWire) => boolean = () => false,
  ): void {
    for (let round = 0; round < 1000; round++) {
      for (const replica of among) this.sync(replica)
      this.drop(isLost)
      const moved = this.deliver(
        ({ from, to }) => among.includes(from.replica) && among.includes(to),
      )
      this.drop(({ from, to }) => !among.includes(from.replica) || !among.includes(to))
      if (moved.length === 0) return
    }
    throw new Error('does not settle')
  }

  /** Time passes for these replicas only, in small steps, everything between them working. */
  pass(ms: number, among: readonly number[] = this.lives.map((_, replica) => replica)): void {
    for (let passed = 0; passed < ms; passed += 10) {
      for (const life of this.lives) life.micros += 10_000
      for (const replica of among) this.step(replica, { type: 'tick' })
      this.settle(among)
    }
  }

  /** Others reach the replica: each says something that changes nothing. */
  call(replica: number): void {
    for (const [other, { incarnation }] of this.lives.entries()) {
      if (other === replica) continue
      const ballot = { round: 0, replica: other, incarnation }
      const message = { type: 'handOver', ballot } as const
      const from = { gid: 1, replica: other, incarnation }
      this.step(replica, { type: 'message', from, message })
    }
  }

  /** The replica misses its leader and asks for the leadership, by itself. */
  campaign(replica: number): void {
    for (const life of this.lives) life.micros += 500_000
    this.life(replica).micros += 30_000_000
    this.call(replica)
    this.step(replica, { type: 'tick' })
  }
}

export function ofType(...types: Message['type'][]): (item: OnWire) => boolean {
  return ({ message }) => types.includes(message.type)
}

/**
 * Makes it leader by the promises of `voters`; nothing that it proposes then has arrived anywhere.
 * Others neither act nor hear of it. A second try is for one that did not know the highest ballot.
 */
export function elect(group: DirectedGroup, replica: number, voters: readonly number[]): void {
  const isAmong = ({ from, to }: OnWire) =>
    [from.replica, to].every(one => one === replica || voters.includes(one))
  const pass = (type: 'preVote' | 'preVoteReply' | 'prepare' | 'promise') =>
    group.deliver(item => isAmong(item) && ofType(type)(item))
  for (let tries = 0; tries < 2 && group.status(replica).role !== 'leader'; tries++) {
    group.campaign(replica)
    pass('preVote')
    pass('preVoteReply')
    group.sync(replica)
    pass('prepare')
    for (const voter of voters) group.sync(voter)
    pass('promise')
  }
  if (group.status(replica).role !== 'leader') throw new Error(`${replica} does not lead`)
}

/** Time passes for all; messages that `isLost` says never arrive. */
export function passLosing(
  group: DirectedGroup,
  ms: number,
  isLost: (item: OnWire) => boolean,
): void {
  const all = [...group.lives.keys()]
  for (let passed = 0; passed < ms; passed += 10) {
    for (const life of group.lives) life.micros += 10_000
    for (const replica of all) group.step(replica, { type: 'tick' })
    for (let moved = 1; moved > 0; ) {
      for (const replica of all) group.sync(replica)
      group.drop(isLost)
      moved = group.deliver(() => true).length
    }
  }
}
