// Clusters of real processes that are killed, stopped, and given wrong clocks, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, processes')

for (const fault of ['kill-leader', 'kill-all', 'pause-leader', 'clock-jump', 'out-of-handles']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
