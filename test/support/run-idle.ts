// npm run idle -- [--seconds 15] [--after 30]: starts a local cluster of its own, lets it be for a
// while, and prints what it costs when nobody asks for anything.

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { IdleCluster } from './idle-cluster.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    after: { type: 'string', default: '30' },
  },
})
const cluster = await IdleCluster.start()
try {
  await sleep(Number(values.after) * 1000)
  const { percent, seconds, processes } = await cluster.measure(Number(values.seconds))
  for (const share of processes) {
    const megabytes = Math.round(share.rssBytes / 1e6)
    console.log(`${share.name.padEnd(16)} ${share.percent.toFixed(2)} %  ${megabytes} MB`)
  }
  const count = `${processes.length} processes`
  const span = `${seconds.toFixed(1)} s, from ${values.after} s after the start`
  console.log(`${count}: ${percent.toFixed(2)} % of one core over ${span}`)
} finally {
  await cluster.stop()
}
