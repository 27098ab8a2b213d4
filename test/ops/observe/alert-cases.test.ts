import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ALERTS } from '../../../ops/observe/alert-rules.ts'
import { QUORUM_CASES, REPLICA_CASES } from '../../support/alert-cases-groups.ts'
import { SERVICE_CASES } from '../../support/alert-cases-service.ts'
import { SHARD_CASES, TRACE_CASES } from '../../support/alert-cases-shards.ts'
import type { AlertCase, Situation } from '../../support/alert-series.ts'

const test = suite('alert cases')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const CASES = [...QUORUM_CASES, ...REPLICA_CASES, ...SERVICE_CASES, ...SHARD_CASES, ...TRACE_CASES]
const folder = mkdtempSync(join(tmpdir(), 'alerts-'))
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

test.after(() => rmSync(folder, { recursive: true, force: true }))

/** promtool's test file, as JSON, which is YAML too. */
function fileOf(cases: readonly AlertCase[], stepSeconds: number): unknown {
  return {
    rule_files: ['recording.yml', 'alerts.yml'].map(file => join(ROOT, 'ops', file)),
    evaluation_interval: `${stepSeconds}s`,
    tests: cases.flatMap(({ alert, fires, spares }) => [
      testOf(alert, stepSeconds, { firing: 1, ...fires }),
      testOf(alert, stepSeconds, { firing: 0, ...spares }),
    ]),
  }
}

function testOf(alert: string, stepSeconds: number, situation: Situation): unknown {
  const { what, series, at, firing } = situation
  const expr = `count(ALERTS{alertname="${alert}", alertstate="firing"}) or vector(0)`
  return {
    name: `${alert}: ${what}`,
    interval: `${stepSeconds}s`,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [{ expr, eval_time: at, exp_samples: [{ labels: '{}', value: firing }] }],
  }
}

function run(cases: readonly AlertCase[], stepSeconds: number): { ok: boolean; output: string } {
  const file = join(folder, `${stepSeconds}.json`)
  writeFileSync(file, JSON.stringify(fileOf(cases, stepSeconds)))
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], {
    encoding: 'utf8',
  })
  return { ok: status === 0, output: stdout + stderr }
}

test('every alert has its case', () => {
  assert.equal(CASES.map(({ alert }) => alert).sort(), ALERTS.map(({ name }) => name).sort())
})

if (hasPromtool) {
  test('every alert fires in its case and not in the neighbouring one', () => {
    for (const stepSeconds of [5, 60]) {
      const cases = CASES.filter(({ stepSeconds: own = 5 }) => own === stepSeconds)
      assert.ok(cases.length > 0)
      const { ok, output } = run(cases, stepSeconds)
      assert.ok(ok, output)
    }
  })

  test('a case that does not hold is told', () => {
    const [first] = CASES
    const swapped = { alert: first!.alert, fires: first!.spares, spares: first!.fires }
    assert.not(run([swapped], 5).ok)
  })
} else {
  console.log('SKIPPED: alerts in made-up situations: promtool (prometheus) is not installed')
}

test.run()
