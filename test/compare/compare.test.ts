import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { hasProgram } from '../../ops/chaos/command.ts'
import { type Figures, httpGenerator } from '../../ops/compare/drive.ts'
import { spreadOf } from '../../ops/compare/pairs.ts'
import { writeSection } from '../../ops/compare/report.ts'
import { ROWS, rowsNamed } from '../../ops/compare/rows.ts'
import { linesOf, markdownTable } from '../../ops/compare/table.ts'

const test = suite('comparison')
const PROGRAM = resolve(import.meta.dirname, '../../dist/ops/compare/run-compare.js')

function figures(perSecond: number): Figures {
  return { perSecond, failed: 0, p50: 1, p99: 1000 / perSecond, systemMicros: 10, clientMicros: 1 }
}

test('a row is met by the median of its pairs, in the direction that is wanted', () => {
  const row = ROWS.find(({ name }) => name === 'put-64')
  if (row === undefined) throw new Error('no row')
  const pairs = [50, 43, 10].map(ours => ({ ours: figures(ours), theirs: figures(10) }))
  const [throughput, p99, cpu] = linesOf({ row, pairs })
  assert.equal([throughput?.ratio?.median, throughput?.isMet], [4.3, true])
  assert.equal([p99?.isMet, cpu?.isMet], [true, false])
  assert.match(markdownTable([throughput!]), '| 43.0/s | 10.0/s | 4.30 (1.00–5.00) | ≥ 4.2 | ok |')
})

test('the middle of an even number of values lies between two', () => {
  assert.equal(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 })
})

test('rows are chosen by name or by the work', () => {
  assert.equal(
    rowsNamed(['get']).map(({ name }) => name),
    ['get-1', 'get-16', 'get-64', 'get-256'],
  )
  assert.equal(rowsNamed([]).length, ROWS.length)
  assert.is(new Set(ROWS.map(({ name }) => name)).size, ROWS.length)
})

test('a section of a file is written between its marks, and nothing else is touched', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compare-test-'))
  const path = join(folder, 'a.md')
  writeFileSync(path, 'head\n<!-- one -->\nold\n<!-- /one -->\n<!-- two -->\nkept\n<!-- /two -->\n')
  writeSection(path, 'one', 'new\n')
  const text = 'head\n<!-- one -->\n\nnew\n\n<!-- /one -->\n<!-- two -->\nkept\n<!-- /two -->\n'
  assert.is(readFileSync(path, 'utf8'), text)
  rmSync(folder, { recursive: true })
})

/** What the command printed, and its exit code. */
function ran(args: readonly string[]): Promise<{ readonly output: string; readonly code: number }> {
  const child = spawn(process.execPath, [PROGRAM, ...args])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  return new Promise(done => child.on('close', code => done({ output, code: code ?? -1 })))
}

test('a pair with etcd, with a gRPC client and without wrk', async () => {
  if (!hasProgram('etcd'))
    return console.log('\nSKIPPED: comparison with etcd: etcd is not installed')
  const folder = mkdtempSync(join(tmpdir(), 'compare-test-'))
  try {
    const json = join(folder, 'out.json')
    const terms = ['--row', 'put-16,batch', '--pairs', '1', '--seconds', '1', '--json', json]
    const { output, code } = await ran([...terms, '--generator', 'load', '--folder', folder])
    assert.ok(existsSync(json), output)
    assert.ok(code === 0 || code === 1, output)
    const { outcomes } = JSON.parse(readFileSync(json, 'utf8'))
    for (const { pairs, row } of outcomes) {
      for (const side of [pairs[0].ours, pairs[0].theirs]) {
        assert.ok(side.perSecond > 0 && side.systemMicros > 0, `${row.name}: ${output}`)
        assert.is(side.failed, 0, row.name)
      }
    }
    assert.equal(readdirSync(folder), ['out.json'], 'all that was started is gone')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('wrk drives both dialects, where it is installed', async () => {
  if (httpGenerator(null) !== 'wrk') return console.log('\nSKIPPED: wrk: it is not installed')
  const folder = mkdtempSync(join(tmpdir(), 'compare-test-'))
  try {
    const json = join(folder, 'out.json')
    const rows = hasProgram('etcd') ? 'mix-64' : 'bare-256'
    const { output } = await ran([
      '--row',
      rows,
      '--pairs',
      '1',
      '--seconds',
      '1',
      '--json',
      json,
      '--folder',
      folder,
    ])
    assert.ok(existsSync(json), output)
    const { outcomes } = JSON.parse(readFileSync(json, 'utf8'))
    const [{ ours, theirs }] = outcomes[0].pairs
    for (const side of [ours, theirs])
      assert.ok(side.perSecond > 0 && side.clientMicros > 0, output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
