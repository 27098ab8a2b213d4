import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SlotMap } from '../../server/paxos/slot-map.ts'
import { Random } from '../support/random.ts'

const test = suite('slot map')

test('it holds what a map holds, in the order of slots, whatever comes and goes', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed, 'slots')
    const plain = new Map<number, number>()
    const map = new SlotMap<number>()
    let low = 100
    for (let step = 0; step < 3000; step++) {
      const slot = low + random.between(0, 199)
      if (random.chance(0.5)) {
        plain.set(slot, step)
        map.set(slot, step)
      } else {
        plain.delete(low)
        map.delete(low)
        if (random.chance(0.9)) low += 1
        else low = Math.max(0, low - random.between(0, 49))
      }
      const seen = low + random.between(0, 299) - 50
      assert.is(map.get(seen), plain.get(seen), `seed ${seed} step ${step}`)
      assert.is(map.size, plain.size, `seed ${seed} step ${step}`)
    }
    const inOrder = [...plain].sort(([left], [right]) => left - right)
    assert.equal([...map], inOrder, `seed ${seed}`)
    for (const [slot] of map) map.delete(slot)
    assert.equal([map.size, [...map]], [0, []], `seed ${seed}`)
  }
})

test.run()
