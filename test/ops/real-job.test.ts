// The job of test/support/real-job.ts at a size for every run. `npm run job` does it at full size.

import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TestCluster } from '../support/cluster.ts'
import { filesBelow, runJob } from '../support/real-job.ts'

const test = suite('a real job')
const MODULES = resolve(fileURLToPath(import.meta.url), '../../../node_modules/zod')
const BYTES = 3 * 1024 * 1024

test('files put through any node are all there, whatever moves and whoever is killed', async () => {
  const cluster = await TestCluster.start({ groups: [3, 3, 3], joining: [1, 2] })
  try {
    const job = filesBelow(MODULES, BYTES)
    const report = await runJob(cluster, job)
    assert.ok(report.files > 200, `${report.files} files`)
    assert.is(report.killed.length, 4)
    assert.ok(report.configs >= 20, `configuration ${report.configs}`)
    assert.equal(report.wrong, [])
  } finally {
    await cluster.stop()
  }
})

test.run()
