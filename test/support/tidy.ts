// Checks of the house style that no compiler or formatter makes: lengths of files and functions, who
// may import whom, no input or output in the core, and that every test file is run.
// Run: node --import tsx test/support/tidy.ts; prints one line per finding, exit code 1 if any.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Source = { readonly path: string; readonly text: string }

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 50
const ROOTS = ['server', 'ops', 'dashboard', 'test']

/** What groups tell shardmasters: part of the vocabulary of contract.ts. */
const MESSAGES = 'server/shardkv/message.ts'

/**
 * What the dashboard shares with the nodes: tokens are judged by the same code, and its pages are
 * served under the same bounds. A second server or judge would have its own mistakes.
 */
const DOOR = ['auth', 'server', 'traffic'].map(name => `server/http/${name}.ts`)

/** Folder (or file) → prefixes of what it may import from the project. First match counts. */
const ARROWS: readonly (readonly [string, readonly string[]])[] = [
  ['server/paxos/', ['server/paxos/', ...shared()]],
  ['server/shardmaster/', ['server/shardmaster/', 'server/paxos/', MESSAGES, ...shared()]],
  ['server/shardkv/', ['server/shardkv/', 'server/shardmaster/', 'server/paxos/', ...shared()]],
  ['server/http/', ['server/']],
  ['server/client/', ['server/client/', 'server/shardmaster/', 'server/shardkv/', ...shared()]],
  ['server/', ['server/']],
  ['ops/', ['ops/', 'server/']],
  ['dashboard/', ['dashboard/', 'ops/', 'server/client/', ...DOOR, ...shared()]],
  ['test/', ['test/', 'dashboard/', 'ops/', 'server/']],
]

function shared(): readonly string[] {
  const names = ['assert', 'bytes', 'contract', 'limits', 'machine', 'session', 'store', 'backend']
  return [...names, 'replica', 'store-meta'].map(name => `server/${name}.ts`)
}

const CORE = /^server\/(?:(?:paxos|shardmaster|shardkv)\/[^/]+|(?!backend)[^/]+)\.ts$/

/** What a pure core has no use for. Types of other modules are erased and harm nothing. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bfrom '(?!\.)[^']+'/, 'imports something from outside the project'],
  [/\bDate\b/, 'reads the wall clock'],
  [/\bperformance\./, 'reads a clock'],
  [/\bMath\.random\b/, 'draws randomness of its own'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'uses a timer'],
  [/\basync (?:function\b|\(|\w+ =>|\w+\()|\bawait [\w(]/, 'is asynchronous'],
  [/\bPromise\b/, 'is asynchronous'],
  [/\bconsole\b/, 'prints'],
  [/\b(?:process|globalThis)\b(?=[.[])/, 'looks at its process'],
  [/(?<![.\w])(?:crypto\.|fetch\()/, 'does input or output'],
]

/** All findings, one line each. */
export function findings(sources: readonly Source[], testRun: string): readonly string[] {
  return sources.flatMap(source => [
    ...lengthFindings(source),
    ...arrowFindings(source),
    ...purityFindings(source),
    ...styleFindings(source),
    ...runFindings(source, testRun),
  ])
}

function lengthFindings({ path, text }: Source): readonly string[] {
  const lines = text.split('\n').length - 1
  const found = lines > FILE_LINES_MAX ? [`${path}: ${lines} lines, ${FILE_LINES_MAX} at most`] : []
  for (const { line, length, name } of functionsOf(text)) {
    if (length <= FUNCTION_LINES_MAX) continue
    found.push(`${path}:${line}: ${name} has ${length} lines, ${FUNCTION_LINES_MAX} at most`)
  }
  return found
}

type Found = { readonly line: number; readonly length: number; readonly name: string }

/**
 * Functions and methods by the formatter's indentation: one begins on a line that declares it and
 * opens a block, and ends at the first closing brace with the same indentation. A switch with one
 * line per case is excepted from the limit, so its lines count as one.
 */
function functionsOf(text: string): readonly Found[] {
  const lines = text.split('\n')
  const found: Found[] = []
  for (const [index, line] of lines.entries()) {
    const name = declaredName(line)
    if (name === null) continue
    const indent = /^ */.exec(line)?.[0] ?? ''
    const opening = line.endsWith('{') ? index : closingLine(lines, index, `${indent})`)
    if (opening < 0 || lines[opening]?.endsWith('{') !== true) continue
    const end = closingLine(lines, opening, `${indent}}`)
    if (end < 0) continue
    const body = lines.slice(index + 1, end)
    const cases = body.filter(other => /^\s*case .*: return /.test(other)).length
    found.push({ line: index + 1, length: end - index + 1 - cases, name })
  }
  return found
}

function closingLine(lines: readonly string[], after: number, start: string): number {
  return lines.findIndex((line, at) => at > after && line.startsWith(start))
}

const WORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'else', 'do', 'new'])

function declaredName(line: string): string | null {
  const free = /^\s*(?:export )?(?:async )?function\*? (\w+)/.exec(line)?.[1]
  if (free !== undefined) return free
  const arrow = /^\s*(?:export )?const (\w+) = (?:async )?\(.*=> \{$/.exec(line)?.[1]
  if (arrow !== undefined) return arrow
  const modifiers = '(?:(?:private|protected|override|static|async|get|set) )*'
  const method = new RegExp(`^  ${modifiers}\\*?(\\w+)(?:<[^>]*>)?\\(.*[{(]$`).exec(line)?.[1]
  return method === undefined || WORDS.has(method) ? null : method
}

function arrowFindings({ path, text }: Source): readonly string[] {
  const allowed = ARROWS.find(([prefix]) => path.startsWith(prefix))?.[1] ?? []
  return importsOf(text)
    .filter(name => name.startsWith('.'))
    .map(name => join(dirname(path), name))
    .filter(target => !allowed.some(prefix => target.startsWith(prefix)))
    .map(target => `${path}: may not import ${target}`)
}

function importsOf(text: string): readonly string[] {
  const forms = [
    /^(?:import|export)\b[^'"=()]*?\bfrom ['"]([^'"]+)['"]/gm,
    /^import ['"]([^'"]+)['"]/gm,
    /\bimport\(['"]([^'"]+)['"]\)/g,
  ]
  return forms.flatMap(form => [...text.matchAll(form)].map(match => match[1] ?? ''))
}

function purityFindings({ path, text }: Source): readonly string[] {
  if (!CORE.test(path)) return []
  const code = withoutComments(text)
  const found: string[] = []
  for (const [index, line] of code.split('\n').entries()) {
    for (const [pattern, what] of IMPURE) {
      if (pattern.test(line)) found.push(`${path}:${index + 1}: the core ${what}`)
    }
  }
  return found
}

function styleFindings({ path, text }: Source): readonly string[] {
  const found: string[] = []
  const name = path.split('/').at(-1) ?? ''
  if (/^(?:utils?|helpers?|common|types|manager|index)\./.test(name)) {
    found.push(`${path}: is named after nothing of the field`)
  }
  if (/^[A-Z]|[a-z][A-Z]|_/.test(name)) found.push(`${path}: file names are kebab-case`)
  const code = withoutComments(text)
  if (/\bcatch(?: \(\w+\))? \{\s*\}/.test(text)) found.push(`${path}: drops an error in silence`)
  if (/^export default\b/m.test(code)) found.push(`${path}: has a default export`)
  const hasHeader = /^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text)
  if (!hasHeader && !path.endsWith('.test.ts')) found.push(`${path}: has no header comment`)
  const isTest = path.endsWith('.test.ts') || path.endsWith('.test.tsx')
  if (isTest && /\btest\.only\(/.test(code)) found.push(`${path}: runs only a part of itself`)
  if (isTest && !/^test\.run\(\)|^\w+\.run\(\)/m.test(code)) found.push(`${path}: runs no suite`)
  return found
}

/** Every suite is run: test/run.ts takes all `*.test.ts` below test/, so nothing else may be one. */
function runFindings({ path, text }: Source, testRun: string): readonly string[] {
  const isTest = /\.test\.tsx?$/.test(path)
  const isRun = /^\w+\.run\(\)/m.test(text)
  if (isRun && /from 'uvu'/.test(text) && !isTest)
    return [`${path}: has a suite but is not called *.test.ts: not run`]
  if (isTest && !path.startsWith('test/')) return [`${path}: is not below test/: not run`]
  if (isTest && !/\.test\\\.tsx\?\$|TEST_FILE/.test(testRun)) return [`${path}: run.ts misses it`]
  return []
}

/** Comments become spaces; line numbers stay. Good enough for code in the house style. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, comment => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`])\/\/.*$/gm, '$1')
}

/** All TypeScript files of the project, paths relative to its folder. */
export function projectSources(folder: string): readonly Source[] {
  return ROOTS.map(root => join(folder, root))
    .filter(root => existsSync(root))
    .flatMap(filesBelow)
    .filter(path => /\.tsx?$/.test(path))
    .sort()
    .map(path => ({ path: relative(folder, path), text: readFileSync(path, 'utf8') }))
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function main(): void {
  const folder = resolve(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '../..')
  const sources = projectSources(folder)
  const testRun = sources.find(({ path }) => path === 'test/run.ts')?.text ?? ''
  const found = findings(sources, testRun)
  for (const line of found) console.log(line)
  console.log(`tidy: ${sources.length} files, ${found.length} findings`)
  process.exitCode = found.length === 0 ? 0 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
