// Clusters of real processes whose machines lose power, under clients and moves; and power cuts over and
// over, with their control.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chaosProgram, shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, power cuts')

test('nothing is lost or told wrong: power-cut-all', () => shortChaos('power-cut-all'))

test('power cuts lose no answered write, and do when syncs only claim to have happened', async () => {
  const output = await chaosProgram('run-powercut', ['--cycles', '4', '--control-cycles', '10'])
  if (output === null) return
  assert.match(output, /cycle \d+: \d+ lost/)
  assert.match(output, /4 cuts, .* none lost/)
})

test.run()
