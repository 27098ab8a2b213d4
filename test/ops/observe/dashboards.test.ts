import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { matchPath } from '../../../dashboard/page.ts'
import { PAGES } from '../../../dashboard/pages.ts'
import { anchorOf } from '../../../ops/observe/alert.ts'
import { ALERTS } from '../../../ops/observe/alert-rules.ts'
import { panelsOf } from '../../../ops/observe/board.ts'
import { BOARDS } from '../../../ops/observe/boards/all.ts'
import { generatedFiles } from '../../../ops/observe/generated.ts'
import { CATALOG } from '../../../ops/telemetry/metric-catalog.ts'
import { type DashboardJson, expressionsOf, lint } from '../../support/dashboard-lint.ts'
import { familiesIn, unknownIn } from '../../support/known-series.ts'

const test = suite('Grafana dashboards')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const FOLDER = join(ROOT, 'grafana/dashboards')
const dashboards = readdirSync(FOLDER).map(
  file => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as DashboardJson,
)

const anchors = ALERTS.map(({ name }) => anchorOf(name))

/** Whether the cluster's own dashboard has the page, and the runbook the entry. */
function isPage(path: string): boolean {
  const { pathname, hash } = new URL(path, 'http://pages')
  const isThere = pathname === '/' || PAGES.some(page => matchPath(page.path, pathname) !== null)
  return isThere && (hash === '' || anchors.includes(hash.slice(1)))
}

test('the files are what `npm run grafana` writes', () => {
  for (const [path, text] of generatedFiles()) {
    assert.is(readFileSync(join(ROOT, path), 'utf8'), text, `${path}: run npm run grafana`)
  }
  const files = readdirSync(FOLDER).map(file => `grafana/dashboards/${file}`)
  const made = [...generatedFiles().keys()].filter(path => path.startsWith('grafana/'))
  assert.equal(files.sort(), made.sort(), 'nothing else lies there')
})

test('ids, places, queries, variables and links are right', () => {
  assert.is(dashboards.length, 5)
  for (const dashboard of dashboards) assert.equal(lint(dashboard, isPage), [], dashboard.uid)
  const uids = dashboards.map(({ uid }) => uid)
  assert.is(new Set(uids).size, uids.length)
})

test('every expression is PromQL and names metrics and labels that exist', () => {
  const faults = dashboards
    .flatMap(dashboard => expressionsOf(dashboard))
    .flatMap(({ at, expr }) => unknownIn(expr).map(fault => `${at}: ${fault}`))
  assert.equal(faults, [])
})

test('every metric is on a panel', () => {
  const shown = new Set(
    dashboards
      .flatMap(dashboard => expressionsOf(dashboard))
      .flatMap(({ expr }) => familiesIn(expr)),
  )
  const hidden = CATALOG.map(({ name }) => name).filter(name => !shown.has(name))
  assert.equal(hidden, [])
})

test('exemplars are asked for where the metric has them, and nowhere else', () => {
  for (const board of BOARDS) {
    for (const { expr, hasExemplars } of panelsOf(board).flatMap(({ queries }) => queries)) {
      if (!hasExemplars) continue
      const families = CATALOG.filter(({ name }) => familiesIn(expr).includes(name))
      assert.ok(
        families.every(family => family.hasExemplars),
        expr,
      )
    }
  }
  const asked = BOARDS.flatMap(panelsOf)
    .flatMap(({ queries }) => queries)
    .flatMap(({ expr, hasExemplars }) => (hasExemplars ? familiesIn(expr) : []))
  const missing = CATALOG.filter(({ name, hasExemplars }) => hasExemplars && !asked.includes(name))
  assert.equal(missing, [])
})

test('a title is a thing or a question, and ends in no stop', () => {
  const titles = BOARDS.flatMap(panelsOf).map(({ title }) => title)
  assert.equal(
    titles.filter(title => !/^[A-Z].*[^.\s]$/.test(title)),
    [],
  )
})

test('the linter finds what it is for', () => {
  const [sound] = dashboards
  const spoil = (change: (copy: Record<string, never>) => void): readonly string[] => {
    const copy = structuredClone(sound) as unknown as Record<string, never>
    change(copy)
    return lint(copy as unknown as DashboardJson, isPage)
  }
  const faults: readonly (readonly [RegExp, (copy: never) => void])[] = [
    [/panel id 2 twice/, ({ panels }: Loose) => (panels[2]!.id = 2)],
    [/lies on/, ({ panels }: Loose) => (panels[2]!.gridPos = panels[1]!.gridPos)],
    [/leaves the page/, ({ panels }: Loose) => (panels[1]!.gridPos.w = 25)],
    [/no description/, ({ panels }: Loose) => (panels[1]!.description = '')],
    [/no unit/, ({ panels }: Loose) => delete panels[1]!.fieldConfig.defaults.unit],
    [/query A twice/, ({ panels }: Loose) => (panels[1]!.targets[1]!.refId = 'A')],
    [/not the chosen data/, ({ panels }: Loose) => (panels[1]!.datasource = { uid: 'P1' })],
    [/no variable grp/, ({ panels }: Loose) => (panels[1]!.targets[0]!.expr = 'x{a="$grp"}')],
    [/variable spare is not/, (copy: Loose) => copy.templating.list.push({ name: 'spare' })],
    [/no such page/, ({ panels }: Loose) => (panels[1]!.links[0]!.url = `\${pages}/shard`)],
    [/does not go to/, ({ panels }: Loose) => (panels[1]!.links[0]!.url = 'http://a.example/')],
  ]
  for (const [expected, change] of faults) {
    assert.match(spoil(change as never).join('\n'), expected)
  }
  const unknown = ['no_such_metric', 'up{shard="1"}', 'sum by (nobody) (up)', 'rate(up[5m]']
  for (const expr of unknown) assert.is.not(unknownIn(expr).length, 0, expr)
})

type Loose = {
  panels: {
    id: number
    gridPos: { w: number }
    description: string
    datasource: { uid: string }
    fieldConfig: { defaults: { unit?: string } }
    targets: { refId: string; expr: string }[]
    links: { url: string }[]
  }[]
  templating: { list: { name: string }[] }
}

test.run()
