// Clusters of real processes whose networks lose packets or are slow, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, bad lines')

for (const fault of ['loss', 'delay']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
