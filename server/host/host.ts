// The one shell around a replica's core: feeds it inputs and does what it says, in the order that
// contract.ts promises. All inputs of one turn of the event loop go into one step, so that what
// arrives together is proposed, written and sent together.
// A stall of this process needs no detector: `now` is taken right before each step, and a tick goes
// behind the messages that waited in the sockets, so the core itself sees how late it is.

import type { Backend, NodeStatus } from '../backend.ts'
import type { Event, Input, Message, Now, Output, Replica, Sender } from '../contract.ts'
import {
  HEARTBEAT_MS,
  STOP_FINISH_MS,
  STORE_FLUSH_LOG_BYTES,
  STORE_FLUSH_MS,
  WAITERS_MAX,
} from '../limits.ts'
import type { Slot } from '../paxos/message.ts'
import type { LogRecord } from '../paxos/record.ts'
import type { Clock } from './clock.ts'
import type { Transport } from './transport.ts'
import { Waiters } from './waiters.ts'

/** The write-ahead log, as far as the host uses it (wal.ts). */
export type HostLog = {
  append(payload: Uint8Array, slot: Slot): number
  flush(): void
  trimBelow(slot: Slot): void
  close(): Promise<void> | void
}

/** The store's durability; the core itself reads and writes it. */
export type HostStore = {
  /** Ends when all that was applied before the call is durable. */
  flush(): Promise<void> | void
  close?(): Promise<void> | void
}

export type HostOptions<Request, Reply> = {
  readonly replica: Replica<Request, Reply>
  /** Null: nothing is kept (`--storage memory`), and everything counts as durable. */
  readonly log: HostLog | null
  readonly store: HostStore
  readonly transport: Pick<Transport<Request, Reply>, 'send' | 'flush'>
  readonly clock: Clock
  /** What a request is told that is not even shown to the core. */
  readonly overloaded: Reply
  /** The process's part of `/v1/status`. */
  readonly node: Pick<NodeStatus, 'kind' | 'cluster' | 'version'>
  /** The last slot in the store. Asked once a step at most. */
  appliedSlot(): Slot
  encodeRecord(record: LogRecord): Uint8Array
  /** The slot that a record belongs to, 0 for none. */
  slotOf(record: LogRecord): Slot
  onEvents(events: readonly Event[], now: Now): void
  /** The process must stop now. Called once; the core is not stepped any more. */
  onFatal(error: unknown): void
}

/** Plain figures for metrics. */
export type HostCounters = {
  steps: number
  inputs: number
  records: number
  recordBytes: number
  storeFlushes: number
  /** Time spent in the core, in µs, in all. */
  stepMicros: number
}

export interface Host<Request, Reply> extends Backend<Request, Reply> {
  /** For the transport's `onMessage`. */
  deliver(from: Sender, message: Message): void
  /** For the log's `onDurable`. Records count from 1 since the log was opened. */
  onDurable(upTo: number): void
  /** For the log's `onFailure`, and all else without which the replica cannot go on. */
  fail(error: unknown): void
  /** Gives the leadership to another replica, if this one has it; it goes on as a follower. */
  handOver(): void
  /** Requests that wait for their reply. */
  readonly waiting: number
  readonly counters: HostCounters
  /**
   * Gives the leadership away and finishes requests, for up to `graceMs` in all, then makes store
   * and log durable and closes them. The transport must still run; it is closed by the caller afterwards.
   */
  stop(options: { readonly graceMs: number }): Promise<void>
}

/** Starts the replica: its first step comes in the next turn. */
export function createHost<Request, Reply>(
  options: HostOptions<Request, Reply>,
): Host<Request, Reply> {
  return new ReplicaHost(options)
}

const TIMER_MS_MAX = 2 ** 31 - 1
/** A follower is heard again after a heartbeat: what would wake it before, and need not, is moved. */
const TIMER_STALE_MICROS = 2 * HEARTBEAT_MS * 1000
const TIMER_SLACK_MICROS = 50_000

/** `stopping`: the grace of `stop`; `stopped`: no more steps; `failed`: none, and nothing is closed. */
type Life = 'running' | 'stopping' | 'stopped' | 'failed'

class ReplicaHost<Request, Reply> implements Host<Request, Reply> {
  readonly counters: HostCounters = {
    steps: 0,
    inputs: 0,
    records: 0,
    recordBytes: 0,
    storeFlushes: 0,
    stepMicros: 0,
  }
  private readonly options: HostOptions<Request, Reply>
  private readonly startedAt: number
  private readonly waiters = new Waiters<Reply>()
  private inputs: Input<Request>[] = []
  private life: Life = 'running'
  private turn: NodeJS.Immediate | null = null

  /** Records made durable, and how many of them the core knows of. */
  private durable = 0
  private durableAt = 0
  /** Records were appended to the log that it was not yet asked to write. */
  private isUnwritten = false
  private announced = 0

  /** µs of the clock; Infinity for never. */
  private wakeAt = 0
  private flushAt = Number.POSITIVE_INFINITY
  private timer: NodeJS.Timeout | null = null
  private timerAt = Number.POSITIVE_INFINITY

  private flushing: Promise<void> | null = null
  private flushedSlot: Slot = 0
  private unflushedLogBytes = 0
  /** Set while `stop` waits for the core to be done. */
  private onQuiet: (() => void) | null = null
  private finishing: NodeJS.Timeout | null = null

  constructor(options: HostOptions<Request, Reply>) {
    this.options = options
    this.startedAt = options.clock.now().micros
    this.schedule()
  }

  get waiting(): number {
    return this.waiters.size
  }

  submit(request: Request, done: (reply: Reply) => void): void {
    if (this.life === 'stopped' || this.waiters.size >= WAITERS_MAX) {
      queueMicrotask(() => done(this.options.overloaded))
      return
    }
    this.feed({ type: 'request', id: this.waiters.add(done), request })
  }

  deliver(from: Sender, message: Message): void {
    this.feed({ type: 'message', from, message })
  }

  onDurable(upTo: number): void {
    this.durable = Math.max(this.durable, upTo)
    this.durableAt = this.options.clock.now().micros
    this.schedule()
  }

  status(): NodeStatus {
    const { replica, clock, node, log } = this.options
    const now = clock.now()
    return {
      ...replica.status(now),
      ...node,
      uptimeSeconds: (now.micros - this.startedAt) / 1e6,
      storage: log === null ? 'memory' : 'disk',
    }
  }

  handOver(): void {
    if (this.life === 'running') this.feed({ type: 'handOver' })
  }

  fail(error: unknown): void {
    if (this.life === 'failed') return
    this.life = 'failed'
    this.halt()
    this.onQuiet?.()
    this.options.onFatal(error)
  }

  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    if (this.life !== 'running') return
    this.life = 'stopping'
    this.feed({ type: 'handOver' })
    await this.quiet(graceMs)
    if (this.isOver) return
    this.life = 'stopped'
    this.halt()
    try {
      await this.flushing
      await this.options.store.flush()
      await this.options.log?.close()
      await this.options.store.close?.()
    } catch (error) {
      this.fail(error)
    }
  }

  private get isOver(): boolean {
    return this.life === 'failed' || this.life === 'stopped'
  }

  private feed(input: Input<Request>): void {
    if (this.isOver) return
    this.inputs.push(input)
    this.schedule()
  }

  private schedule(): void {
    if (this.turn !== null || this.isOver) return
    this.turn = setImmediate(() => {
      this.turn = null
      this.guarded(() => this.step())
    })
  }

  /** Whatever goes wrong in here leaves a state that must not be built upon. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  /**
   * The leader's next batch leaves before the last one is applied and answered, and its own disk
   * comes last, since a quorum may well decide without it.
   */
  private step(): void {
    const { clock } = this.options
    const now = clock.now()
    let output = this.stepCore(now, this.takeInputs(now))
    while (output.hasMore && !output.isAwaited && !this.isOver) {
      output = this.stepCore(clock.now(), [])
    }
    if (this.isOver) return
    this.writeLog()
    if (output.hasMore) this.schedule()
    this.considerFlush(now.micros)
    this.arm(now.micros)
    this.considerQuiet()
  }

  private stepCore(now: Now, inputs: readonly Input<Request>[]): Output<Reply> {
    const { replica, clock } = this.options
    const output = replica.step(now, inputs)
    this.counters.steps += 1
    this.counters.inputs += inputs.length
    this.counters.stepMicros += clock.now().micros - now.micros
    this.wakeAt = output.wakeAt
    this.perform(output, now)
    return output
  }

  /** Durability first: what it allows to be said need not wait. The tick last: see above. */
  private takeInputs(now: Now): readonly Input<Request>[] {
    const inputs = this.inputs
    this.inputs = []
    if (this.durable > this.announced) {
      this.announced = this.durable
      inputs.unshift({ type: 'durable', upTo: this.durable, at: this.durableAt })
    }
    if (now.micros >= this.wakeAt) inputs.push({ type: 'tick' })
    return inputs
  }

  private perform(output: Output<Reply>, now: Now): void {
    const { transport, log, onEvents } = this.options
    this.append(output.records)
    for (const { to, message } of output.sends) transport.send(to, message)
    transport.flush()
    if (output.isAwaited) this.writeLog()
    for (const { id, reply } of output.replies) this.answer(id, reply)
    if (output.events.length > 0) onEvents(output.events, now)
    if (output.trimBelow > 0) log?.trimBelow(output.trimBelow)
  }

  private writeLog(): void {
    if (!this.isUnwritten) return
    this.isUnwritten = false
    this.options.log?.flush()
  }

  private append(records: readonly LogRecord[]): void {
    const { log, encodeRecord, slotOf } = this.options
    this.isUnwritten ||= records.length > 0
    this.counters.records += records.length
    if (log === null) {
      if (records.length > 0) this.onDurable(this.counters.records)
      return
    }
    for (const record of records) {
      const payload = encodeRecord(record)
      log.append(payload, slotOf(record))
      this.counters.recordBytes += payload.length
      this.unflushedLogBytes += payload.length
    }
  }

  private answer(id: number, reply: Reply): void {
    this.waiters.take(id)?.(reply)
  }

  /** One timer for all: it may come early, and then only looks at the clock. */
  private arm(now: number): void {
    const at = Math.min(this.wakeAt, this.flushAt)
    if (at === Number.POSITIVE_INFINITY) return
    // Moved on before it wakes the process for nothing, but not by a busy replica's every step.
    const isStale =
      this.timerAt - now < TIMER_STALE_MICROS && at - this.timerAt > TIMER_SLACK_MICROS
    if (at >= this.timerAt && !isStale) return
    if (this.timer !== null) clearTimeout(this.timer)
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(1, Math.ceil((at - now) / 1000)))
    this.timerAt = at
    this.timer = setTimeout(() => this.onTimer(), delayMs)
  }

  private onTimer(): void {
    this.timer = null
    this.timerAt = Number.POSITIVE_INFINITY
    const now = this.options.clock.now().micros
    if (now >= this.wakeAt) {
      this.schedule()
      return
    }
    this.guarded(() => this.considerFlush(now))
    this.arm(now)
  }

  /** Not at each change: a flush costs the disk, and the log holds what is not flushed yet. */
  private considerFlush(now: number): void {
    if (this.flushing !== null) return
    if (this.flushAt === Number.POSITIVE_INFINITY) {
      if (this.options.appliedSlot() <= this.flushedSlot) return
      this.flushAt = now + STORE_FLUSH_MS * 1000
    }
    if (now < this.flushAt && this.unflushedLogBytes < STORE_FLUSH_LOG_BYTES) return
    this.flushAt = Number.POSITIVE_INFINITY
    this.unflushedLogBytes = 0
    this.counters.storeFlushes += 1
    this.flushing = this.flushStore(this.options.appliedSlot())
  }

  /** `slot` was read before the flush began: at least so much is durable when it ends. */
  private async flushStore(slot: Slot): Promise<void> {
    try {
      await this.options.store.flush()
      this.flushing = null
      this.flushedSlot = slot
      this.feed({ type: 'flushed', slot })
    } catch (error) {
      this.fail(error)
    }
  }

  /**
   * Looks whether `stop` may go on: the core has seen `handOver`, leads no more, and owes nobody an
   * answer. Who still waits a while after that waits for something else, such as a new config.
   */
  private considerQuiet(): void {
    if (this.onQuiet === null || this.inputs.length > 0) return
    if (this.options.replica.status(this.options.clock.now()).role === 'leader') return
    if (this.waiters.size === 0) this.onQuiet()
    else this.finishing ??= setTimeout(() => this.onQuiet?.(), STOP_FINISH_MS)
  }

  private quiet(graceMs: number): Promise<void> {
    return new Promise(resolve => {
      const finish = () => {
        clearTimeout(timer)
        if (this.finishing !== null) clearTimeout(this.finishing)
        this.onQuiet = null
        resolve()
      }
      const timer = setTimeout(finish, graceMs)
      this.onQuiet = finish
    })
  }

  private halt(): void {
    if (this.turn !== null) clearImmediate(this.turn)
    if (this.timer !== null) clearTimeout(this.timer)
    this.turn = null
    this.timer = null
    this.waiters.clear()
    this.inputs = []
  }
}
