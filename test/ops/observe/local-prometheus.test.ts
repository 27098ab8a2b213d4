import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { localCluster } from '../../../ops/local.ts'
import { committedPlan, runningPlan } from '../../../ops/observe/local-prometheus.ts'
import { prometheusConfig } from '../../../ops/observe/prometheus-config.ts'

const test = suite('what Prometheus scrapes')

test('the configuration names every node once, and moves with the ports and the folder', () => {
  const moved = localCluster({ SHARDGLASS_BASE_PORT: '5100', SHARDGLASS_DATA: '/elsewhere/data' })
  const text = prometheusConfig(runningPlan(moved, 'local-1', '/ops'))
  assert.match(text, "'127.0.0.1:5231'")
  assert.match(text, 'url: http://127.0.0.1:5103/v1/targets')
  assert.match(text, 'credentials_file: /elsewhere/data/reader.token')
  assert.match(text, '- /ops/alerts.yml')
  assert.not.match(text, ':4')
  const { others } = committedPlan(localCluster({}))
  assert.equal(
    others.map(({ address, group }) => `${address} ${group}`),
    ['127.0.0.1:4231 3', '127.0.0.1:4232 3', '127.0.0.1:4233 3', '127.0.0.1:4300 0'],
  )
})

test.run()
