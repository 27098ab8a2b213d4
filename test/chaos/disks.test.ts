// Clusters of real processes whose disks fail, fill, slow down and lose power, under clients and moves;
// and power cuts over and over, with their control.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chaosProgram, shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, disks')

for (const fault of ['full-disk', 'slow-disk', 'sync-error', 'power-cut-all']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test('power cuts lose no answered write, and do when syncs only claim to have happened', async () => {
  const output = await chaosProgram('run-powercut', ['--cycles', '4', '--control-cycles', '10'])
  if (output === null) return
  assert.match(output, /cycle \d+: \d+ lost/)
  assert.match(output, /4 cuts, .* none lost/)
})

test.run()
