// npm run compare -- [--row NAME,…] [--pairs 5] [--seconds 3] [--markdown FILE] [--json FILE]
// [--generator wrk|load] [--folder DIR] [--keys 10000000] [--list]: Shardglass beside etcd, Redis and a bare server, on this
// machine, in turns; prints the ratios beside those that are wanted. Exit code 1 when one is missed.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { hasProgram } from '../chaos/command.ts'
import { Bench } from './bench.ts'
import { drive, httpGenerator } from './drive.ts'
import { busyness, describeMachine } from './machine.ts'
import { measurePairs, type PairsOptions } from './pairs.ts'
import { markdownText, writeSection } from './report.ts'
import { lookAtReplica } from './restarts.ts'
import { FILLED_KEYS, ROWS, type Row, rowsNamed } from './rows.ts'
import { Shardglass } from './shardglass.ts'
import { linesOf, type Outcome, textTable } from './table.ts'

const PROGRAMS: Readonly<Record<string, string>> = { etcd: 'etcd', redis: 'redis-server' }
const PROBE_SECONDS = 3

const { values } = parseArgs({
  options: {
    row: { type: 'string', default: '' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    markdown: { type: 'string' },
    json: { type: 'string' },
    generator: { type: 'string' },
    folder: { type: 'string' },
    keys: { type: 'string', default: String(FILLED_KEYS) },
    list: { type: 'boolean', default: false },
  },
})

/** A program that a row needs and that is not installed. */
function missingFor({ ours, theirs }: Row): string | null {
  for (const { system } of [ours, theirs]) {
    const program = PROGRAMS[system]
    if (program !== undefined && !hasProgram(program)) return program
  }
  return null
}

/** The row with the rate at which both sides are to be driven, where it has one. */
async function rated(bench: Bench, row: Row, options: PairsOptions): Promise<Row> {
  if (row.load === undefined) return row
  const { system, load } = row.theirs
  const terms = { ...options, seconds: Math.max(PROBE_SECONDS, options.seconds) }
  const { perSecond } = await drive(bench.system(system), load, terms)
  const rate = Math.round(perSecond * row.load)
  const at = (side: Row['ours']): Row['ours'] => ({ ...side, load: { ...side.load, rate } })
  return { ...row, ours: at(row.ours), theirs: at(row.theirs) }
}

async function run(bench: Bench, given: Row, options: PairsOptions): Promise<Outcome> {
  await bench.have([...new Set([given.ours.system, given.theirs.system])])
  const row = await rated(bench, given, options)
  const side = ({ system, load }: Row['ours']) => ({ system: bench.system(system), load })
  const pairs = await measurePairs(side(row.ours), side(row.theirs), options)
  const system = bench.system(row.ours.system)
  if (row.replica === undefined || !(system instanceof Shardglass)) return { row, pairs }
  return { row, pairs, replica: await lookAtReplica(system) }
}

type All = { readonly outcomes: readonly Outcome[]; readonly hasFailed: boolean }

async function runAll(bench: Bench, rows: readonly Row[]): Promise<All> {
  const generator = httpGenerator(
    values.generator === 'load' || values.generator === 'wrk' ? values.generator : null,
  )
  const options = { pairs: Number(values.pairs), seconds: Number(values.seconds), generator }
  const outcomes: Outcome[] = []
  let hasFailed = false
  for (const row of rows) {
    const missing = missingFor(row)
    if (missing !== null) {
      console.log(`SKIPPED: ${row.name}: ${missing} is not installed`)
      continue
    }
    try {
      const outcome = await run(bench, row, options)
      outcomes.push(outcome)
      console.log(textTable(linesOf(outcome)).split('\n').slice(1).join('\n'))
    } catch (error) {
      // The other rows are worth having; what was started for this one is not trusted any more.
      console.log(`FAILED: ${row.name}: ${error instanceof Error ? error.message : error}`)
      hasFailed = true
      await bench.have([])
    }
  }
  return { outcomes, hasFailed }
}

async function main(): Promise<number> {
  const rows = rowsNamed(values.row === '' ? [] : values.row.split(','))
  if (values.list || rows.length === 0) {
    for (const { name, wanted } of ROWS) console.log(`${name.padEnd(16)} ${wanted[0]?.work}`)
    return values.list ? 0 : 2
  }
  const bench = new Bench(values.folder, Number(values.keys))
  const end = (): void => void bench.close().finally(() => process.exit(130))
  process.once('SIGINT', end).once('SIGTERM', end)
  try {
    const machine = [...describeMachine(bench.folder), busyness()]
    for (const line of machine) console.log(line)
    const { outcomes, hasFailed } = await runAll(bench, rows)
    const lines = outcomes.flatMap(linesOf)
    console.log(`\n${textTable(lines)}`)
    const terms = { pairs: values.pairs, seconds: values.seconds }
    if (values.markdown !== undefined) {
      writeSection(values.markdown, 'compare', markdownText({ machine, outcomes, terms }))
    }
    if (values.json !== undefined) {
      writeFileSync(values.json, JSON.stringify({ machine, lines, outcomes }, null, 2))
    }
    return !hasFailed && lines.every(({ isMet }) => isMet) ? 0 : 1
  } finally {
    await bench.close()
  }
}

process.exitCode = await main()
