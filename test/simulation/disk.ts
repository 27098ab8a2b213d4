// A replica's log on a simulated disk: records become durable in order, after a while; a crash keeps
// what is durable and perhaps a first part of the rest. Segments go as they do in the real log.

import { decodeRecord, encodeRecord, type LogRecord, slotOf } from '../../server/paxos/record.ts'
import type { Random } from '../support/random.ts'
import type { World } from './world.ts'

/** µs for one sync of all that waits. */
export type DiskSpeed = { readonly syncMin: number; readonly syncMax: number }

type Segment = { records: LogRecord[]; highestSlot: number }

type Hooks = {
  /** Records that begin a new segment. */
  readonly durableState: () => readonly LogRecord[]
  /** These records, in this order, survive any crash from now on. */
  readonly onDurable: (records: readonly LogRecord[]) => void
  /** `upTo`: how many of the records appended since the disk was opened are durable. */
  readonly onSynced: (upTo: number) => void
}

export class Disk {
  speed: DiskSpeed
  private readonly world: World
  private readonly random: Random
  private readonly segmentRecords: number
  private segments: Segment[] = [{ records: [], highestSlot: 0 }]
  private waiting: LogRecord[] = []
  private syncing: LogRecord[] = []
  private appended = 0
  private synced = 0
  private life = 0
  private trimmedBelow = 0

  constructor(world: World, random: Random, options: DiskSpeed & { segmentRecords: number }) {
    this.world = world
    this.random = random
    this.speed = options
    this.segmentRecords = options.segmentRecords
  }

  /** What a replica that starts now finds, as read from its bytes. */
  open(): LogRecord[] {
    this.appended = 0
    this.synced = 0
    return this.durable().map(record => decodeRecord(encodeRecord(record)))
  }

  append(records: readonly LogRecord[], hooks: Hooks): void {
    if (records.length === 0) return
    this.waiting.push(...records)
    this.appended += records.length
    if (this.syncing.length === 0) this.startSync(hooks)
  }

  /** Segments that hold only slots below `slot`, and are not the last one, go. */
  trim(slot: number): void {
    this.trimmedBelow = Math.max(this.trimmedBelow, slot)
    let gone = 0
    while (gone < this.segments.length - 1) {
      const segment = this.segments[gone]
      if (segment === undefined || segment.highestSlot >= this.trimmedBelow) break
      gone += 1
    }
    if (gone === 0) return
    this.segments.splice(0, gone)
    this.world.count('disk: segments trimmed', gone)
  }

  /** What is not durable is lost, except perhaps a first part of it, which is returned. */
  crash(): LogRecord[] {
    this.life += 1
    const open = [...this.syncing, ...this.waiting]
    this.syncing = []
    this.waiting = []
    if (open.length === 0) return []
    const kept = open.slice(0, this.random.chance(0.5) ? 0 : this.random.between(0, open.length))
    this.world.count('disk: records lost in a crash', open.length - kept.length)
    for (const record of kept) this.keep(record)
    return kept
  }

  durable(): LogRecord[] {
    return this.segments.flatMap(segment => segment.records)
  }

  private startSync(hooks: Hooks): void {
    this.syncing = this.waiting
    this.waiting = []
    const { life } = this
    const took = this.random.skewed(this.speed.syncMin, this.speed.syncMax)
    this.world.after(took, () => {
      if (life === this.life) this.endSync(hooks)
    })
  }

  private endSync(hooks: Hooks): void {
    const done = this.syncing
    this.syncing = []
    for (const record of done) this.keep(record)
    this.synced += done.length
    hooks.onDurable(done)
    const last = this.segments.at(-1)
    if (last !== undefined && last.records.length >= this.segmentRecords) {
      this.segments.push({ records: [...hooks.durableState()], highestSlot: 0 })
      this.trim(0)
    }
    if (this.waiting.length > 0) this.startSync(hooks)
    hooks.onSynced(this.synced)
  }

  private keep(record: LogRecord): void {
    const last = this.segments.at(-1)
    if (last === undefined) return
    last.records.push(record)
    last.highestSlot = Math.max(last.highestSlot, slotOf(record))
  }
}
