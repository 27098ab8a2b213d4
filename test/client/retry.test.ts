import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ShardglassError } from '../../server/client/error.ts'
import { backoffMs, untilDone } from '../../server/client/retry.ts'

const test = suite('retry')

const refusal = new ShardglassError({ code: 'no-leader', detail: '', outcome: 'not_applied' })

test('pauses double up to 150 ms, each with as much chance as certainty', () => {
  for (let tries = 0; tries < 100; tries++) {
    const ceiling = Math.min(150, 10 * 2 ** tries)
    const waitMs = backoffMs(tries)
    assert.ok(waitMs >= ceiling / 2 && waitMs <= ceiling, `${tries}: ${waitMs} ms`)
  }
})

test('a second without a leader is over for a client soon after it is over', async () => {
  const startedAt = performance.now()
  let lastRefusedAt = 0
  const doneAt = await untilDone({ timeoutMs: 10_000 }, async () => {
    if (performance.now() - startedAt > 1_000) {
      return { type: 'done' as const, value: performance.now() }
    }
    lastRefusedAt = performance.now()
    return { type: 'again' as const, error: refusal }
  })
  // A pause, and what a busy machine adds to it.
  assert.ok(doneAt - lastRefusedAt < 350, `${doneAt - lastRefusedAt} ms`)
})

test.run()
