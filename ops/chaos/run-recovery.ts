// npm run recovery -- [--fault kill,pause,partition,slow-disk,repartition] [--times 20]
// [--results FILE]: how long nothing is answered when a leader fails. With --results the figures of
// several pieces are added up. Exit code 1 when a goal is missed.

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { columns } from '../cluster-view.ts'
import { missingFor } from './faults.ts'
import { inRoom, type Room } from './isolation.ts'
import { FAILURES, RecoveryRig } from './recovery.ts'

/** ms: for the 99th percentile of the time without an answer, and for full service after mending. */
const GOALS: Readonly<Record<string, number>> = {
  kill: 1_000,
  pause: 2_000,
  partition: 2_000,
  'slow-disk': 10_000,
  repartition: 3_000,
  'repartition-http': 3_000,
}
const FULL_SERVICE_MS = 5_000
const REPARTITION_SECONDS = 15

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: 'kill,pause,partition,slow-disk,repartition' },
    times: { type: 'string', default: '20' },
    results: { type: 'string' },
  },
})

/** `mendedMs` null: it is not mended, but all the time. */
type Line = { readonly fault: string; readonly gapMs: number; readonly mendedMs: number | null }

/** Repartitioning tells of two kinds of clients: one line each. */
async function measure(rig: RecoveryRig, name: string): Promise<readonly Line[]> {
  if (name === 'repartition') {
    const { clerk, http } = await rig.repartition(REPARTITION_SECONDS)
    return [
      { fault: name, gapMs: clerk, mendedMs: null },
      { fault: 'repartition-http', gapMs: http, mendedMs: null },
    ]
  }
  const failure = FAILURES.find(candidate => candidate.name === name)
  if (failure === undefined) throw new Error(`no failure ${name}: ${Object.keys(GOALS).join(', ')}`)
  return [{ fault: name, ...(await rig.once(failure)) }]
}

function missing(name: string): string | null {
  const failure = FAILURES.find(candidate => candidate.name === name)
  return missingFor(failure ?? { needs: ['room', 'iptables'] })
}

/** The table, and whether all goals are met. */
function report(lines: readonly Line[]): { readonly text: string; readonly isGood: boolean } {
  let isGood = true
  const rows = [...new Set(lines.map(({ fault }) => fault))].map(fault => {
    const own = lines.filter(line => line.fault === fault)
    const gaps = own.map(({ gapMs }) => gapMs).sort((a, b) => a - b)
    const services = own.flatMap(({ mendedMs }) => mendedMs ?? []).sort((a, b) => a - b)
    const goal = GOALS[fault] ?? 0
    const service = services.at(-1) ?? null
    const isMet = quantile(gaps, 0.99) < goal && (service ?? 0) < FULL_SERVICE_MS
    isGood &&= isMet
    const figures = [quantile(gaps, 0.5), quantile(gaps, 0.99), gaps.at(-1) ?? 0, goal]
    const cells = figures.map(figure => figure.toFixed(0))
    const after = [quantile(services, 0.5), service ?? 0].map(figure => figure.toFixed(0))
    return [fault, String(own.length), ...cells, ...after, isMet ? 'yes' : 'NO']
  })
  const head = ['FAILURE', 'TIMES', 'P50 MS', 'P99', 'MAX', 'GOAL', 'SERVICE P50', 'MAX', 'MET']
  return { text: columns([head, ...rows]), isGood }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function known(file: string | undefined): readonly Line[] {
  if (file === undefined || !existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Line)
}

async function main(room: Room): Promise<number> {
  const { results } = values
  const lines = [...known(results)]
  let skipped = 0
  const rig = await RecoveryRig.start(room)
  try {
    for (const name of values.fault.split(',')) {
      const reason = missing(name)
      if (reason !== null) {
        console.log(`SKIPPED: recovery ${name}: ${reason}`)
        skipped += 1
        continue
      }
      for (let time = 0; time < Number(values.times); time++) {
        for (const line of await measure(rig, name)) {
          lines.push(line)
          if (results !== undefined) appendFileSync(results, `${JSON.stringify(line)}\n`)
        }
      }
    }
  } finally {
    await rig.stop()
  }
  const { text, isGood } = report(lines)
  console.log(text)
  return isGood && (skipped === 0 || process.env.REQUIRE_ALL !== '1') ? 0 : 1
}

process.exit(await inRoom(main))
