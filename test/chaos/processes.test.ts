// Clusters of real processes that are killed and stopped, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, processes')

for (const fault of ['kill-leader', 'kill-all', 'pause-leader']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
