// Clusters of real processes whose networks are cut and lose packets, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, networks')

for (const fault of ['cut-leader', 'cut-bridge', 'one-way', 'loss', 'delay']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
