// npm run job -- [--folder DIR] [--mb 50]: the real job at full size; prints its report as JSON.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { TestCluster } from './cluster.ts'
import { filesBelow, runJob } from './real-job.ts'

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: 'node_modules' },
    mb: { type: 'string', default: '50' },
  },
})
const job = filesBelow(resolve(values.folder), Number(values.mb) * 1024 * 1024)
const cluster = await TestCluster.start({ groups: [3, 3, 3], joining: [1, 2] })
try {
  const report = await runJob(cluster, job)
  console.log(JSON.stringify(report, null, 2))
  process.exitCode = report.wrong.length === 0 ? 0 : 1
} finally {
  await cluster.stop()
}
