// One group under the worst of luck: any message next, doubled, lost or much later, disks that finish
// when they like, power cuts, an emptied disk, tiny logs so that snapshots are common, leases and
// elections at random times. Each write is one letter of a text, so every copy of the state shows
// at a glance whether it is a beginning of all others.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Settings } from '../../server/paxos/settings.ts'
import { DirectedGroup, type OnWire } from '../support/directed-group.ts'
import { Random } from '../support/random.ts'

const test = suite('agreement by chance')

const SEEDS = Number(process.env.SEEDS ?? 200)
const FROM = Number(process.env.FROM ?? 1)
const STEPS = 1_500
/** Undelivered messages: what is older than these is lost. */
const WIRE_MAX = 30
/** µs that pass at once: much time makes elections, little makes decisions. */
const PACES = [
  [1_000, 5_000, 20_000],
  [1_000, 20_000, 100_000],
  [1_000, 100_000, 1_000_000],
] as const

type Read = { readonly id: number; readonly atLeast: string }

class Run {
  readonly group: DirectedGroup
  private readonly random: Random
  private readonly count: number
  /** The longest text that any replica has ever held. */
  private longest = ''
  /** The longest text that any client was told. */
  private told = ''
  private letters = 0
  private writes: { readonly id: number; readonly letter: string }[] = []
  private reads: Read[] = []
  private readonly said: OnWire[] = []
  private emptied: number | null = null
  /** Messages pass between these alone; what others said waits. */
  private connected: readonly number[] = []
  private pace: readonly number[] = PACES[1]

  constructor(seed: number) {
    this.random = new Random(seed, 'agreement by chance')
    const { random } = this
    this.count = random.pick([3, 3, 3, 5])
    const settings: Partial<Settings> = {
      electionMax: 900_000,
      batchOps: random.pick([1, 3]),
      pipelineSlots: random.pick([1, 4]),
      retainedBytes: random.pick([600, 1e6]),
      snapshotChunkBytes: random.pick([1, 1e6]),
      readPath: random.pick(['quorum', 'lease']),
    }
    this.group = new DirectedGroup(this.count, settings)
    this.change()
  }

  play(): void {
    for (let step = 0; step < STEPS; step++) {
      this.step()
      this.check()
    }
    this.heal()
  }

  private step(): void {
    const { group, random } = this
    const replica = random.chance(0.9)
      ? random.pick(this.connected)
      : random.between(0, this.count - 1)
    const chance = random.next()
    if (chance < 0.55) this.pass(random.pick([1, 1, 1, 1, 2, 0]))
    else if (chance < 0.75) this.sync(replica)
    else if (chance < 0.82) this.write(this.leaderOr(replica))
    else if (chance < 0.86) this.read(this.leaderOr(replica))
    else if (chance < 0.88) this.repeat()
    else if (chance < 0.96) this.wait(random.pick(this.pace))
    else if (chance < 0.99) group.step(replica, { type: 'tick' })
    else this.crash(replica)
  }

  /** Some replica that takes itself for the leader, most of the time. */
  private leaderOr(replica: number): number {
    const { group, random } = this
    if (random.chance(0.2)) return replica
    const leaders = [...group.lives.keys()].filter(one => group.status(one).role === 'leader')
    return leaders.length === 0 ? replica : random.pick(leaders)
  }

  /** One message of the wire arrives so many times; 0: it is lost. */
  private pass(times: number): void {
    const { group, random } = this
    group.wire.splice(0, Math.max(0, group.wire.length - WIRE_MAX))
    if (random.chance(0.02)) this.change()
    const [item] = random.shuffled(group.wire.filter(one => this.reaches(one)))
    if (item === undefined) return
    group.wire.splice(group.wire.indexOf(item), 1)
    this.said.push(item)
    for (let count = 0; count < times; count++) group.inject(item)
  }

  private reaches({ from, to }: OnWire): boolean {
    return this.connected.includes(from.replica) && this.connected.includes(to)
  }

  /** Others reach each other from now on, and time passes at another pace. */
  private change(): void {
    const { random, count } = this
    const all = random.shuffled(Array.from({ length: count }, (_, replica) => replica))
    this.connected = all.slice(0, random.between(2, count))
    this.pace = random.pick(PACES)
  }

  /** Something that was said before, perhaps long ago, arrives again. */
  private repeat(): void {
    if (this.said.length > 0) this.group.inject(this.random.pick(this.said))
  }

  /** The disk has finished some of what it was given. */
  private sync(replica: number): void {
    const life = this.group.life(replica)
    life.durable = this.random.between(life.durable, life.records.length)
    this.group.step(replica, { type: 'durable', upTo: life.durable - life.base })
  }

  private write(replica: number): void {
    const letter = String.fromCharCode(0x4e00 + this.letters)
    this.letters += 1
    this.writes.push({ id: this.group.request(replica, letter), letter })
  }

  private read(replica: number): void {
    const atLeast = this.told
    this.reads.push({ id: this.group.request(replica, 'read'), atLeast })
  }

  private wait(micros: number): void {
    for (const life of this.group.lives) life.micros += micros
    this.group.step(this.random.pick(this.connected), { type: 'tick' })
  }

  /** Once in a run the disk is emptied, too: the replica has no vote from then on. */
  private crash(replica: number): void {
    const isEmptied = this.emptied === null && this.random.chance(0.1)
    if (isEmptied) this.emptied = replica
    this.group.restart(replica, isEmptied)
  }

  private check(): void {
    for (const [replica, { machine }] of this.group.lives.entries()) {
      const { log } = machine
      if (log.startsWith(this.longest)) this.longest = log
      assert.ok(this.longest.startsWith(log), `${replica} holds ${log}, not ${this.longest}`)
    }
    this.writes = this.writes.filter(({ id, letter }) => {
      const reply = this.group.replies.get(id)
      if (reply?.type !== 'ok') return reply === undefined
      assert.ok(reply.log?.endsWith(letter), `${letter} is answered with ${reply.log}`)
      this.tell(reply.log ?? '')
      return false
    })
    this.reads = this.reads.filter(({ id, atLeast }) => {
      const reply = this.group.replies.get(id)
      if (reply?.type !== 'ok') return reply === undefined
      const text = reply.log ?? ''
      assert.ok(text.startsWith(atLeast), `read ${text} after ${atLeast} was told`)
      this.tell(text)
      return false
    })
  }

  private tell(text: string): void {
    if (text.length > this.told.length) this.told = text
    assert.ok(this.told.startsWith(text), `told ${text} and ${this.told}`)
  }

  private heal(): void {
    const { group } = this
    group.pass(5_000)
    this.check()
    const isLeader = (replica: number) => group.status(replica).role === 'leader'
    const leader = [...group.lives.keys()].find(isLeader)
    assert.ok(leader !== undefined, 'one leads in the end')
    this.write(leader)
    group.pass(2_000)
    this.check()
    for (const { machine } of group.lives) assert.is(machine.log, this.longest)
    assert.ok(this.longest.startsWith(this.told), 'nothing is lost that was told')
    assert.is(new Set(this.longest).size, this.longest.length, 'nothing is there twice')
  }
}

test('whatever happens to one group, all copies and all answers are of one history', () => {
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    try {
      new Run(seed).play()
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`seed ${seed}: ${reason}`, { cause })
    }
  }
})

test.run()
