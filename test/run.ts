// Runs every test file below test/, each in a process of its own, a few at a time, and ends with
// the line `N passed, N failed`. Arguments: parts of file names to run only those.
// Exit code 1 on any failure, on no test at all, and, with REQUIRE_ALL=1, on anything skipped.
// MUTANTS=1 adds what `npm run mutants` does, at the end and alone, to the same counts.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const TEST_FILE = /\.test\.tsx?$/
const AT_ONCE = 2
const FILE_SECONDS_MAX = Number(process.env.TEST_FILE_SECONDS ?? 300)
const MUTANTS = 'test/mutants/run.ts'
const MUTANTS_SECONDS_MAX = 900

/** A line that a test prints for a part that it cannot do here. */
const SKIPPED = /^SKIPPED: (.*)$/gm

export type FileResult = {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
  readonly seconds: number
  readonly output: string
}

export type Ending = { readonly code: number | null; readonly isTimedOut: boolean }

/** Counts what uvu printed. A file that ended badly without a failed test has failed once. */
export function resultOf(
  file: string,
  output: string,
  ending: Ending,
): Pick<FileResult, 'passed' | 'failed' | 'skipped'> {
  const plain = stripVTControlCharacters(output)
  const total = sumOf(plain, 'Total')
  const passed = sumOf(plain, 'Passed')
  const uvuSkipped = sumOf(plain, 'Skipped')
  const failures = Math.max(0, total - passed - uvuSkipped)
  const isBad = ending.code !== 0 || ending.isTimedOut || total === 0
  const skipped = [...plain.matchAll(SKIPPED)].map(match => `${file}: ${match[1]}`)
  if (uvuSkipped > 0) skipped.push(`${file}: ${uvuSkipped} marked as skipped`)
  return { passed, failed: isBad ? Math.max(1, failures) : failures, skipped }
}

function sumOf(output: string, label: string): number {
  const pattern = new RegExp(`^ *${label}: +(\\d+)`, 'gm')
  return [...output.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0)
}

/** Test files below a folder, those that take long first: the ones with real processes. */
export function testFiles(folder: string, wanted: readonly string[]): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && TEST_FILE.test(entry.name))
    .map(entry => relative(dirname(folder), join(entry.parentPath ?? entry.path, entry.name)))
    .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
    .sort((a, b) => weight(a) - weight(b) || (a < b ? -1 : 1))
}

function weight(file: string): number {
  return /\/(?:ops|chaos|simulation|course|course-real)\//.test(file) ? 0 : 1
}

async function runFile(root: string, file: string): Promise<FileResult> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'test', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that what it started ends with it
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  const ending = await endingOf(child, file === MUTANTS ? MUTANTS_SECONDS_MAX : FILE_SECONDS_MAX)
  endGroup(child.pid)
  const output = Buffer.concat(chunks).toString('utf8')
  const seconds = (performance.now() - startedAt) / 1000
  return { file, seconds, output, ...resultOf(file, output, ending) }
}

function endingOf(child: ReturnType<typeof spawn>, secondsMax: number): Promise<Ending> {
  return new Promise(resolve => {
    let isTimedOut = false
    const timer = setTimeout(() => {
      isTimedOut = true
      endGroup(child.pid)
    }, secondsMax * 1000)
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ code, isTimedOut })
    })
    // Grandchildren may hold the pipes open; the file itself is over.
    child.on('exit', () => setTimeout(() => endGroup(child.pid), 2_000).unref())
  })
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody is left in it: as it should be
  }
}

function report(result: FileResult): void {
  const { file, passed, failed, seconds, output } = result
  const counts = `${passed} passed${failed > 0 ? `, ${failed} FAILED` : ''}`
  console.log(`${file}: ${counts} (${seconds.toFixed(1)} s)`)
  if (failed > 0) console.log(output.replace(/^/gm, '    '))
}

async function main(): Promise<void> {
  const folder = dirname(fileURLToPath(import.meta.url))
  const root = resolve(folder, '..')
  const files = testFiles(folder, process.argv.slice(2))
  const waiting = [...files]
  const results: FileResult[] = []
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(root, file)
      results.push(result)
      report(result)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (process.env.MUTANTS === '1') {
    waiting.push(MUTANTS)
    await worker()
  }
  const skipped = results.flatMap(result => result.skipped)
  for (const line of skipped) console.log(`skipped: ${line}`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + result.failed, 0)
  const isIncomplete = process.env.REQUIRE_ALL === '1' && skipped.length > 0
  if (isIncomplete) console.log(`${skipped.length} parts were skipped, and REQUIRE_ALL=1 is set`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 || isIncomplete ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
