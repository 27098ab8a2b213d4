// One simulated replica: its core, made anew from its disk and store at each start, an inbox, a clock
// of its own, a process that can be paused or killed at any time. Does for the core in virtual time
// what the host does in real time.

import type {
  Address,
  Event,
  Input,
  Message,
  Output,
  Replica,
  Sender,
} from '../../server/contract.ts'
import { WalDamageError } from '../../server/host/wal-segment.ts'
import type { LogRecord } from '../../server/paxos/record.ts'
import type { Random } from '../support/random.ts'
import { SimulatedClock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { ObservedStore } from './observed-store.ts'
import type { World } from './world.ts'

/** What a core is made from. */
export type Boot = {
  readonly address: Address
  readonly incarnation: string
  readonly records: readonly LogRecord[]
  readonly store: ObservedStore
  readonly nowMicros: number
  readonly random: () => number
}

/** Sees everything that a replica does; throws where it must not. */
export type Watcher = {
  onStart(node: AnyNode): void
  /** Records that were found on the disk and that nobody had been told to be durable. */
  onRecovered(node: AnyNode, records: readonly LogRecord[]): void
  /** Its disk was replaced by an empty one: it is somebody else from now on. */
  onWiped(node: AnyNode): void
  /** Before the crash takes effect. */
  onCrash(node: AnyNode): void
  onDurable(node: AnyNode, records: readonly LogRecord[]): void
  onSend(node: AnyNode, message: Message): void
  onEvent(node: AnyNode, event: Event): void
  onStep(node: AnyNode): void
}

export type NodeOptions<Request, Reply> = {
  readonly world: World
  /** Its place in the network. */
  readonly place: number
  readonly address: Address
  readonly incarnation: string
  /** The process's own chance; the core has a stream to itself. */
  readonly random: Random
  readonly coreRandom: Random
  readonly disk: Disk
  readonly store: ObservedStore
  readonly watcher: Watcher
  readonly makeCore: (boot: Boot) => Replica<Request, Reply>
  readonly transmit: (from: Sender, place: number, to: Address, message: Message) => void
  /** Clock against world time: offset in µs, and rate. */
  readonly clock: { readonly offset: number; readonly rate: number }
  /** µs from an input's arrival to the step that takes it. */
  readonly latencyMax: number
}

/** A node whatever its requests are. */
export type AnyNode = Pick<
  SimulatedNode<never, unknown>,
  | 'address'
  | 'place'
  | 'incarnation'
  | 'store'
  | 'disk'
  | 'isUp'
  | 'crash'
  | 'start'
  | 'pause'
  | 'flush'
  | 'handOver'
  | 'status'
  | 'clock'
  | 'isBroken'
  | 'isStranger'
  | 'starts'
  | 'failNextSync'
  | 'crashInWrite'
  | 'crashInRound'
  | 'spare'
  | 'wipe'
  | 'rebuild'
  | 'deliver'
  | 'name'
  | 'highestEver'
>

export class SimulatedNode<Request, Reply> {
  readonly address: Address
  readonly place: number
  readonly store: ObservedStore
  readonly disk: Disk
  readonly clock: SimulatedClock
  readonly name: string
  incarnation: string
  /** Its log was found damaged, and it refused to start. */
  isBroken = false
  /** It lost its first disk: the group that it belonged to does not count on it any more. */
  isStranger = false
  /** How often it was started. */
  starts = 0
  private readonly options: NodeOptions<Request, Reply>
  private core: Replica<Request, Reply> | null = null
  private inbox: Input<Request>[] = []
  private waiters = new Map<number, (reply: Reply) => void>()
  private nextRequest = 1
  private life = 0
  private isStepDue = false
  private pausedUntil = 0
  /** µs for which the next step's output is held back: the process stops in between. */
  private stall = 0
  private tickAt = Number.POSITIVE_INFINITY
  private rounds = 0
  /** The highest slot that it has ever applied. */
  highestEver = 0

  constructor(options: NodeOptions<Request, Reply>) {
    this.options = options
    this.address = options.address
    this.place = options.place
    this.incarnation = options.incarnation
    this.store = options.store
    this.disk = options.disk
    this.clock = new SimulatedClock(options.world, options.clock)
    this.name = `${options.address.gid}/${options.address.replica}`
  }

  get isUp(): boolean {
    return this.core !== null
  }

  start(): void {
    if (this.core !== null || this.isBroken) return
    const opened = this.openDisk()
    if (opened === null) return
    this.options.watcher.onRecovered(this, opened.untold)
    this.life += 1
    this.starts += 1
    this.core = this.makeCore(opened.records, this.store)
    this.trace('starts')
    this.options.watcher.onStart(this)
    this.deliver({ type: 'tick' })
  }

  private openDisk(): ReturnType<Disk['open']> | null {
    try {
      return this.disk.open()
    } catch (error) {
      if (!(error instanceof WalDamageError)) throw error
      this.isBroken = true
      this.options.world.count('disk: damage refused')
      this.trace(`refuses to start: ${error.message}`)
      return null
    }
  }

  private makeCore(records: readonly LogRecord[], store: ObservedStore): Replica<Request, Reply> {
    const { address, coreRandom, makeCore } = this.options
    return makeCore({
      address,
      incarnation: this.incarnation,
      records,
      store,
      nowMicros: this.clock.micros(),
      random: () => coreRandom.next(),
    })
  }

  /** Another core from what a crash now would surely leave; its store. */
  rebuild(): ObservedStore {
    const store = this.store.survivor()
    const { options } = this
    options.makeCore({
      address: options.address,
      incarnation: this.incarnation,
      records: this.disk.durable(),
      store,
      nowMicros: this.clock.micros(),
      random: () => 0.5,
    })
    return store
  }

  /** The process dies; its disk keeps what was durable, perhaps a little more. */
  crash(): void {
    if (this.core === null) return
    this.trace('crashes')
    this.options.watcher.onCrash(this)
    this.core = null
    this.life += 1
    this.inbox = []
    this.waiters.clear()
    this.isStepDue = false
    this.tickAt = Number.POSITIVE_INFINITY
    this.pausedUntil = 0
    this.rounds += 1
    const isRoundKept = this.store.isInRound && this.options.random.chance(0.5)
    if (this.store.isInRound) this.options.world.count('store: crash between rounds')
    this.disk.crash()
    this.store.crash(isRoundKept)
  }

  /** As the host does when the disk fails it: the process stops. */
  failNextSync(then: () => void): void {
    if (this.core === null) return
    this.disk.onFailure = () => {
      this.options.world.count('disk: process stopped by a failed sync')
      this.crash()
      then()
    }
  }

  /** Dies while its next write is on the way to the disk. */
  crashInWrite(until: number, then: () => void): void {
    if (this.core === null) return
    const { life } = this
    this.disk.onNextWrite = () => {
      if (life !== this.life || this.options.world.now >= until) return
      this.options.world.count('crash: between write and sync')
      this.crash()
      then()
    }
  }

  /** Dies while its store is being made durable. */
  crashInRound(then: () => void): void {
    if (this.core === null || this.disk.isOutOfRoom) return
    if (!this.store.isInRound) this.store.beginRound()
    this.crash()
    then()
  }

  /** Dies, and finds an empty disk under its old name. */
  wipe(incarnation: string): void {
    this.crash()
    this.disk.wipe()
    this.store.wipe()
    this.incarnation = incarnation
    this.isBroken = false
    this.isStranger = true
    this.options.watcher.onWiped(this)
    this.trace('has an empty disk')
  }

  /** The process stands still: at once, or between its next step and the leaving of its output. */
  pause(micros: number, isInside: boolean): void {
    if (isInside) this.stall = micros
    else this.pausedUntil = Math.max(this.pausedUntil, this.options.world.now + micros)
  }

  /** Makes the store durable, in the background as the host does; it takes a while. */
  flush(): void {
    const { world, random } = this.options
    if (this.core === null || this.store.isInRound || this.disk.isOutOfRoom) return
    const slot = this.store.beginRound()
    this.rounds += 1
    const round = this.rounds
    world.after(random.skewed(100, 20_000), () => {
      if (round !== this.rounds || this.core === null) return
      this.store.endRound()
      this.deliver({ type: 'flushed', slot })
    })
  }

  /** Whatever was to happen to it later does not. */
  spare(): void {
    this.stall = 0
    this.disk.onNextWrite = null
    this.disk.onFailure = null
  }

  handOver(): void {
    this.deliver({ type: 'handOver' })
  }

  /** null while it is down. */
  status(): ReturnType<Replica<Request, Reply>['status']> | null {
    return this.core?.status(this.clock.now()) ?? null
  }

  /** `done` is called once, or never when the process dies first. */
  submit(request: Request, done: (reply: Reply) => void): void {
    const id = this.nextRequest++
    this.waiters.set(id, done)
    this.deliver({ type: 'request', id, request })
  }

  deliver(input: Input<Request>): void {
    if (this.core === null) return
    this.inbox.push(input)
    this.scheduleStep()
  }

  private scheduleStep(): void {
    if (this.isStepDue) return
    this.isStepDue = true
    const { world, latencyMax, random } = this.options
    const { life } = this
    const wait = Math.max(this.pausedUntil - world.now, random.between(0, latencyMax))
    world.after(wait, () => {
      if (life === this.life) this.step()
    })
  }

  private step(): void {
    const { world, random, watcher } = this.options
    this.isStepDue = false
    if (world.now < this.pausedUntil) return this.scheduleStep()
    if (this.core === null) return
    const isSingle = this.inbox.length > 1 && random.chance(0.2)
    const inputs = isSingle ? this.inbox.splice(0, 1) : this.inbox
    if (!isSingle) this.inbox = []
    const output = this.core.step(this.clock.now(), inputs)
    world.note(this.place * 31 + inputs.length)
    for (const event of output.events) watcher.onEvent(this, event)
    watcher.onStep(this)
    if (this.inbox.length > 0) this.scheduleStep()
    if (this.stall > 0) {
      this.pausedUntil = world.now + this.stall
      this.stall = 0
    }
    this.disk.append(output.records, this.diskHooks)
    if (world.now < this.pausedUntil) {
      const { life } = this
      world.after(this.pausedUntil - world.now, () => {
        if (life === this.life) this.emit(output)
      })
    } else this.emit(output)
  }

  private readonly diskHooks = {
    durableState: () => this.core?.durableState() ?? [],
    onDurable: (records: readonly LogRecord[]) => this.options.watcher.onDurable(this, records),
    onSynced: (upTo: number) => this.deliver({ type: 'durable', upTo }),
  }

  private emit(output: Output<Reply>): void {
    const { transmit, watcher, world } = this.options
    const from = { ...this.address, incarnation: this.incarnation }
    for (const { to, message } of output.sends) {
      watcher.onSend(this, message)
      for (const address of to) transmit(from, this.place, address, message)
    }
    for (const { id, reply } of output.replies) {
      const done = this.waiters.get(id)
      if (done === undefined) throw new Error(`request ${id} is answered twice`)
      this.waiters.delete(id)
      done(reply)
    }
    if (output.trimBelow > 0) this.disk.trim(output.trimBelow)
    world.note(output.sends.length * 7 + output.replies.length)
    if (output.hasMore) this.scheduleStep()
    this.wakeAt(output.wakeAt)
  }

  /** At most one tick is under way; one that is not wanted any more does no harm. */
  private wakeAt(micros: number): void {
    const { world, random } = this.options
    if (!Number.isFinite(micros)) return
    const at = Math.max(world.now + 1, this.clock.worldTime(micros))
    if (at >= this.tickAt && this.tickAt > world.now) return
    this.tickAt = at
    const { life } = this
    world.after(at - world.now + random.skewed(0, 1000), () => {
      if (life !== this.life || this.tickAt !== at) return
      this.tickAt = Number.POSITIVE_INFINITY
      this.deliver({ type: 'tick' })
    })
  }

  private trace(what: string): void {
    const { world } = this.options
    world.trace?.(`${world.now} ${this.name} ${what}`)
  }
}
