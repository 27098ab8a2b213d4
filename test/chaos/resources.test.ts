// Clusters of real processes with wrong clocks and without file handles, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, resources')

for (const fault of ['clock-jump', 'out-of-handles']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
