// A sample of the crash points of ops/chaos/crash-points.ts; npm run crashpoints visits all.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chaosProgram } from '../support/chaos-program.ts'

const test = suite('crash points')

test('what was acknowledged is there after a stop and a power cut at some operations', async () => {
  const output = await chaosProgram('run-crashpoints', ['--every', '29'])
  if (output === null) return
  const [points = 0, wrong = -1] = [...(output.split('\n').at(-2)?.matchAll(/\d+/g) ?? [])]
    .map(Number)
    .slice(-2)
  assert.ok(points >= 10 && wrong === 0, output)
})

test.run()
