// npm run chaos -- --runs 10 --seconds 60 [--fault NAME …] [--seed N] [--groups 2] [--results FILE]
// [--report FILE] [--list]: test clusters of real processes that it starts and breaks itself, in a
// room of its own. Exit code 1 on a violation; with REQUIRE_ALL=1 also when a kind cannot be made here.

import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chaosRun } from './chaos-run.ts'
import { FAULTS, type Fault, missingFor } from './faults.ts'
import { inRoom, type Room } from './isolation.ts'
import { addResult, isGood, lineOf, readResults, reportOf } from './results.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '60' },
    fault: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string' },
    groups: { type: 'string', default: '2' },
    results: { type: 'string' },
    report: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
  allowPositionals: false,
})

function positive(name: 'runs' | 'seconds' | 'groups'): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number > 0) return number
  throw new Error(`--${name} is a whole number above 0`)
}

/** Those asked for, or all. Throws on a name that is none. */
function wantedFaults(): readonly Fault[] {
  const names = values.fault.flatMap(text => text.split(','))
  if (names.length === 0) return FAULTS
  return names.map(name => {
    const fault = FAULTS.find(candidate => candidate.name === name)
    if (fault === undefined) throw new Error(`no fault ${name}; --list shows all`)
    return fault
  })
}

async function main(room: Room): Promise<number> {
  const wanted = wantedFaults()
  const skipped = wanted.filter(fault => missingFor(fault) !== null)
  for (const fault of skipped) console.log(`SKIPPED: chaos ${fault.name}: ${missingFor(fault)}`)
  const faults = wanted.filter(fault => missingFor(fault) === null)
  let bad = process.env.REQUIRE_ALL === '1' ? skipped.length : 0
  const firstSeed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
  const { results } = values
  const commit = commitNow()
  for (let run = 0; run < positive('runs') && faults.length > 0; run++) {
    const fault = faults[run % faults.length]
    if (fault === undefined) break
    const times = { seed: firstSeed + run, seconds: positive('seconds') }
    const result = await chaosRun({ room, fault, groups: positive('groups'), ...times })
    console.log(lineOf(result))
    if (results !== undefined) addResult(results, { ...result, commit })
    if (!isGood(result)) bad += 1
  }
  if (results !== undefined) console.log(reportOf(readResults(results)))
  return bad > 0 || faults.length === 0 ? 1 : 0
}

function commitNow(): string {
  const cwd = dirname(fileURLToPath(import.meta.url))
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd, stdio: 'pipe' })
      .toString()
      .trim()
  } catch {
    return 'unknown' // not a checkout
  }
}

if (values.list) {
  for (const fault of FAULTS) {
    const missing = missingFor(fault)
    console.log(
      `${fault.name}: ${fault.summary}${missing === null ? '' : ` (not here: ${missing})`}`,
    )
  }
} else if (values.report !== undefined) {
  console.log(reportOf(readResults(values.report)))
} else {
  process.exit(await inRoom(main))
}
