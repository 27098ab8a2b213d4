// What a cluster costs that nobody uses. The bounds are generous: on a machine that others use too,
// every wakeup costs more. `npm run idle` prints the figures.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { IdleCluster, type IdleCost } from '../support/idle-cluster.ts'

const test = suite('idle cluster')
const PERCENT_MAX = 10
/** 27 MB of it are the OpenTelemetry SDK. */
const RSS_BYTES_MAX = 150e6
const WINDOW_SECONDS = 5
/** Code is compiled and the first rounds are written in the beginning. */
const WINDOWS_MAX = 10

test('a cluster that nobody uses costs little of one core, and little memory', async () => {
  const cluster = await IdleCluster.start()
  try {
    const seen: IdleCost[] = []
    do seen.push(await cluster.measure(WINDOW_SECONDS))
    while ((seen.at(-1)?.percent ?? 0) >= PERCENT_MAX && seen.length < WINDOWS_MAX)
    const last = seen.at(-1)!
    const percents = seen.map(({ percent }) => percent.toFixed(1)).join(', ')
    assert.ok(last.percent < PERCENT_MAX, `% of a core in each ${WINDOW_SECONDS} s: ${percents}`)
    const nodes = last.processes.filter(({ isNode }) => isNode)
    assert.is(nodes.length, 12)
    const others = 'with archive, dashboard, supervisors, foreman and the starter'
    assert.is(last.processes.length, 30, others)
    const large = nodes.filter(({ rssBytes }) => rssBytes > RSS_BYTES_MAX)
    assert.equal(large, [], 'no node needs more memory')
  } finally {
    await cluster.stop()
  }
})

test.run()
