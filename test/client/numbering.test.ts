import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Numbering, type Numbers } from '../../server/client/numbering.ts'
import { CLIENT_OUTSTANDING_MAX } from '../../server/limits.ts'

const test = suite('numbering')

type Step = { readonly take: number } | { readonly release: number }

const steps = fc.array(
  fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ release: fc.nat() }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 300 },
)

test('no number is given twice, none under way is said to be over, and lanes stay narrow', () => {
  fc.assert(
    fc.property(steps, script => {
      const numbering = new Numbering()
      const out: { numbers: Numbers; left: number }[] = []
      const given = new Set<string>()
      for (const step of script) {
        if ('take' in step) {
          const numbers = numbering.take(step.take)
          for (let index = 0; index < step.take; index++) {
            const name = `${numbers.client}/${numbers.first + index}`
            assert.not(given.has(name), name)
            given.add(name)
          }
          out.push({ numbers, left: step.take })
        } else if (out.length > 0) {
          const at = step.release % out.length
          const held = out[at]!
          numbering.release(held.numbers)
          held.left -= 1
          if (held.left === 0) out.splice(at, 1)
        }
        for (const { numbers } of out) assert.ok(numbering.acked(numbers) < numbers.first)
        assert.ok(spansAreNarrow(out.map(({ numbers }) => numbers)))
      }
    }),
  )
})

test('numbers that are over are said to be over', () => {
  const numbering = new Numbering()
  const [first, second, third] = [numbering.take(1), numbering.take(1), numbering.take(1)]
  numbering.release(second)
  assert.is(numbering.acked(third), 0, 'the first is still under way')
  numbering.release(first)
  assert.is(numbering.acked(third), 2)
})

/** Numbers of one lane that are out at once lie close together, unless it is one large batch. */
function spansAreNarrow(out: readonly Numbers[]): boolean {
  const lanes = new Map<string, Numbers[]>()
  for (const numbers of out) {
    lanes.set(numbers.client, [...(lanes.get(numbers.client) ?? []), numbers])
  }
  return [...lanes.values()].every(lane => {
    const low = Math.min(...lane.map(({ first }) => first))
    const high = Math.max(...lane.map(({ first, count }) => first + count - 1))
    return lane.length === 1 || high - low < CLIENT_OUTSTANDING_MAX
  })
}

test.run()
