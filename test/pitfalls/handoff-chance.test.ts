// Moves under the worst of luck: in any order, steps of two or three groups, parts of shards lost,
// doubled and repeated much later, power cuts with stores of any age, configurations that give any
// shard to any group or to nobody, while a client of each key adds to a chain that shows every
// write that was lost, doubled or reordered.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fnv1aBytes } from '../../server/bytes.ts'
import { DirectedShards, KEYS, type Passing } from '../support/directed-shards.ts'
import { Random } from '../support/random.ts'

const test = suite('handoffs by chance')

const SEEDS = Number(process.env.SEEDS ?? 100)
const STEPS = 250

/** One client of one key: each link of its chain is tried anywhere until it is answered. */
class Chain {
  readonly key: string
  value = ''
  number = 0
  /** Attempts of the link under way, any of which may have run. */
  attempts: string[] = []
  private isUnderWay = false

  constructor(key: string) {
    this.key = key
  }

  get text(): string {
    return `link ${this.number}`
  }

  attempt(world: DirectedShards, gid: number): void {
    if (!this.isUnderWay) {
      this.number += 1
      this.isUnderWay = true
    }
    const { key, number } = this
    const session = { client: `of ${key}`, number, acked: number - 1 }
    this.attempts.push(world.puthash(gid, key, this.text, session))
  }

  look(world: DirectedShards): void {
    for (const id of this.attempts) {
      const said = world.said(id)
      if (!said.startsWith('ok')) continue
      assert.is(said, `ok(${this.value})`, `${this.key}, ${this.text}`)
      const bytes = Buffer.from(this.value + this.text)
      this.value = String(fnv1aBytes(bytes))
      this.attempts = []
      this.isUnderWay = false
      return
    }
  }
}

class Run {
  readonly world: DirectedShards
  private readonly random: Random
  private readonly chains = KEYS.map(key => new Chain(key))
  private readonly said: Passing[] = []

  constructor(seed: number) {
    this.random = new Random(seed, 'handoffs by chance')
    this.world = new DirectedShards(this.random.between(2, 3))
    this.reconfigure()
    this.world.settle()
  }

  play(): void {
    for (let step = 0; step < STEPS; step++) {
      this.step()
      this.check()
    }
    this.heal()
  }

  private step(): void {
    const { world, random } = this
    const gid = random.pick(world.gids)
    const chance = random.next()
    if (chance < 0.2) random.pick(this.chains).attempt(world, gid)
    else if (chance < 0.45) world.sync(gid)
    else if (chance < 0.55) world.tell(gid, random.between(0, world.configs.length))
    else if (chance < 0.75) this.pass(random.pick([1, 1, 1, 2, 0]))
    else if (chance < 0.8) this.repeat()
    else if (chance < 0.86) world.micros += random.pick([1_000, 50_000, 2_000_000])
    else if (chance < 0.9) world.flush(gid)
    else if (chance < 0.93) world.restart(gid)
    else if (chance < 0.96) this.reconfigure()
    else for (const each of world.gids) world.sync(each)
  }

  /** A part or its answer arrives so many times; 0: it is lost. */
  private pass(times: number): void {
    const { world } = this
    if (world.wire.length === 0) return
    const [item] = world.wire.splice(this.random.between(0, world.wire.length - 1), 1)
    if (item === undefined) return
    this.said.push(item)
    for (let count = 0; count < times; count++) world.inject(item)
  }

  /** Something from long ago comes again. */
  private repeat(): void {
    if (this.said.length > 0) this.world.inject(this.random.pick(this.said))
  }

  private reconfigure(): void {
    const { world, random } = this
    const before = world.configs.at(-1)?.shards ?? []
    const isEmpty = random.chance(0.1)
    const owners = before.map(gid => (random.chance(0.4) ? random.pick(world.gids) : gid))
    world.configure(...(isEmpty ? owners.map(() => 0) : owners))
  }

  private check(): void {
    const { world } = this
    for (const chain of this.chains) chain.look(world)
    for (const shard of KEYS.keys()) {
      const serving = world.gids.filter(gid => world.phases(gid)[shard] === 'serving')
      assert.ok(serving.length <= 1, `shard ${shard} is served by ${serving}`)
    }
  }

  private heal(): void {
    const { world } = this
    world.configure(...KEYS.map(() => this.random.pick(world.gids)))
    world.pass(5_000)
    const { shards, num } = world.configs.at(-1) ?? { shards: [], num: 0 }
    for (const gid of world.gids) assert.is(world.adopted(gid), num)
    for (const [shard, owner] of shards.entries()) {
      for (const gid of world.gids) {
        const phase = gid === owner ? 'serving' : 'absent'
        assert.is(world.phases(gid)[shard], phase, `shard ${shard} in group ${gid}`)
        if (gid !== owner) assert.is(world.held(gid, shard), 0)
      }
      const chain = this.chains[shard]
      chain?.attempt(world, owner)
      world.settle()
      chain?.look(world)
      assert.equal(chain?.attempts, [], `${chain?.key} is answered in the end`)
    }
  }
}

test('whatever happens to moves, each write runs once and each shard ends where it belongs', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      new Run(seed).play()
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`seed ${seed}: ${reason}`, { cause })
    }
  }
})

test.run()
