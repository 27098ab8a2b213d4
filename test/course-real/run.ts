// Runs the course's cases many times, as the course does, and counts the failures of each.
// Run: npm run course -- --times 50 [--full] [PART-OF-A-FILE-NAME …]; exit code 1 on any failure.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'

/** `millis`: of each run, failed ones too. */
type Tally = { readonly millis: number[]; failures: number }

const FOLDER = dirname(fileURLToPath(import.meta.url))
const RUN_SECONDS_MAX = 300

const { values, positionals } = parseArgs({
  options: { times: { type: 'string', default: '10' }, full: { type: 'boolean', default: false } },
  allowPositionals: true,
})

function filesToRun(): readonly string[] {
  const all = readdirSync(FOLDER).filter(name => name.endsWith('.test.ts'))
  if (positionals.length === 0) return all.sort()
  return all.filter(name => positionals.some(part => name.includes(part))).sort()
}

/** What the file printed, and its exit code; one that does not end is ended. */
function runFile(file: string): Promise<{ readonly output: string; readonly isGood: boolean }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(FOLDER, file)], {
    env: { ...process.env, COURSE_TIMES: '1', COURSE_FULL: values.full ? '1' : '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  return new Promise(done => {
    const timer = setTimeout(() => child.kill('SIGKILL'), RUN_SECONDS_MAX * 1000)
    child.on('close', code => {
      clearTimeout(timer)
      const output = stripVTControlCharacters(Buffer.concat(chunks).toString('utf8'))
      done({ output, isGood: code === 0 && isWhole(output) })
    })
  })
}

/** All cases of the file passed: where the cluster does not even start, none fails and none runs. */
function isWhole(output: string): boolean {
  const [total, passed] = ['Total', 'Passed'].map(label =>
    Number(new RegExp(`^ *${label}: +(\\d+)`, 'm').exec(output)?.[1] ?? 0),
  )
  return total === passed && passed !== undefined && passed > 0
}

function count(tallies: Map<string, Tally>, output: string): void {
  const failed = new Set([...output.matchAll(/FAIL .* "(.*)"$/gm)].map(match => match[1]))
  for (const [, millis, title = ''] of output.matchAll(/case (\d+) ms (.*)$/gm)) {
    const tally = tallies.get(title) ?? { millis: [], failures: 0 }
    tallies.set(title, tally)
    tally.millis.push(Number(millis))
    if (failed.has(title)) tally.failures += 1
  }
}

function report(tallies: ReadonlyMap<string, Tally>): void {
  console.log('  runs  failed  median ms   worst ms  case')
  for (const [title, { millis, failures }] of tallies) {
    const sorted = [...millis].sort((a, b) => a - b)
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0
    const figures = [sorted.length, failures, median, sorted.at(-1) ?? 0]
    const widths = [6, 8, 11, 11]
    const line = figures.map((figure, column) => String(figure).padStart(widths[column] ?? 0))
    console.log(`${line.join('')}  ${title}`)
  }
}

async function main(): Promise<void> {
  const times = Number(values.times)
  const files = filesToRun()
  if (!Number.isInteger(times) || times < 1 || files.length === 0) {
    throw new Error('--times N, and parts of the names of files that there are')
  }
  const tallies = new Map<string, Tally>()
  let bad = 0
  for (let round = 1; round <= times; round++) {
    for (const file of files) {
      const { output, isGood } = await runFile(file)
      count(tallies, output)
      if (isGood) continue
      bad += 1
      console.log(`round ${round}, ${file}:\n${output}`)
    }
  }
  report(tallies)
  const failures = [...tallies.values()].reduce((sum, tally) => sum + tally.failures, 0)
  console.log(`${times} rounds, ${failures} cases failed, ${bad} files ended badly`)
  process.exitCode = bad > 0 ? 1 : 0
}

await main()
