import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Strace, startStrace } from '../../../ops/chaos/strace.ts'
import { ALERTS } from '../../../ops/observe/alert-rules.ts'
import { panelsOf } from '../../../ops/observe/board.ts'
import { BOARDS } from '../../../ops/observe/boards/all.ts'
import { runningPlan } from '../../../ops/observe/local-prometheus.ts'
import { prometheusConfig } from '../../../ops/observe/prometheus-config.ts'
import { RECORDINGS } from '../../../ops/observe/recording-rules.ts'
import { until } from '../../support/cluster.ts'
import { type DashboardJson, expressionsOf } from '../../support/dashboard-lint.ts'
import { LocalProcesses } from '../../support/local-processes.ts'
import { MixedLoad } from '../../support/mixed-load.ts'
import { type FiringAlert, hasPrometheus, Prometheus } from '../../support/prometheus.ts'
import { filledIn, parsed } from '../../support/promql.ts'

const test = suite('a real Prometheus beside a real cluster')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const hasStrace = spawnSync('strace', ['-V']).status === 0
const VALUES = { cluster: 'observed', __rate_interval: '15s' }
const dashboards = readdirSync(join(ROOT, 'grafana/dashboards')).map(
  file => JSON.parse(readFileSync(join(ROOT, 'grafana/dashboards', file), 'utf8')) as DashboardJson,
)

let cluster: LocalProcesses
let prometheus: Prometheus
let load: MixedLoad
let strace: Strace | null = null

if (hasPrometheus) {
  test.before(async () => {
    cluster = await LocalProcesses.start()
    const rules = join(cluster.folder, 'rules')
    mkdirSync(rules)
    for (const file of ['alerts.yml', 'recording.yml']) {
      writeFileSync(join(rules, file), hurried(readFileSync(join(ROOT, 'ops', file), 'utf8')))
    }
    const plan = { ...runningPlan(cluster.cluster, VALUES.cluster, rules), intervalSeconds: 1 }
    prometheus = await Prometheus.start(cluster.folder, prometheusConfig(plan))
    const urls = [...cluster.group(1), ...cluster.group(2)].map(({ url }) => url)
    load = new MixedLoad(cluster.connections, { urls, token: cluster.adminToken, clients: 6 })
  })

  test.after(async () => {
    await strace?.detach()
    await load?.stop()
    await prometheus?.stop()
    await cluster?.stop()
  })
}

/** The same rules, looked at sooner: waits of 2 s, windows of 15 s, and 3 s for a stuck handoff. */
function hurried(rules: string): string {
  const changed = rules
    .replace(/ for: \d+s/g, ' for: 2s')
    .replace(/\[5m\]/g, '[15s]')
    .replace(/(handoff_oldest_age_seconds\)) > 60/, '$1 > 3')
  assert.is.not(changed, rules)
  return changed
}

/** What happens now and then, so that there is something to see of it. */
async function disturb(): Promise<void> {
  const killed = await cluster.leader(1)
  await cluster.kill(killed) // an election, repeats of requests
  const left = cluster.group(1).filter(({ name }) => name !== killed)
  await until('a leader without it', async () => (await cluster.leader(1, left)) !== killed)
  const before = load.answered
  await until('writes without it', () => load.answered > before + 300)
  cluster.run(killed) // catches up
  const paused = await cluster.leader(2)
  cluster.signal(paused, 'SIGSTOP') // comes back, and is told that others lead now
  const others = cluster.group(2).filter(({ name }) => name !== paused)
  await until('another leader', async () => (await cluster.leader(2, others)) !== paused)
  cluster.signal(paused, 'SIGCONT')
  await cluster.settled([1, 2, 3])
  await cluster.stepDown(2)
  await cluster.shardmasters.move(0, 2)
  await cluster.shardmasters.move(0, 1)
  await cluster.settled([1, 2, 3])
}

/** Queries that may have no data while all is well. */
const quiet = BOARDS.flatMap(panelsOf)
  .flatMap(({ queries }) => queries)
  .filter(({ emptyWhile }) => emptyWhile !== undefined)
  .map(({ expr }) => filledIn(expr, VALUES))

/** Whether Prometheus answers with at least one number. */
async function hasData(expr: string): Promise<boolean> {
  const samples = await prometheus.query(expr, 20)
  return samples.some(({ value }) => Number.isFinite(value))
}

type Asked = { readonly at: string; readonly expr: string }

/** Those that never had data until all had, or for so long. */
async function neverWithData(
  asked: readonly Asked[],
  timeoutMs: number,
): Promise<readonly Asked[]> {
  let missing = asked.filter(({ expr }) => !quiet.includes(expr))
  const isNone = async (): Promise<boolean> => {
    const found = await Promise.all(missing.map(({ expr }) => hasData(expr)))
    missing = missing.filter((_, index) => found[index] === false)
    return missing.length === 0
  }
  await until('data everywhere', isNone, timeoutMs).catch(() => undefined)
  return missing
}

if (!hasPrometheus) {
  console.log('\nSKIPPED: dashboards and alerts against a real Prometheus: it is not installed')
  test('there is nothing to try without Prometheus', () => assert.not(hasPrometheus))
} else {
  test('every process is scraped, once, with its labels, and follows a join', async () => {
    const { nodes } = cluster.cluster
    await until('every target up', async () => {
      const targets = await prometheus.targets()
      return targets.length > nodes.length && targets.every(({ isUp }) => isUp)
    })
    await cluster.shardmasters.join(
      3,
      cluster.group(3).map(({ url }) => url),
    )
    await cluster.settled([1, 2, 3])
    await until('the discovered group', async () => {
      const targets = await prometheus.targets()
      assert.is(targets.length, nodes.length + 1, targets.map(({ url }) => url).join(' '))
      return targets.every(({ isUp }) => isUp)
    })
    const targets = await prometheus.targets()
    const expected = [
      ...nodes.map(n => `${n.kind} ${n.gid}-${n.replica} ${n.url}/metrics`),
      `archive 0-0 http://127.0.0.1:${cluster.cluster.ports.archive}/metrics`,
    ]
    const seen = targets.map(({ url, labels: { role, group, replica } }) => {
      return `${role} ${group}-${replica} ${url}`
    })
    assert.equal(seen.sort(), expected.sort())
    assert.ok(targets.every(({ labels }) => labels.cluster === VALUES.cluster))
  })

  test('every panel, annotation and recording rule has data under load', async () => {
    // Annotations compare samples of each ten seconds: the first must be older than what happens.
    const number = `shardglass_master_config_number{cluster="${VALUES.cluster}"}`
    await until('a sample', () => hasData(`count_over_time(max(${number})[1m:10s])`))
    await disturb()
    await until('some load', () => load.answered > 500)
    const panels = dashboards.flatMap(dashboard => expressionsOf(dashboard, VALUES))
    const recorded = RECORDINGS.map(({ record }) => ({ at: 'recording', expr: record }))
    const asked = [...panels, ...recorded]
    assert.equal(await neverWithData(asked, 30_000), [])
    assert.equal(load.misunderstood, [])
    assert.ok(asked.length > 140, `${asked.length} expressions`)
    assert.equal(await prometheus.ruleErrors(), [])
  })

  test('every alert looks at series that exist', async () => {
    const seldom = quiet.flatMap(expr => parsed(expr).selectors.map(({ metric }) => metric))
    const asked = ALERTS.flatMap(({ name, expr }) =>
      parsed(expr).selectors.map(({ metric }) => ({ at: name, expr: metric })),
    ).filter(({ expr }) => !seldom.includes(expr))
    assert.equal(await neverWithData(asked, 10_000), [])
  })

  test('variables resolve to what runs', async () => {
    const values = (name: string): Promise<readonly string[]> => {
      const variable = dashboards[0]?.templating.list.find(candidate => candidate.name === name)
      const { query = '' } = (variable?.query ?? {}) as { readonly query?: string }
      const filled = filledIn(query, VALUES)
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(filled) ?? []
      return prometheus.labelValues(label, selector)
    }
    assert.equal(await values('cluster'), ['observed'])
    assert.equal(await values('role'), ['archive', 'shardkv', 'shardmaster'])
    assert.equal(await values('group'), ['0', '1', '2', '3'])
    assert.equal(await values('replica'), ['0', '1', '2'])
  })

  test('exemplars lead to traces that the archive has', async () => {
    const asked = BOARDS.flatMap(panelsOf)
      .flatMap(({ queries }) => queries)
      .filter(({ hasExemplars }) => hasExemplars)
      .map(({ expr }) => filledIn(expr, VALUES))
    assert.ok(asked.length >= 2)
    const archive = cluster.archive()
    try {
      for (const expr of asked) {
        const found = await prometheus.exemplars(expr)
        assert.ok(found.length > 0, expr)
        for (const { trace_id: traceId = '' } of found.slice(-5)) {
          assert.match(traceId, /^[0-9a-f]{32}$/)
          const isThere = async (): Promise<boolean> =>
            (await archive.trace(traceId)).type === 'found'
          await until(`trace ${traceId} of ${expr}`, isThere, 10_000)
        }
      }
    } finally {
      await archive.close()
    }
  })

  test('no critical alert fires while all is well', async () => {
    const isCritical = ({ labels }: FiringAlert): boolean => labels.severity === 'critical'
    await until('quiet', async () => !(await prometheus.firing()).some(isCritical), 15_000)
  })

  test('alerts fire for real: archive, disk, replica, quorum, handoff', async () => {
    const follower = cluster.group(1).find(({ name }) => name !== 'kv1a')!
    const lost = cluster.group(3).slice(0, 2)
    await cluster.kill('archive')
    if (hasStrace) {
      const log = join(cluster.folder, 'strace')
      const injection = 'fdatasync:delay_enter=300000'
      strace = await startStrace(cluster.pid(cluster.group(2)[1]!.name), injection, log)
    } else console.log('\nSKIPPED: an alert on a slow disk: strace is not installed')
    cluster.signal(follower.name, 'SIGSTOP')
    for (const { name } of lost) cluster.signal(name, 'SIGSTOP')
    const { shards } = await cluster.shardmasters.query()
    await cluster.shardmasters.move(shards.indexOf(2), 3) // to a group that cannot take it
    const wanted = [
      'ShardglassArchiveDown {role=archive}',
      `ShardglassReplicaDown {group=1, replica=${follower.replica}}`,
      'ShardglassReplicaSilent {group=1}',
      'ShardglassOneFailureFromLoss {group=1}',
      'ShardglassQuorumLost {group=3}',
      'ShardglassNoLeader {group=3}',
      'ShardglassHandoffStuck {group=2}',
      ...(hasStrace ? ['ShardglassFsyncSlow {group=2, replica=1}'] : []),
    ]
    let missing: readonly string[] = wanted
    await until(
      'all alerts',
      async () => {
        const firing = await prometheus.firing()
        missing = wanted.filter(text => !firing.some(alert => isAlert(alert, text)))
        return missing.length === 0
      },
      45_000,
    ).catch(() => undefined)
    assert.equal(missing, [])
    for (const { name, annotations } of await prometheus.firing()) {
      for (const text of Object.values(annotations))
        assert.not.match(text, /error|<no value>/, name)
    }
  })

  test('alerts go when the cause goes', async () => {
    await strace?.detach()
    strace = null
    for (const { name } of [...cluster.group(1), ...cluster.group(3)]) {
      cluster.signal(name, 'SIGCONT')
    }
    cluster.run('archive')
    // Not FsyncSlow: where tests run, the disk may be slow by itself.
    const expected = ['ArchiveDown', 'HandoffStuck', 'NoLeader', 'QuorumLost', 'ReplicaDown']
    let left: readonly string[] = []
    const areGone = async (): Promise<boolean> => {
      const firing = (await prometheus.firing()).map(({ name }) => name)
      left = expected.filter(name => firing.includes(`Shardglass${name}`))
      return left.length === 0
    }
    await until('alerts gone', areGone, 60_000).catch(() => undefined)
    assert.equal(left, [])
  })
}

/** `NAME {label=value, …}` */
function isAlert({ name, labels }: FiringAlert, text: string): boolean {
  const [, wanted, pairs = ''] = /^(\w+) \{(.*)\}$/.exec(text) ?? []
  return (
    name === wanted &&
    pairs.split(', ').every(pair => labels[pair.split('=')[0] ?? ''] === pair.split('=')[1])
  )
}

test.run()
