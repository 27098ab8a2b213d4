// Clusters of real processes whose networks are cut, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, partitions')

for (const fault of ['cut-leader', 'cut-bridge', 'one-way']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
