// Runs the course's cases many times, as the course does, and counts the failures of each.
// Run: npm run course -- --times 50 [--full] [PART-OF-A-FILE-NAME …]; exit code 1 on any failure.
// In pieces: --counts FILE keeps the counts of all pieces, and --seconds S begins no further file
// after S; the same command goes on until each file was run so many times.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'

/** `millis`: of each run, failed ones too. */
type Tally = { readonly millis: number[]; failures: number }

const FOLDER = dirname(fileURLToPath(import.meta.url))
const RUN_SECONDS_MAX = 300

/** What is kept between pieces. */
type Counts = {
  readonly runs: Record<string, number>
  readonly tallies: Record<string, Tally>
  bad: number
}

const { values, positionals } = parseArgs({
  options: {
    times: { type: 'string', default: '10' },
    full: { type: 'boolean', default: false },
    counts: { type: 'string' },
    seconds: { type: 'string', default: 'Infinity' },
  },
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

function count(tallies: Counts['tallies'], output: string): void {
  const failed = new Set([...output.matchAll(/FAIL .* "(.*)"$/gm)].map(match => match[1]))
  for (const [, millis, title = ''] of output.matchAll(/case (\d+) ms (.*)$/gm)) {
    const tally = tallies[title] ?? { millis: [], failures: 0 }
    tallies[title] = tally
    tally.millis.push(Number(millis))
    if (failed.has(title)) tally.failures += 1
  }
}

function report(tallies: Counts['tallies']): void {
  console.log('  runs  failed  median ms   worst ms  case')
  for (const [title, { millis, failures }] of Object.entries(tallies)) {
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
  const counts = kept()
  const endAt = performance.now() + Number(values.seconds) * 1000
  let isPaused = false
  for (let round = 1; round <= times && !isPaused; round++) {
    for (const file of files) {
      if ((counts.runs[file] ?? 0) >= round) continue
      isPaused = performance.now() >= endAt
      if (isPaused) break
      const { output, isGood } = await runFile(file)
      count(counts.tallies, output)
      counts.runs[file] = (counts.runs[file] ?? 0) + 1
      if (!isGood) {
        counts.bad += 1
        console.log(`round ${round}, ${file}:\n${output}`)
      }
      if (values.counts !== undefined) writeFileSync(values.counts, JSON.stringify(counts))
    }
  }
  report(counts.tallies)
  const failures = Object.values(counts.tallies).reduce((sum, tally) => sum + tally.failures, 0)
  const runs = files.map(file => `${file} ${counts.runs[file] ?? 0}`).join(', ')
  console.log(`of ${times} runs: ${runs}`)
  console.log(`${failures} cases failed, ${counts.bad} files ended badly`)
  process.exitCode = counts.bad > 0 ? 1 : 0
}

function kept(): Counts {
  const { counts } = values
  if (counts === undefined || !existsSync(counts)) return { runs: {}, tallies: {}, bad: 0 }
  return JSON.parse(readFileSync(counts, 'utf8'))
}

await main()
