import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ALERTS } from '../../../ops/observe/alert-rules.ts'
import { panelsOf } from '../../../ops/observe/board.ts'
import { BOARDS } from '../../../ops/observe/boards/all.ts'
import { RECORDINGS } from '../../../ops/observe/recording-rules.ts'
import { unknownIn } from '../../support/known-series.ts'
import { parsed } from '../../support/promql.ts'

const test = suite('alerts, runbook, Prometheus')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const runbook = readFileSync(join(ROOT, 'ops/RUNBOOK.md'), 'utf8')
const hasPromtool = spawnSync('promtool', ['--version']).status === 0
const folder = mkdtempSync(join(tmpdir(), 'rules-'))

test.after(() => rmSync(folder, { recursive: true, force: true }))

/** The text of each alert's entry. */
const entries = new Map(
  runbook
    .split(/^### /m)
    .slice(1)
    .map(part => {
      const [name = '', ...lines] = part.split('\n')
      return [name, lines.join('\n').split(/^## /m)[0] ?? ''] as const
    }),
)
const titlesOf = (name: string): readonly string[] =>
  BOARDS.filter(board => board.name === name).flatMap(board => panelsOf(board).map(p => p.title))

test('every expression of a rule is PromQL and names metrics and labels that exist', () => {
  const faults = [...ALERTS.map(({ name, expr }) => [name, expr] as const)]
    .concat(RECORDINGS.map(({ record, expr }) => [record, expr] as never))
    .flatMap(([name, expr]) => unknownIn(expr).map(fault => `${name}: ${fault}`))
  assert.equal(faults, [])
})

test('every recorded series is asked for by an alert or a panel', () => {
  const asked = [
    ...ALERTS.map(({ expr }) => expr),
    ...RECORDINGS.map(({ expr }) => expr),
    ...BOARDS.flatMap(panelsOf).flatMap(({ queries }) => queries.map(({ expr }) => expr)),
  ].flatMap(expr => parsed(expr).selectors.map(({ metric }) => metric))
  assert.equal(
    RECORDINGS.filter(({ record }) => !asked.includes(record)),
    [],
  )
})

test('each alert has a name of its own, a panel that shows it and that leads to its entry', () => {
  assert.is(new Set(ALERTS.map(({ name }) => name)).size, ALERTS.length)
  for (const {
    name,
    panel: [board, title],
  } of ALERTS) {
    assert.ok(titlesOf(board).includes(title), `${name}: no panel "${title}" on ${board}`)
    const linked = BOARDS.flatMap(panelsOf).some(panel => panel.alerts?.includes(name))
    assert.ok(linked, `${name}: no panel links to it`)
  }
  const known: readonly string[] = ALERTS.map(({ name }) => name)
  const linked = BOARDS.flatMap(panelsOf).flatMap(({ alerts = [] }) => alerts)
  assert.equal(
    linked.filter(name => !known.includes(name)),
    [],
  )
})

test('each alert has an entry in the runbook that says four things, and no entry is left over', () => {
  assert.equal([...entries.keys()].sort(), ALERTS.map(({ name }) => name as string).sort())
  for (const [name, text] of entries) {
    const parts = [...text.matchAll(/^- \*\*(\w+)\.\*\*/gm)].map(match => match[1])
    assert.equal(parts, ['Means', 'Panel', 'Ask', 'Do'], name)
  }
})

test('panels that the runbook names exist', () => {
  for (const [name, text] of entries) {
    const line = /^- \*\*Panel\.\*\* (.*)$/m.exec(text)?.[1] ?? ''
    const named = [...line.matchAll(/([a-z-]+): ((?:"[^"]+"(?:, )?)+)/g)]
    assert.is.not(named.length, 0, name)
    for (const [, board = '', quoted = ''] of named) {
      for (const [, title = ''] of quoted.matchAll(/"([^"]+)"/g)) {
        assert.ok(titlesOf(board).includes(title), `${name}: no panel "${title}" on "${board}"`)
      }
    }
    const panel = ALERTS.find(alert => alert.name === name)?.panel
    assert.ok(line.includes(`${panel?.[0]}: "`) && line.includes(`"${panel?.[1]}"`), name)
  }
})

test('alerts that the runbook names elsewhere exist', () => {
  const names: readonly string[] = ALERTS.map(({ name }) => name.slice('Shardglass'.length))
  const words = [...runbook.matchAll(/\b(?<!Shardglass)[A-Z][a-z]+(?:[A-Z][a-z]+)+\b/g)]
  const strange = words.map(([word]) => word).filter(word => !names.includes(word))
  const isOther = (word: string): boolean => ['JavaScript'].includes(word)
  assert.equal(
    strange.filter(word => !isOther(word) && !word.startsWith('Shardglass')),
    [],
  )
})

test('commands that the runbook names exist, with their flags', () => {
  const commands = [...runbook.matchAll(/npx shardctl ([^`\n#]*)/g)].map(match => match[1]?.trim())
  const shapes = new Map<string, Set<string>>()
  for (const command of commands) {
    const words = command?.split(/\s+/) ?? []
    const isGroup = ['plan', 'trace'].includes(words[0] ?? '')
    const name = words.slice(0, isGroup ? 2 : 1).join(' ')
    const flags = shapes.get(name) ?? new Set()
    for (const word of words) if (word.startsWith('--')) flags.add(word)
    shapes.set(name, flags)
  }
  assert.ok(shapes.size >= 6, [...shapes.keys()].join(', '))
  for (const [name, flags] of shapes) {
    const words = name.split(' ')
    const help = helpOf(words)
    assert.match(help, `Usage: shardctl ${name}`, `there is no shardctl ${name}`)
    for (const flag of flags) assert.match(help, flag, `shardctl ${name} has no ${flag}`)
  }
})

function helpOf(words: readonly string[]): string {
  const args = ['--import', 'tsx', 'ops/shardctl.ts', ...words, '--help']
  return execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
}

test('Procfile.observe is the Procfile with Prometheus beside it', () => {
  const [plain, observed] = ['Procfile', 'Procfile.observe'].map(file =>
    readFileSync(join(ROOT, file), 'utf8'),
  )
  assert.is(observed, `${plain}prometheus: exec sh ops/supervise.sh prometheus\n`)
})

if (hasPromtool) {
  test('promtool finds no fault with the rules and the configuration', () => {
    const files = ['ops/alerts.yml', 'ops/recording.yml']
    const rules = promtool(['check', 'rules', '--lint=all', '--lint-fatal', ...files], ROOT)
    assert.match(rules, `SUCCESS: ${ALERTS.length} rules found`)
    assert.match(rules, `SUCCESS: ${RECORDINGS.length} rules found`)
    // The token's file is made by the first start: a tree in which it is there.
    mkdirSync(join(folder, 'ops'), { recursive: true })
    mkdirSync(join(folder, 'data'))
    writeFileSync(join(folder, 'data/reader.token'), 'token')
    for (const file of ['prometheus.yml', 'alerts.yml', 'recording.yml']) {
      writeFileSync(join(folder, 'ops', file), readFileSync(join(ROOT, 'ops', file)))
    }
    const config = promtool(['check', 'config', '--lint=all', 'ops/prometheus.yml'], folder)
    assert.match(config, 'ops/prometheus.yml is valid prometheus config file syntax')
    assert.is(existsSync(join(ROOT, 'grafana/provisioning/datasources/shardglass.yml')), true)
  })
} else {
  console.log('SKIPPED: rules and configuration under promtool: prometheus is not installed')
}

function promtool(args: readonly string[], cwd: string): string {
  const result = spawnSync('promtool', args, { cwd, encoding: 'utf8' })
  const output = result.stdout + result.stderr
  assert.is(result.status, 0, output)
  return output
}

test.run()
