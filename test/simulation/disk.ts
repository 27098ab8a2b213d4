// A replica's log on a simulated disk: one write with its sync at a time, which takes a while; what
// came meanwhile goes with the next. A crash keeps what is durable and perhaps some of the write that
// was under way. The disk can be slow, full, fail a sync, and damage what lies on it.

import type { LogRecord } from '../../server/paxos/record.ts'
import type { Random } from '../support/random.ts'
import { type DamageKind, LogImage } from './log-image.ts'
import type { World } from './world.ts'

/** µs for one sync of all that waits. */
export type DiskSpeed = { readonly syncMin: number; readonly syncMax: number }

type Hooks = {
  /** Records that begin a new segment. */
  readonly durableState: () => readonly LogRecord[]
  /** These records, in this order, survive any crash from now on. */
  readonly onDurable: (records: readonly LogRecord[]) => void
  /** `upTo`: how many of the records appended since the disk was opened are durable. */
  readonly onSynced: (upTo: number) => void
}

type Opened = {
  readonly records: LogRecord[]
  /** Of these, the ones that the crash left of a write that nobody was told of. */
  readonly untold: readonly LogRecord[]
}

export class Disk {
  speed: DiskSpeed
  /** What is to happen while the next write is under way, once. */
  onNextWrite: (() => void) | null = null
  /** The next sync fails, and this is told: nothing may be built upon this disk in this life. */
  onFailure: (() => void) | null = null
  private readonly world: World
  private readonly random: Random
  private readonly segmentRecords: number
  private log: LogImage
  private waiting: LogRecord[] = []
  private header: readonly LogRecord[] = []
  private syncing: LogRecord[] = []
  private isFull = false
  private hooks: Hooks | null = null
  private appended = 0
  private synced = 0
  private life = 0
  private trimmedBelow = 0
  private told = 0

  constructor(world: World, random: Random, options: DiskSpeed & { segmentRecords: number }) {
    this.world = world
    this.random = random
    this.speed = options
    this.segmentRecords = options.segmentRecords
    this.log = new LogImage(random)
  }

  /** What a replica that starts now finds, as read from its bytes. Throws WalDamageError. */
  open(): Opened {
    this.appended = 0
    this.synced = 0
    this.header = []
    const records = this.log.open()
    const untold = records.slice(this.told)
    this.told = records.length
    return { records, untold }
  }

  append(records: readonly LogRecord[], hooks: Hooks): void {
    if (records.length === 0) return
    this.waiting.push(...records)
    this.appended += records.length
    this.hooks = hooks
    if (this.syncing.length === 0) this.startSync(hooks)
  }

  /** No room for another segment, or room again. */
  setFull(isFull: boolean): void {
    this.isFull = isFull
    if (!isFull && this.syncing.length === 0 && this.waiting.length > 0 && this.hooks !== null) {
      this.startSync(this.hooks)
    }
  }

  get isOutOfRoom(): boolean {
    return this.isFull
  }

  trim(slot: number): void {
    this.trimmedBelow = Math.max(this.trimmedBelow, slot)
    const before = this.told
    const gone = this.log.trim(this.trimmedBelow)
    if (gone === 0) return
    this.told = this.log.count()
    this.world.count('disk: records trimmed', before - this.told)
    this.world.count('disk: segments trimmed', gone)
  }

  /** What is not durable is lost, except perhaps some of the write that was under way. */
  crash(): void {
    const { world, random } = this
    this.life += 1
    this.onNextWrite = null
    this.onFailure = null
    this.hooks = null
    const open = [...this.header, ...this.syncing]
    if (this.waiting.length > 0) world.count('disk: waiting records lost', this.waiting.length)
    this.waiting = []
    this.syncing = []
    if (open.length === 0) return
    const drawn = random.next()
    if (drawn < 0.3) world.count('disk: write lost in a crash')
    else if (drawn < 0.6) {
      world.count('disk: write kept in a crash')
      this.log.append(open)
    } else {
      world.count('disk: write torn in a crash')
      this.log.tear(open)
    }
  }

  /** Everything is gone: another disk. */
  wipe(): void {
    this.log = new LogImage(this.random)
    this.trimmedBelow = 0
    this.told = 0
  }

  /** While nobody uses it. False when there is nothing to damage in this way. */
  damage(kind: DamageKind, random: Random): boolean {
    return this.log.damage(kind, random)
  }

  durable(): LogRecord[] {
    return this.log.durable()
  }

  private startSync(hooks: Hooks): void {
    const isAtEnd = this.log.lastCount >= this.segmentRecords || this.log.lastCount === 0
    if (isAtEnd && this.isFull) {
      this.world.count('disk: waits for room')
      return
    }
    if (this.log.lastCount >= this.segmentRecords) this.log.rotate()
    // As in the real log: its state goes before what else is in a segment's first write.
    this.header = this.log.lastCount === 0 ? hooks.durableState() : []
    this.syncing = this.waiting
    this.waiting = []
    const { life } = this
    const took = this.random.skewed(this.speed.syncMin, this.speed.syncMax)
    const meanwhile = this.onNextWrite
    this.onNextWrite = null
    if (meanwhile !== null) this.world.after(this.random.between(0, took - 1), meanwhile)
    this.world.after(took, () => {
      if (life === this.life) this.endSync(hooks)
    })
  }

  private endSync(hooks: Hooks): void {
    if (this.onFailure !== null) return this.onFailure()
    const done = this.syncing
    this.syncing = []
    const { header } = this
    this.header = []
    this.log.append(header.length === 0 ? done : [...header, ...done])
    this.told += header.length + done.length
    if (header.length > 0) this.trim(0)
    this.synced += done.length
    hooks.onDurable(done)
    if (this.waiting.length > 0) this.startSync(hooks)
    hooks.onSynced(this.synced)
  }
}
