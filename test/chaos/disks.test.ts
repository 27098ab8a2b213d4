// Clusters of real processes whose disks fail, fill and slow down, under clients and moves.

import { suite } from 'uvu'
import { shortChaos } from '../support/chaos-program.ts'

const test = suite('chaos, disks')

for (const fault of ['full-disk', 'slow-disk', 'sync-error']) {
  test(`nothing is lost or told wrong: ${fault}`, () => shortChaos(fault))
}

test.run()
