import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AlertGroup } from '../../../ops/observe/alert.ts'
import { ALERT_GROUPS, ALERTS } from '../../../ops/observe/alert-rules.ts'
import { RECORDINGS } from '../../../ops/observe/recording-rules.ts'
import { alertsText, recordingsText } from '../../../ops/observe/rules-text.ts'
import { QUORUM_CASES, REPLICA_CASES } from '../../support/alert-cases-groups.ts'
import { SERVICE_CASES } from '../../support/alert-cases-service.ts'
import { SHARD_CASES, TRACE_CASES } from '../../support/alert-cases-shards.ts'
import type { AlertCase, Situation } from '../../support/alert-series.ts'

const test = suite('alert cases')
const CASES = [...QUORUM_CASES, ...REPLICA_CASES, ...SERVICE_CASES, ...SHARD_CASES, ...TRACE_CASES]
const folder = mkdtempSync(join(tmpdir(), 'alerts-'))
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

test.after(() => rmSync(folder, { recursive: true, force: true }))

/** promtool's test file, as JSON, which is YAML too. */
function fileOf(cases: readonly AlertCase[], rules: readonly string[], stepSeconds: number) {
  return {
    rule_files: rules,
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

/** The cases of one group of rules, with no other rules than theirs. */
function run(group: AlertGroup, cases: readonly AlertCase[], stepSeconds: number) {
  const place = (name: string): string => join(folder, `${group.name}-${stepSeconds}-${name}`)
  const asksRecorded = group.alerts.some(({ expr }) => /\w:shardglass_/.test(expr))
  const recordings = asksRecorded ? RECORDINGS : []
  writeFileSync(place('recording.yml'), recordingsText(recordings))
  writeFileSync(place('alerts.yml'), alertsText([group]))
  const rules = ['recording.yml', 'alerts.yml'].map(place)
  writeFileSync(place('cases.json'), JSON.stringify(fileOf(cases, rules, stepSeconds)))
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', place('cases.json')], {
    encoding: 'utf8',
  })
  return { ok: status === 0, output: stdout + stderr }
}

test('every alert has its case', () => {
  assert.equal(CASES.map(({ alert }) => alert).sort(), ALERTS.map(({ name }) => name).sort())
})

if (hasPromtool) {
  test('every alert fires in its case and not in the neighbouring one', () => {
    let tried = 0
    for (const group of ALERT_GROUPS) {
      for (const stepSeconds of [5, 60]) {
        const cases = CASES.filter(
          ({ alert, stepSeconds: own = 5 }) =>
            own === stepSeconds && group.alerts.some(({ name }) => name === alert),
        )
        tried += cases.length
        if (cases.length === 0) continue
        const { ok, output } = run(group, cases, stepSeconds)
        assert.ok(ok, output)
      }
    }
    assert.is(tried, CASES.length)
  })

  test('a case that does not hold is told', () => {
    const [first] = CASES
    const swapped = { alert: first!.alert, fires: first!.spares, spares: first!.fires }
    assert.not(run(ALERT_GROUPS[0]!, [swapped], 5).ok)
  })
} else {
  console.log('SKIPPED: alerts in made-up situations: promtool (prometheus) is not installed')
}

test.run()
