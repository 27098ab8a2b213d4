// Plants each mutant of the list in a copy of the sources and runs what must catch it.
//   npm run mutants [-- NAME…]        parts of names, to run only those
//   npm run mutants -- --simulation '--single --seeds 40' NAME…
//                                     what the simulation alone would notice, with these seeds
// First every catcher runs without a mutant: one that fails by itself catches nothing. Ends with
// counts as a suite does; exit code 1 if a mutant survived, is stale, or a catcher is red by itself.

import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { ALL_MUTANTS } from './all.ts'
import {
  type Catcher,
  commandOf,
  describe,
  isCaught,
  type Mutant,
  plant,
  type Verdict,
  verdictOf,
} from './mutant.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const COPIED = ['server', 'ops', 'dashboard', 'test', 'package.json', 'tsconfig.json', 'Procfile']
/** Two catchers side by side: they share two cores. */
const AT_ONCE = 2
const CATCHER_MS_MAX = 60_000

type Run = { readonly output: string; readonly code: number | null; readonly isTimedOut: boolean }

/** A tree of its own: a mutant that is not taken back, by a crash, hurts nobody. */
function copySources(): string {
  const tree = mkdtempSync(join(tmpdir(), 'shardglass-mutants-'))
  for (const part of COPIED) cpSync(join(ROOT, part), join(tree, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  return tree
}

/** Process groups under way. */
const running = new Set<number | undefined>()

/** Ends as soon as `isEnough` of what was printed. */
function run(tree: string, by: Catcher, isEnough: (output: string) => boolean): Promise<Run> {
  const child = spawn(process.execPath, [...commandOf(by)], {
    cwd: tree,
    env: { ...process.env, NODE_ENV: 'test', FORCE_COLOR: '0', TMPDIR: tree },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that what it started ends with it
  })
  running.add(child.pid)
  return new Promise(done => {
    let output = ''
    let isTimedOut = false
    const end = () => endGroup(child.pid)
    const timer = setTimeout(() => {
      isTimedOut = true
      end()
    }, CATCHER_MS_MAX)
    const take = (chunk: string) => {
      output += stripVTControlCharacters(chunk)
      if (isEnough(output)) end()
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.on('exit', end)
    child.on('close', code => {
      clearTimeout(timer)
      running.delete(child.pid)
      done({ output, code, isTimedOut })
    })
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

async function judge(tree: string, mutant: Mutant): Promise<Verdict> {
  const file = join(tree, mutant.file)
  const source = readFileSync(file, 'utf8')
  const planted = plant(source, mutant)
  if (typeof planted === 'number') return { type: 'stale', count: planted }
  writeFileSync(file, planted)
  try {
    const { output, ...ending } = await run(tree, mutant.by, text => isCaught(mutant.by, text))
    return verdictOf(mutant.by, output, ending)
  } finally {
    writeFileSync(file, source)
  }
}

/** What stands behind a mutant's name in the report. */
function words(verdict: Verdict): string {
  switch (verdict.type) {
    case 'caught':
      return `caught: ${verdict.by[0]}${verdict.by.length > 1 ? ` (+${verdict.by.length - 1})` : ''}`
    case 'survived':
      return 'SURVIVED'
    case 'stale':
      return `STALE: its text is there ${verdict.count} times`
    case 'unclear':
      return `UNCLEAR: ${verdict.why}`
  }
}

/** Nothing is left behind by who gives up waiting, either. */
function removeAtEnd(trees: readonly string[]): void {
  const remove = () => {
    for (const pid of running) endGroup(pid)
    for (const tree of trees) rmSync(tree, { recursive: true, force: true })
  }
  process.on('exit', remove)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
}

/** Takes from the list with each tree in parallel. */
async function share<Item>(
  trees: readonly string[],
  items: readonly Item[],
  work: (tree: string, item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items]
  const worker = async (tree: string) => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await work(tree, item)
    }
  }
  await Promise.all(trees.map(worker))
}

/** Each catcher once as it is; returns those that are red by themselves. */
async function baseline(trees: readonly string[], mutants: readonly Mutant[]): Promise<string[]> {
  const catchers = new Map(mutants.map(({ by }) => [describe(by), by]))
  const red: string[] = []
  await share(trees, [...catchers], async (tree, [name, by]) => {
    const { code, output } = await run(tree, by, () => false)
    if (code === 0) return
    red.push(name)
    console.log(`${name} fails without any mutant:\n${output.replace(/^/gm, '    ')}`)
  })
  console.log(`${catchers.size - red.length} of ${catchers.size} catchers pass without a mutant`)
  return red
}

/** By parts of names; with another catcher for all of them where one is given. */
function chosen(words: readonly string[]): readonly Mutant[] {
  const [flag, simulation = ''] = words
  const isSimulated = flag === '--simulation'
  const wanted = isSimulated ? words.slice(2) : words
  return ALL_MUTANTS.filter(
    ({ name }) => wanted.length === 0 || wanted.some(part => name.includes(part)),
  ).map(mutant => (isSimulated ? { ...mutant, by: { simulation } } : mutant))
}

async function main(): Promise<void> {
  const mutants = chosen(process.argv.slice(2))
  const trees = Array.from({ length: AT_ONCE }, copySources)
  removeAtEnd(trees)
  const startedAt = performance.now()
  const red = await baseline(trees, mutants)
  let caught = 0
  await share(trees, mutants, async (tree, mutant) => {
    const from = performance.now()
    const verdict = await judge(tree, mutant)
    if (verdict.type === 'caught') caught += 1
    const seconds = ((performance.now() - from) / 1000).toFixed(1)
    console.log(`${mutant.name} [${mutant.row}]: ${words(verdict)} (${seconds} s)`)
  })
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const failed = mutants.length - caught + red.length
  console.log(`mutants: ${caught} of ${mutants.length} caught (${seconds} s)`)
  console.log(`  Total:     ${caught + failed}\n  Passed:    ${caught}\n  Skipped:   0`)
  process.exitCode = failed > 0 || mutants.length === 0 ? 1 : 0
}

await main()
